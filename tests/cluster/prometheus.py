"""A real Prometheus on 127.0.0.1, with a past if the test needs one."""

from __future__ import annotations

import ssl
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import httpx
import yaml

from tests.cluster import binaries
from tests.cluster.credentials import Authority
from tests.cluster.processes import ClusterError, Process, free_port, retry_lost_port
from tests.cluster.recipes import RECIPES
from tests.cluster.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    History = Mapping[str, Iterable[tuple[float, float]]]
    """Samples, as (Unix seconds, value), by series: ``name`` or ``name{label="value"}``."""

USER = "headstart"
PASSWORD = "head start"  # noqa: S105 - the secret of a server that lives for one test.
# bcrypt of PASSWORD at the lowest cost: Prometheus checks it on every request.
_PASSWORD_HASH = "$2b$04$hEaDsTaRtTeStSaLt1234uQNDpwYoYgDWu0dkqn3q5q2WbioiWZI."  # noqa: S105

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class Prometheus:
    """One Prometheus server; use it as a context manager.

    Its port and data stay the same over ``stop`` and ``start``, so a test can take it away and
    bring it back.
    """

    def __init__(
        self,
        scrape_configs: Sequence[Mapping[str, Any]] = (),
        *,
        scrape_interval: float = 1.0,
        history: History | None = None,
        rule_files: Sequence[Path] = (),
        tls: bool = False,
        basic_auth: bool = False,
        client_certificates: bool = False,
        flags: Sequence[str] = (),
    ) -> None:
        """Describe the server; nothing starts yet.

        Parameters
        ----------
        scrape_configs
            As in prometheus.yml; ``static_target`` makes the simplest one.
        scrape_interval
            Time between two scrapes, and between two evaluations of rules, in seconds.
        history
            Samples from before the start; all must be older than the start.
        rule_files
            Recording and alerting rules.
        tls
            Serve HTTPS with a certificate that ``ca`` verifies.
        basic_auth
            Ask for ``USER`` and ``PASSWORD``.
        client_certificates
            Serve HTTPS to those alone who have a certificate, such as ``client``.
        flags
            More of its command line, such as limits.
        """
        interval = f"{round(scrape_interval * 1000)}ms"
        self._settings = {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": interval,
            },
            "rule_files": [str(path.resolve()) for path in rule_files],
            "scrape_configs": [dict(entry) for entry in scrape_configs],
        }
        self._history = history
        self._tls = tls or client_certificates
        self._client_certificates = client_certificates
        self._basic_auth = basic_auth
        self._flags = flags
        self._stack = ExitStack()
        self._process: Process | None = None
        self._port = 0

    def __enter__(self) -> Self:
        """Back-fill the history and start.

        Raises
        ------
        ClusterError
            When promtool refuses the history, or Prometheus its settings; it shows what they said.
        """
        with ExitStack() as stack:
            pair = [recipe for recipe in RECIPES if recipe.folder == "prometheus"]
            self._programs = binaries.ensure(pair)
            workplace = Workplace("prometheus")
            stack.callback(workplace.close)
            stack.callback(self.stop)
            self.folder = workplace.path
            self._write_settings()
            self._backfill()
            self._client = stack.enter_context(
                httpx.Client(
                    auth=(USER, PASSWORD) if self._basic_auth else None,
                    verify=self._trust() if self._tls else False,
                    trust_env=False,
                )
            )
            self._start_on_a_free_port()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and remove the folder."""
        self._stack.close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    @property
    def ca(self) -> Path:
        """Certificate that its certificate verifies against, where it serves HTTPS."""
        return self.folder / "tls" / "ca.crt"

    @property
    def client(self) -> tuple[Path, Path]:
        """Certificate and key of a client that it lets in."""
        return self.folder / "tls" / "client.crt", self.folder / "tls" / "client.key"

    def start(self) -> None:
        """Start it again after ``stop``, on the same port and data.

        Raises
        ------
        PortLostError
            When another program has taken the port meanwhile.
        """
        log = self.folder / "prometheus.log"
        log.unlink(missing_ok=True)
        process = Process(
            "prometheus",
            [
                self._programs["prometheus"],
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--web.config.file={self.folder / 'web.yml'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                f"--storage.tsdb.path={self._data}",
                "--storage.tsdb.retention.time=100y",
                *self._flags,
            ],
            log=log,
        )
        self._process = process
        process.wait_ready(
            lambda: "Server is ready to receive web requests" in process.output(),
            timeout=_START_SECONDS,
        )

    def stop(self) -> None:
        """End the process; port and data stay for ``start``."""
        if self._process:
            self._process.stop(_STOP_SECONDS)

    def query(self, expression: str, time: float | None = None) -> list[dict[str, Any]]:
        """Result of an instant query at a Unix time in seconds, by default now.

        Raises
        ------
        ClusterError
            When Prometheus refuses the query; it shows its answer.
        """
        return self._get("query", {"query": expression} | ({"time": time} if time else {}))

    def query_range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[dict[str, Any]]:
        """Result of a range query; start and end are Unix times, all three in seconds."""
        times = {"start": start, "end": end, "step": step}
        return self._get("query_range", {"query": expression, **times})

    def _get(self, endpoint: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        answer = self._client.get(f"{self.url}/api/v1/{endpoint}", params=dict(parameters))
        if not answer.is_success:
            raise ClusterError(f"Prometheus refused {parameters}: {answer.text}")
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @retry_lost_port
    def _start_on_a_free_port(self) -> None:
        self._port = free_port()
        self.start()

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if self._client_certificates:
            context.load_cert_chain(*self.client)
        return context

    def _write_settings(self) -> None:
        web: dict[str, Any] = {}
        if self._tls:
            authority = Authority.create(self.folder / "tls")
            certificate, key = authority.serving("prometheus")
            web["tls_server_config"] = {"cert_file": str(certificate), "key_file": str(key)}
            if self._client_certificates:
                authority.client("client")
                web["tls_server_config"] |= {
                    "client_auth_type": "RequireAndVerifyClientCert",
                    "client_ca_file": str(self.ca),
                }
        if self._basic_auth:
            web["basic_auth_users"] = {USER: _PASSWORD_HASH}
        (self.folder / "web.yml").write_text(yaml.safe_dump(web))
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(self._settings))

    def _backfill(self) -> None:
        if not self._history:
            return
        samples = self.folder / "history.txt"
        with samples.open("w") as file:
            for series, points in self._history.items():
                file.writelines(f"{series} {value!r} {time!r}\n" for time, value in points)
            file.write("# EOF\n")
        # It reads the whole file once per block, so few large blocks are much faster.
        blocks = ["tsdb", "create-blocks-from", "--max-block-duration=1000h", "openmetrics"]
        command = [str(self._programs["promtool"]), *blocks, str(samples), str(self._data)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise ClusterError(f"promtool refused the history:\n{answer.stderr.strip()}")
        samples.unlink()


def static_target(job: str, address: str, **labels: str) -> dict[str, Any]:
    """Scrape config for one target at ``host:port``, with extra labels on its series."""
    return {"job_name": job, "static_configs": [{"targets": [address], "labels": labels}]}

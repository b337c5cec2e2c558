"""One run: cluster, fleet, Prometheus, an operator on one core, and its figures."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.cluster import CORE, Cluster, Prometheus, free_port, static_target, wait_until
from tests.cluster.processes import Process
from tests.load.figures import NAMES, Figures, Lags, Reading, between, quantile
from tests.load.traffic import Traffic

if TYPE_CHECKING:
    from tests.load.fleet import Fleet, Progress

ROOT = Path(__file__).parents[2]
CRD = ROOT / "manifests" / "crd" / "scalingpolicies.headstart.dev.yaml"
CHART = ROOT / "charts" / "headstart"
HEADSTART = Path(sys.executable).parent / "headstart"
SYSTEM = "headstart-system"
SCRAPE_SECONDS = 5.0
# Niceness of the operator.
FAVOURED = -10
# Until what new policies set off is over: the first scalings, their pods, their events. At least so
# long, and so long for each.
WARM_UP = 120.0
WARM_UP_OF_ONE = 0.12


class Operator:
    """`headstart operator` on one core, with the chart's rights; use it as a context manager."""

    def __init__(self, cluster: Cluster, prometheus: str, port: int) -> None:
        """Describe it; nothing runs yet."""
        pin = ["taskset", "--cpu-list", str(max(os.sched_getaffinity(0)))]
        self._command: list[str | Path] = [
            *(pin if shutil.which("taskset") else []),
            HEADSTART,
            "operator",
            f"--prometheus-address={prometheus}",
            f"--listen=127.0.0.1:{port}",
        ]
        self._url = f"http://127.0.0.1:{port}"
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "KUBECONFIG": str(_account(cluster)),
            "POD_NAMESPACE": SYSTEM,
        }
        self.log = cluster.folder / "operator.log"
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The running process."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it, or start it again; it need not be ready."""
        self._process = Process("operator", self._command, log=self.log, env=self._environment)
        # The control plane and what else runs here would take its core away, as on no node that
        # keeps to requests of CPU. Only root may.
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, FAVOURED)

    def stop(self, grace: float = 10.0) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop(grace=grace)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def read(self) -> Reading:
        """Read its own metrics."""
        return Reading.parse(time.time(), self._metrics(NAMES))

    def decided(self) -> int:
        """Count the policies that were decided for since it started."""
        text = self._metrics(["headstart_decisions_total"])
        reading = Reading.parse(time.time(), text)
        name = "headstart_decisions_total"
        return len({dict(labels)["policy"] for found, labels in reading.values if found == name})

    def decisions(self) -> float:
        """Count the decisions since it started."""
        reading = Reading.parse(time.time(), self._metrics(["headstart_tick_lag_seconds_count"]))
        return reading.total("headstart_tick_lag_seconds_count")

    def _metrics(self, names: list[str] | tuple[str, ...]) -> str:
        query = {"name[]": list(names)}
        return httpx.get(f"{self._url}/metrics", params=query, trust_env=False, timeout=30).text


def measure(fleet: Fleet, seconds: float, progress: Progress) -> Figures:
    """Serve a fleet for some time, on this machine.

    Raises
    ------
    ClusterError
        A part did not come up, or the operator does not come round.
    """
    with ExitStack() as stack:
        progress("starting the control plane", 0, 1)
        cluster = stack.enter_context(Cluster())
        cluster.apply(CRD.read_text())
        cluster.wait_established("scalingpolicies.headstart.dev")
        traffic = stack.enter_context(Traffic(fleet.names, fleet.rate))
        port = free_port()
        prometheus = stack.enter_context(
            Prometheus(
                [
                    static_target("load", traffic.address),
                    static_target("operator", f"127.0.0.1:{port}") | {"scrape_interval": "15s"},
                ],
                scrape_interval=SCRAPE_SECONDS,
                history=fleet.past(time.time() - 2 * SCRAPE_SECONDS),
            )
        )
        fleet.create(cluster, progress)
        fleet.create_policies(cluster, progress)
        operator = Operator(cluster, prometheus.url, port)
        stack.callback(_keep_log, operator)
        stack.callback(operator.stop, 0)
        operator.start()
        _all_decided(operator, fleet, progress, "the first decisions")
        _backfilled(operator, fleet, progress)
        _wait(max(WARM_UP, WARM_UP_OF_ONE * fleet.size), "warming up", progress)
        before, worst_rss = operator.read(), 0.0
        end = before.time + seconds
        while (now := time.time()) < end:
            progress("measuring", round(now - before.time), round(seconds))
            time.sleep(min(5.0, end - now))
            rss = operator.read().total("process_resident_memory_bytes")
            worst_rss = max(worst_rss, rss)
        after = operator.read()
        all_due = _all_due(operator, fleet, progress)

        restart = _restart(operator, fleet, progress)
        return _figures(fleet, before, after, worst_rss, all_due, restart)


def _all_decided(operator: Operator, fleet: Fleet, progress: Progress, what: str) -> float:
    """Wait until each policy was decided for; returns how long that took, s."""
    start = time.monotonic()

    def done() -> bool:
        decided = operator.decided()
        progress(what, decided, fleet.size)
        return decided >= fleet.size

    wait_until(what, done, timeout=300, every=0.5, ignoring=(httpx.HTTPError,))
    return time.monotonic() - start


def _all_due(operator: Operator, fleet: Fleet, progress: Progress) -> float:
    """Hold the process until all policies are due at once; time until all are decided, s."""
    already = operator.decisions()
    operator.signal(signal.SIGSTOP)
    _wait(fleet.interval + 1, "holding the operator", progress)
    operator.signal(signal.SIGCONT)
    start = time.monotonic()
    wait_until(
        "all that was due",
        lambda: operator.decisions() >= already + fleet.size,
        timeout=120,
        every=0.1,
        ignoring=(httpx.HTTPError,),
    )
    return time.monotonic() - start


@dataclass(frozen=True)
class _Restart:
    """What came after the operator was killed and started again."""

    seconds: float
    """Until each policy was decided for."""
    decided: Reading
    """Then."""
    backfill_seconds: float
    """From the start until the seasons of all were read."""
    backfilled: Reading
    """Then."""


def _restart(operator: Operator, fleet: Fleet, progress: Progress) -> _Restart:
    """Kill the operator and start it again."""
    operator.stop(grace=0)
    operator.start()
    start = time.monotonic()
    _all_decided(operator, fleet, progress, "decisions after the restart")
    seconds, decided = time.monotonic() - start, operator.read()
    _backfilled(operator, fleet, progress)
    return _Restart(seconds, decided, time.monotonic() - start, operator.read())


def _backfilled(operator: Operator, fleet: Fleet, progress: Progress) -> None:
    """Wait until the seasons of all policies were read."""

    def done() -> bool:
        left = round(operator.read().total("headstart_backfills"))
        progress("reading seasons", fleet.size - left, fleet.size)
        return left == 0

    wait_until("the seasons", done, timeout=1800, every=1.0, ignoring=(httpx.HTTPError,))


def _figures(
    fleet: Fleet, before: Reading, after: Reading, rss: float, all_due: float, restart: _Restart
) -> Figures:
    seconds = after.time - before.time
    lags = Lags.between(before, after)
    ticks = max(1, lags.ticks)
    cpu = after.total("process_cpu_seconds_total") - before.total("process_cpu_seconds_total")
    kube = "headstart_kubernetes_request_seconds_count"
    old = before.by(kube, "verb")
    verbs = {v: (n - old.get(v, 0)) / ticks for v, n in after.by(kube, "verb").items()}
    errors = "headstart_kubernetes_request_errors_total"
    earlier = before.by(errors, "code")
    refused = {code: n - earlier.get(code, 0) for code, n in after.by(errors, "code").items()}
    query = "headstart_prometheus_query_seconds_count"
    queries = (after.total(query) - before.total(query)) / ticks
    decided, backfilled = restart.decided, restart.backfilled
    asked = backfilled.total(query) - decided.total(query)
    return Figures(
        policies=fleet.size,
        pods_per_policy=fleet.pods,
        interval_seconds=fleet.interval,
        seconds=round(seconds, 1),
        ticks=lags.ticks,
        tick_lag_p50_seconds=round(lags.p50, 4),
        tick_lag_p99_seconds=round(lags.p99, 4),
        worst_tick_seconds=lags.worst,
        all_due_tick_seconds=round(all_due, 2),
        rss_mib=round(rss / 2**20, 1),
        cpu_cores=round(cpu / seconds, 3),
        cpu_milliseconds_per_tick=round(1000 * cpu / ticks, 2),
        requests_per_tick=round(sum(verbs.values()) + queries, 2),
        kubernetes_requests_per_tick={v: round(n, 3) for v, n in sorted(verbs.items())},
        prometheus_requests_per_tick=round(queries, 3),
        patch_p99_seconds=round(
            quantile(between(before, after, kube.removesuffix("_count"), verb="PATCH"), 0.99), 3
        ),
        query_p99_seconds=round(
            quantile(between(before, after, query.removesuffix("_count")), 0.99), 3
        ),
        kubernetes_errors={code: round(n) for code, n in refused.items() if n},
        restart_seconds=round(restart.seconds, 1),
        history_days=fleet.history_days,
        backfill_seconds=round(restart.backfill_seconds, 1),
        backfill_queries_per_second=round(asked / (backfilled.time - decided.time), 1),
        backfill_query_p99_seconds=round(
            quantile(between(decided, backfilled, query.removesuffix("_count")), 0.99), 3
        ),
        backfill_tick_lag_p99_seconds=round(Lags.between(decided, backfilled).p99, 4),
    )


def _account(cluster: Cluster) -> Path:
    """Apply the chart's ServiceAccount and rights, and nothing else of it."""
    cluster.api.create(f"{CORE}/namespaces", {"metadata": {"name": SYSTEM}})
    shown = [
        word
        for file in ("rbac", "service-account")
        for word in ("--show-only", f"templates/{file}.yaml")
    ]
    cluster.apply(cluster.helm("template", "headstart", CHART, "-n", SYSTEM, *shown).stdout)
    return cluster.kubeconfig_for(SYSTEM, "headstart")


def _wait(seconds: float, what: str, progress: Progress) -> None:
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        progress(what, round(passed), round(seconds))
        time.sleep(min(1.0, seconds - passed))


def _keep_log(operator: Operator) -> None:
    """Leave the log where ``HEADSTART_BENCH_LOG`` names a file."""
    if path := os.environ.get("HEADSTART_BENCH_LOG"):
        shutil.copyfile(operator.log, path)

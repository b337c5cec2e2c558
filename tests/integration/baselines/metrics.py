"""An ``external.metrics.k8s.io`` whose figures are a script, one a request."""

from __future__ import annotations

import json
import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.cluster import CORE
from tests.cluster.credentials import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.cluster import Cluster

VERSION = "/apis/external.metrics.k8s.io/v1beta1"
_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
_SERVICE = "v1beta1.external.metrics.k8s.io"


class Target(NamedTuple):
    """An HPA and the scale of what it scales, as the API has them."""

    hpa: Any
    scale: Any


@dataclass
class Sync:
    """One decision of the controller."""

    time: float
    """When it got its figure, by the monotonic clock, s."""
    replicas: int
    """What was asked for before it: what the syncs up to then had decided."""
    average: float | None = None
    """The figure per replica that there was, as the HPA's status had it afterwards."""


class Script:
    """The figures of one metric, one a sync, and what the controller made of them.

    A sync asks once, so the k-th answer is the k-th sync, and the replicas found at its request are
    what the syncs before have decided. The controller takes the time when it has the figure. Told
    to sync each second it does so after 0.7 to 1.2 s; answers that wait for a beat, a little
    slower, give its decisions a regular time. A sync that finds pods still coming or going gets
    nothing, and changes nothing.
    """

    def __init__(self, figures: Sequence[float], beat: float, read: Callable[[], Target]) -> None:
        """Serve ``figures`` [requests/s], ``beat`` seconds apart; ``read`` asks the API."""
        self.figures = figures
        self.syncs: list[Sync] = []
        self._beat, self._read = beat, read
        self._lock, self._never = threading.Lock(), threading.Event()

    def is_over(self) -> bool:
        """Whether the decision on the last figure is known."""
        return len(self.syncs) > len(self.figures)

    def next(self) -> float | None:
        """Next figure; ``None``: no answer."""
        with self._lock:
            target = self._read()
            if self.syncs and self.syncs[-1].average is None:
                self.syncs[-1].average = _average(target.hpa)
            replicas = target.scale["spec"]["replicas"]
            if self.is_over() or target.scale["status"]["replicas"] != replicas:
                return None
            now = time.monotonic()
            due = self.syncs[-1].time + self._beat if self.syncs else now
            self._never.wait(max(due - now, 0.0))
            k = len(self.syncs)
            self.syncs.append(Sync(time.monotonic(), replicas))
            return self.figures[k] if k < len(self.figures) else None


def _average(hpa: Any) -> float:
    """Figure per replica in an HPA's status, requests/s; NaN: it had none."""
    metrics = hpa["status"].get("currentMetrics") or [{}]
    value = metrics[0].get("external", {}).get("current", {}).get("averageValue", "nan")
    return float(value[:-1]) / 1000 if value.endswith("m") else float(value)


class MetricsApi:
    """Serves scripts to a cluster's controller-manager; use it as a context manager."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        """Describe an API that is registered through a Service in ``namespace``."""
        self._cluster, self._namespace = cluster, namespace
        self.scripts: dict[str, Script] = {}
        scripts = self.scripts

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                metric = path.rpartition("/")[2]
                if path == VERSION:
                    self._answer(200, {"kind": "APIResourceList", "resources": []})
                elif metric in scripts and (figure := scripts[metric].next()) is not None:
                    self._answer(200, _values(metric, figure))
                else:
                    self._answer(404, {"kind": "Status", "status": "Failure", "code": 404})

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        certificate, key = Authority.create(folder).serving("metrics")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        """Listen, and have the API server pass on what is asked of this API."""
        self._thread.start()
        service = {
            "metadata": {"name": "metrics"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }
        self._cluster.api.create(f"{CORE}/namespaces/{self._namespace}/services", service)
        port = self._server.server_address[1]
        registration = {
            "metadata": {"name": _SERVICE},
            "spec": {
                "group": "external.metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"namespace": self._namespace, "name": "metrics", "port": port},
            },
        }
        self._cluster.api.create(_SERVICES, registration)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the registration back first: namespaces cannot end while an API is unreachable."""
        self._cluster.api.delete(f"{_SERVICES}/{_SERVICE}")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def available(self) -> bool:
        """Whether the API server has found it."""
        status = self._cluster.api.get(f"{_SERVICES}/{_SERVICE}").get("status", {})
        conditions = {c["type"]: c["status"] for c in status.get("conditions", [])}
        return conditions.get("Available") == "True"


def _values(metric: str, figure: float) -> dict[str, Any]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    item = {
        "metricName": metric,
        "metricLabels": {},
        "timestamp": now,
        "value": f"{round(figure * 1000)}m",
    }
    return {
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [item],
    }

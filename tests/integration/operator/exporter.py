"""A service that counts its requests: what Prometheus scrapes in these tests."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from tests.cluster.listening import Listening, Quiet

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Counter:
    """Counts at a rate that can be changed; exact, whenever it is read."""

    def __init__(self, rate: float) -> None:
        self._count, self._rate, self._since = 0.0, rate, time.time()

    def set(self, rate: float) -> None:
        self._count, self._since = self.read(), time.time()
        self._rate = rate

    def read(self) -> float:
        return self._count + self._rate * (time.time() - self._since)


class Exporter(Listening, Collector):
    """Exposes ``requests_total{service}`` on a free port; use it as a context manager."""

    def __init__(self) -> None:
        """Describe it; nothing listens yet."""
        self.hidden = False
        """Whether scrapes fail, as where nobody finds the target any more."""
        exporter = self
        self._counters: dict[str, _Counter] = {}
        self._lock = threading.Lock()
        registry = CollectorRegistry()
        registry.register(self)

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(503 if exporter.hidden else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(generate_latest(registry))

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    def set(self, service: str, rate: float | None) -> None:
        """Let requests arrive at ``rate`` per second; ``None`` ends the series."""
        with self._lock:
            if rate is None:
                self._counters.pop(service, None)
            elif service in self._counters:
                self._counters[service].set(rate)
            else:
                self._counters[service] = _Counter(rate)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Count, at the moment of the scrape."""
        family = CounterMetricFamily("requests", "Requests that arrived", labels=["service"])
        with self._lock:
            for service, counter in self._counters.items():
                family.add_metric([service], counter.read())
        yield family

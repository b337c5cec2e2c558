"""A service that counts its requests: what Prometheus scrapes in these tests."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

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


class Exporter(Collector):
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

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(503 if exporter.hidden else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(generate_latest(registry))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """Where it listens, ``host:port``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

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

"""Services whose request rates swing slowly, each in its own phase: what Prometheus scrapes."""

from __future__ import annotations

import math
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.cluster.listening import Listening, Quiet

# A third up and down in half an hour: with five requests/s per replica and three replicas, each
# service is scaled every few minutes, as a busy afternoon would.
PERIOD = 1800.0
SWING = 0.33


class Traffic(Listening):
    """Exposes ``requests_total{service}`` for many services; use it as a context manager.

    Written by hand: prometheus_client would take a core for 5,000 services.
    """

    def __init__(self, services: list[str], rate: float) -> None:
        """Describe services of ``rate`` requests/s in the mean; nothing listens yet."""
        self._rate = rate
        self._phases = {name: 2 * math.pi * k / len(services) for k, name in enumerate(services)}
        self._start = time.time()
        text = self._text

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = text().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))

    def _text(self) -> str:
        """Count; the integral of ``rate * (1 + SWING * sin)``."""
        passed = time.time() - self._start
        pace = 2 * math.pi / PERIOD
        lines = ["# TYPE requests_total counter"]
        for name, phase in self._phases.items():
            swing = SWING / pace * (math.cos(phase) - math.cos(phase + pace * passed))
            lines.append(f'requests_total{{service="{name}"}} {self._rate * (passed + swing):.3f}')
        return "\n".join(lines) + "\n"

"""What stands in front of a real Prometheus in real life: it forwards, and sometimes it fails."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx

from tests.cluster.listening import Listening, Quiet

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    Fault = Callable[[BaseHTTPRequestHandler, bytes], None]


class Gateway(Listening):
    """Forwards to a Prometheus; use it as a context manager.

    Attributes
    ----------
    faults
        What to do instead of answering, for the next requests in turn; ``None``: answer.
    paths
        Of all requests.
    headers
        Of the last request.
    """

    def __init__(self, upstream: str) -> None:
        self.faults: list[Fault | None] = []
        self.paths: list[str] = []
        self.headers: dict[str, str] = {}
        gateway = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.paths.append(self.path)
                gateway.headers = dict(self.headers)
                real = httpx.get(upstream + self.path, trust_env=False, timeout=30)
                fault = gateway.faults.pop(0) if gateway.faults else None
                if fault:
                    fault(self, real.content)
                else:
                    answer(self, real.content, real.status_code)

        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), Handler))


def answer(request: BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    """Answer as Prometheus did, with its status or another."""
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def unavailable(request: BaseHTTPRequestHandler, _body: bytes) -> None:
    """Answer as a load balancer does while Prometheus restarts."""
    answer(request, b"no healthy upstream", 503)


def broken_off(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """Close the connection in the middle of the answer."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[: len(body) // 2])
    request.close_connection = True


def timed_out(request: BaseHTTPRequestHandler, _body: bytes) -> None:
    """Answer as Prometheus does when --query.timeout has passed."""
    said = b'{"status":"error","errorType":"timeout","error":"query timed out in query execution"}'
    answer(request, said, 503)


def hang(released: threading.Event) -> Fault:
    """Say nothing until the test is over."""

    def fault(request: BaseHTTPRequestHandler, _body: bytes) -> None:
        released.wait(30)
        request.close_connection = True

    return fault


def redirect(request: BaseHTTPRequestHandler, _body: bytes) -> None:
    """Send the client elsewhere, as a login page does."""
    request.send_response(302)
    request.send_header("Location", "http://login.example/")
    request.send_header("Content-Length", "0")
    request.end_headers()


def login_page(request: BaseHTTPRequestHandler, _body: bytes) -> None:
    """Answer 200 with what is no JSON."""
    answer(request, b"<html>Please log in</html>")

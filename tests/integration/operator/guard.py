"""A guard in front of Prometheus, where there are tokens and tenants: it lets in, or does not."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.cluster.credentials import Authority
from tests.cluster.listening import Listening, Quiet

if TYPE_CHECKING:
    from pathlib import Path


class Request(NamedTuple):
    """What somebody asked for, and with what."""

    path: str
    query: str
    headers: dict[str, str]


class Guard(Listening):
    """HTTPS in front of a Prometheus; use it as a context manager.

    Attributes
    ----------
    wants
        By path prefix: headers that a request must have to be let in.
    requests
        All of them, also those that were not let in.
    """

    scheme = "https"

    def __init__(self, upstream: str, folder: Path) -> None:
        """Make a certificate; its authority's lies at ``ca``."""
        self.wants: dict[str, dict[str, str]] = {}
        self.requests: list[Request] = []
        authority = Authority.create(folder)
        self.ca = authority.path
        guard = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                prefix, slash, rest = self.path[1:].partition("/")
                (query,) = parse_qs(urlsplit(self.path).query).get("query", [""])
                headers = {name.lower(): value for name, value in self.headers.items()}
                guard.requests.append(Request(f"/{prefix}", query, headers))
                if prefix == "moved":
                    self._answer(HTTPStatus.FOUND, b"", Location=f"{guard.url}/stolen/{rest}")
                    return
                wanted = guard.wants.get(f"/{prefix}", {})
                if any(headers.get(name) != value for name, value in wanted.items()):
                    # As a debugging proxy does: it says back what it was asked.
                    self._answer(HTTPStatus.BAD_REQUEST, str(self.headers).encode())
                    return
                real = httpx.get(f"{upstream}{slash}{rest}", trust_env=False, timeout=30)
                self._answer(real.status_code, real.content)

            def _answer(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that does not trust us hangs up: that is one of the tests."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.serving("guard"))
        server = Server(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        super().__init__(server)

    def asked(self, path: str, query: str) -> list[Request]:
        """Requests under a path for a query."""
        return [r for r in list(self.requests) if (r.path, r.query) == (path, query)]

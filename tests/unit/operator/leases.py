"""An API server with one Lease, as far as an election sees it: resource versions and conflicts.

The real one is in the tests of faults; here the clock has to be the test's.
"""

from __future__ import annotations

import copy
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from tests.cluster.listening import Listening

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "/apis/coordination.k8s.io/v1/namespaces/ops/leases"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(self.server.leases.get())

    def do_POST(self) -> None:
        self._answer(self.server.leases.put(json.loads(self._body())))

    def do_PUT(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        self.server.leases.requests.append((self.path, self._body()))
        self._answer((HTTPStatus.OK, {}))

    def log_message(self, *_: object) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while True:
            size = int(self.rfile.readline() or b"x", 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return body

    def _answer(self, answer: tuple[int, dict[str, Any]]) -> None:
        status, document = answer
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, leases: Leases) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.leases = leases

    def handle_error(self, *_: object) -> None:
        """Say nothing: a body without its end is what a test wants to see."""


class Leases(Listening):
    """Serves one Lease; use it as a context manager."""

    def __init__(self) -> None:
        """Describe it; nothing listens yet."""
        self.lease: dict[str, Any] | None = None
        self.away = False
        self.requests: list[tuple[str, bytes]] = []
        super().__init__(_Server(self))

    @property
    def configuration(self) -> client.Configuration:
        """How it is reached."""
        configuration = client.Configuration()
        configuration.host = self.url
        configuration.retries = False
        return configuration

    @property
    def holder(self) -> str:
        """Who holds the lease."""
        return str((self.lease or {}).get("spec", {}).get("holderIdentity", ""))

    def get(self) -> tuple[int, dict[str, Any]]:
        """Answer a GET."""
        if self.away:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"code": 503, "message": "away"}
        if self.lease is None:
            return HTTPStatus.NOT_FOUND, {"code": 404, "message": "there is none"}
        return HTTPStatus.OK, self.lease

    def put(self, lease: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer a PUT or a POST."""
        if self.away:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"code": 503, "message": "away"}
        old = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if lease["metadata"].get("resourceVersion") != old:
            return HTTPStatus.CONFLICT, {"code": 409, "message": "it has changed"}
        lease["metadata"]["resourceVersion"] = str(int(old or 0) + 1)
        self.lease = lease
        return HTTPStatus.OK, lease


class InProcess:
    """The three calls of the library's lock, on a lease without HTTP: for thousands of steps."""

    def __init__(self) -> None:
        """Begin without a lease."""
        self.lease: client.V1Lease | None = None
        self._version = 0
        self.deaf = self.away = False
        # Called before a write is carried out, and before it is answered.
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None

    def read_namespaced_lease(self, *_: str) -> client.V1Lease:
        """Answer a GET."""
        if self.away:
            raise ApiException(status=HTTPStatus.SERVICE_UNAVAILABLE)
        if self.lease is None:
            missing = ApiException(status=HTTPStatus.NOT_FOUND)
            missing.body = '{"code": 404}'
            raise missing
        return copy.deepcopy(self.lease)

    def create_namespaced_lease(self, namespace: str, body: client.V1Lease) -> client.V1Lease:
        """Answer a POST."""
        return self.replace_namespaced_lease("", namespace, body)

    def replace_namespaced_lease(
        self, name: str, namespace: str, body: client.V1Lease
    ) -> client.V1Lease:
        """Answer a PUT; while deaf, it is carried out and nobody is told."""
        del name, namespace
        self.before()
        if self.away:
            raise ApiException(status=HTTPStatus.SERVICE_UNAVAILABLE)
        version = str(self._version) if self.lease else None
        assert body.metadata is not None
        if body.metadata.resource_version != version:
            raise ApiException(status=HTTPStatus.CONFLICT)
        self._version += 1
        body.metadata.resource_version = str(self._version)
        self.lease = copy.deepcopy(body)
        self.after()
        if self.deaf:
            raise ApiException(status=HTTPStatus.GATEWAY_TIMEOUT)
        return copy.deepcopy(self.lease)

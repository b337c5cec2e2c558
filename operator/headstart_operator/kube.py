"""The Kubernetes API as JSON in, JSON out, on the kubernetes client's connection.

The typed client knows Deployments and StatefulSets; this operator scales anything that has a scale
subresource, so it speaks of paths and documents. Every call blocks: call it from a thread.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from http import HTTPStatus
from time import perf_counter, time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
import yaml
from kubernetes import client, config

from headstart_operator.leadership.clock import ServerClock
from headstart_operator.leadership.fence import Fence, FencedError, boottime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from headstart_operator.leadership.fence import Write

# Who we are in managedFields and in events.
FIELD_MANAGER = "headstart"
TIMEOUT = 10.0
CONNECTIONS = 32

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

Document = dict[str, Any]

# The client takes a file's shape on trust: what is something else fails where it is looked into.
_NO_KUBECONFIG = (AttributeError, OSError, TypeError, ValueError, yaml.YAMLError)


class ApiError(Exception):
    """The API server refused, or could not be reached.

    Attributes
    ----------
    status
        The HTTP status; 0 where there was no answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def unreachable(self) -> bool:
        """Whether there was no answer, or none that speaks of the request."""
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def read_kubeconfig(file: Path | None = None, context: str | None = None) -> client.Configuration:
    """Read how to reach a cluster, as kubectl does.

    Parameters
    ----------
    file
        ``None``: what ``KUBECONFIG`` names, or ``~/.kube/config``.
    context
        Of the file; ``None``: its current one.

    Raises
    ------
    kubernetes.config.ConfigException
        There is no such file, no such context in it, or it is no kubeconfig.
    """
    configuration = client.Configuration()
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            str(file) if file else None, context, client_configuration=configuration
        )
    except _NO_KUBECONFIG as error:
        named = file or os.environ.get("KUBECONFIG", "~/.kube/config")
        raise config.ConfigException(f"{named} is no kubeconfig: {error}") from error
    return configuration


class Api:
    """A connection to the API server, safe to share between threads.

    Attributes
    ----------
    fence
        Asked before anything is written; open where there is no election.
    observe
        Takes each request's verb, HTTP status (0: no answer) and seconds.
    configuration
        How the API server is reached, for those who bring a client of their own.
    """

    def __init__(self, configuration: client.Configuration, fence: Fence | None = None) -> None:
        configuration.connection_pool_maxsize = CONNECTIONS
        # What is repeated may be repeated after it has become wrong.
        configuration.retries = False
        self.observe: Callable[[str, int, float], object] = lambda *_: None
        self.configuration = configuration
        self.fence = fence or Fence.open()
        self._clock = ServerClock()
        self._configuration = configuration
        self._pool = client.ApiClient(configuration).rest_client.pool_manager

    @classmethod
    def connect(cls, fence: Fence | None = None) -> Api:
        """Use the pod's ServiceAccount, or else the kubeconfig that ``KUBECONFIG`` names.

        Raises
        ------
        kubernetes.config.ConfigException
            There is neither.
        """
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            configuration = read_kubeconfig()
        return cls(configuration, fence)

    def get(self, path: str, *, accept: str = "application/json", **query: str) -> Document:
        """Get one document.

        Raises
        ------
        ApiError
            Not found, forbidden, unreachable, ...
        """
        return self._request("GET", path, query, headers={"Accept": accept})

    @contextmanager
    def stream(
        self, path: str, silent: float, *, accept: str = "application/json", **query: str
    ) -> Iterator[Iterator[Document]]:
        """Get documents, one a line, while the block lasts and the API server has more to tell.

        Raises
        ------
        ApiError
            Refused, or cut off, or nothing came for ``silent`` seconds.
        """
        url = f"{self._configuration.host}{path}?{urlencode(query)}"
        headers = {"Accept": accept, **self._authorization()}
        timeout = urllib3.Timeout(connect=TIMEOUT, read=silent)
        try:
            response = self._pool.request(
                "GET", url, headers=headers, timeout=timeout, retries=False, preload_content=False
            )
            try:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise ApiError(response.status, response.data[:300].decode(errors="replace"))
                yield _lines(response)
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiError(0, f"the stream was cut: {error}") from error

    def post(self, path: str, body: Document) -> Document:
        """Create an object; errors as for :meth:`get`, or fenced."""
        with self._write() as write:
            query = {"fieldManager": FIELD_MANAGER}
            return self._request("POST", path, query, body=body, write=write)

    def patch(self, path: str, body: Document | list[Document], content_type: str) -> Document:
        """Patch an object; errors as for :meth:`post`, status 409 or 422 when it has changed."""
        with self._write() as write:
            query = {"fieldManager": FIELD_MANAGER}
            return self._request(
                "PATCH", path, query, body=body, content_type=content_type, write=write
            )

    def skew(self) -> float:
        """Say how far this machine's clock is ahead of the API server's, s."""
        return self._clock.skew(time(), boottime())

    @contextmanager
    def _write(self) -> Iterator[Write]:
        try:
            with self.fence.write() as write:
                yield write
        except FencedError as error:
            raise ApiError(0, str(error)) from error

    def _authorization(self) -> dict[str, str]:
        # Read each time: a ServiceAccount's token is rotated every hour.
        settings: Any = self._configuration.auth_settings()
        return {setting["key"]: setting["value"] for setting in settings.values()}

    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        *,
        body: Document | list[Document] | None = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        write: Write | None = None,
    ) -> Document:
        timeout = TIMEOUT if write is None else min(TIMEOUT, write.left())
        if timeout < TIMEOUT:
            # The API server is to give up as well: it would wait a minute for a slow etcd.
            query = {**query, "timeout": f"{timeout:.3f}s"}
        url = f"{self._configuration.host}{path}?{urlencode(query)}"
        auth = self._authorization()
        start, status = perf_counter(), 0
        try:
            response = self._pool.request(
                method,
                url,
                body=None if write is None else _fenced(json.dumps(body).encode(), write),
                headers={"Content-Type": content_type, **auth, **(headers or {})},
                timeout=urllib3.Timeout(total=timeout),
                retries=False,
            )
            status = response.status
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, f"the API server cannot be reached: {error}") from error
        finally:
            self.observe(method, status, perf_counter() - start)
        self._clock.note(response.headers.get("Date"), boottime())
        try:
            document = json.loads(response.data)
        except ValueError:
            document = {"message": response.data[:200].decode(errors="replace")}
        if response.status >= HTTPStatus.BAD_REQUEST:
            message = document.get("message") or f"HTTP status {response.status}"
            raise ApiError(response.status, message)
        return dict(document)


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[Document]:
    """Read documents from a stream, one a line."""
    rest = b""
    for chunk in response.stream(2**16):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield json.loads(line)


def _fenced(body: bytes, write: Write) -> Iterator[bytes]:
    """Send a body in a chunk, and its end only while the fence still allows it.

    Connecting, the handshake of TLS and the headers are done when the first chunk is asked for; and
    a body without its end is never carried out. What remains is the time from the second look to
    the kernel taking five bytes.
    """
    write.left()
    yield body
    write.left()

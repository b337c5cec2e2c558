"""A gate between an operator and the API server: it passes all on, until it is told to fail."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import aiohttp
from aiohttp import web

from tests.cluster import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster import Cluster

WRITES = frozenset({"POST", "PUT", "PATCH"})
# What belongs to one connection and not to what it carries.
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
# What breaks here is broken on purpose.
logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
_REASONS = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError"}


@dataclass(frozen=True)
class Storm:
    """Requests that are answered with an error.

    Attributes
    ----------
    status
        Of the answers. A 409 answers writes only.
    share
        Of the requests, 0 to 1.
    """

    status: int
    share: float


class Gate:
    """Serves the API server's TLS on a port of its own; use it as a context manager.

    What passes carries the gate's name as its user agent, so that the audit log tells whose it is.
    """

    def __init__(self, cluster: Cluster, name: str) -> None:
        """Describe it; nothing listens yet."""
        self.name = name
        self.storm: Storm | None = None
        self.refused = 0
        self._server = cluster.server
        self._upstream = ssl.create_default_context(cafile=str(cluster.ca))
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate, key = cluster.credentials.authority.serving(f"gate-{name}")
        self._context.load_cert_chain(certificate, key)
        self._port = free_port()
        self._dice = random.Random(name)  # noqa: S311 - the same storm each time.
        self._open: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"gate {name}", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self._port}"

    def kubeconfig(self, cluster: Cluster, token: str, namespace: str) -> Path:
        """Write a kubeconfig that leads through it."""
        path = cluster.folder / "kubeconfigs" / f"gate-{self.name}.yaml"
        return cluster.credentials.kubeconfig(path, self.url, token, namespace)

    def cut(self) -> None:
        """Break every connection that is open, watches above all."""

        def abort() -> None:
            for transport in list(self._open):
                transport.abort()

        self._loop.call_soon_threadsafe(abort)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self._up.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._up.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())

    async def _serve(self) -> None:
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._upstream, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._context).start()

    async def _end(self) -> None:
        await self._runner.cleanup()
        await self._client.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        # aiohttp lets go of TLS connections only some turns of the loop after it was told to.
        await asyncio.sleep(0.25)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, or refuse it."""
        body = await request.read()
        storm = self.storm
        strikes = storm and (storm.status != HTTPStatus.CONFLICT or request.method in WRITES)
        if storm and strikes and self._dice.random() < storm.share:
            self.refused += 1
            return _refusal(storm.status)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
        headers["User-Agent"] = self.name
        transport = request.transport
        assert transport is not None
        self._open.add(transport)
        try:
            async with self._client.request(
                request.method,
                self._server + request.raw_path,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=("Accept-Encoding", "Content-Type"),
            ) as answer:
                return await _stream(request, answer)
        except aiohttp.ClientError:
            # The API server is away: so is its gate.
            transport.abort()
            raise
        finally:
            self._open.discard(transport)


async def _stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(
        status=answer.status,
        headers={k: v for k, v in answer.headers.items() if k.lower() not in _HOP},
    )
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


def _refusal(status: int) -> web.Response:
    document = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "the storm",
        "reason": _REASONS[status],
        "code": status,
    }
    headers = {"Retry-After": "1"} if status == HTTPStatus.TOO_MANY_REQUESTS else None
    return web.json_response(document, status=status, headers=headers)

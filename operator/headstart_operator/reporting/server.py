"""/metrics, /healthz and /readyz."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from headstart_operator.reporting.metrics import Metrics


async def serve(
    host: str, port: int, metrics: Metrics, healthy: Callable[[], bool], ready: Callable[[], bool]
) -> web.AppRunner:
    """Listen until the runner is cleaned up.

    Raises
    ------
    OSError
        The port is taken, or may not be listened on.
    """

    async def show(request: web.Request) -> web.Response:
        # In a thread: 1,000 policies have 25,000 series, and no decision waits for their text.
        text = await asyncio.to_thread(metrics.expose, request.query.getall("name[]", []))
        return web.Response(body=text, content_type="text/plain", charset="utf-8")

    def probe(check: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            holds = check()
            status = HTTPStatus.OK if holds else HTTPStatus.SERVICE_UNAVAILABLE
            return web.Response(status=status, text="ok\n" if holds else "not yet\n")

        return answer

    app = web.Application()
    app.router.add_get("/metrics", show)
    app.router.add_get("/healthz", probe(healthy))
    app.router.add_get("/readyz", probe(ready))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner

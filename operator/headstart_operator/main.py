"""Runs the parts together: kopf's watch in a thread, the controller and the server beside it."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, cast

import kopf

from headstart_operator import handlers
from headstart_operator.controller import Controller
from headstart_operator.leadership.election import Election
from headstart_operator.reporting import server
from headstart_operator.reporting.metrics import Metrics
from headstart_operator.settings import STOP_WITHIN, kopf_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headstart_operator.kube import Api
    from headstart_operator.service import Key
    from headstart_operator.settings import Settings

# A loop that has not looked for work for so many seconds is stuck.
STUCK_AFTER = 30.0
# For how long a thread may keep others from running, s.
SWITCH_INTERVAL = 0.0002

_log = logging.getLogger(__name__)


class Watch:
    """kopf in a thread and a loop of its own.

    In a loop that it shares it takes the signals, and on its way out waits five seconds for every
    task that it did not start.
    """

    def __init__(
        self, settings: Settings, controller: Controller, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._settings = settings
        self._controller = controller
        self._loop = loop
        self._stop = threading.Event()
        self.ready = threading.Event()
        self.ended = asyncio.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; it may take a moment."""
        self._stop.set()

    def upsert(self, key: Key, policy: Mapping[str, Any]) -> None:
        """Hand a policy over to the controller's thread."""
        self._loop.call_soon_threadsafe(self._controller.upsert, key, policy)

    def forget(self, key: Key, uid: str) -> None:
        """Hand a policy's end over to the controller's thread."""
        self._loop.call_soon_threadsafe(self._controller.forget, key, uid)

    def _run(self) -> None:
        registry = kopf.OperatorRegistry()
        handlers.register(registry, self)
        try:
            kopf.run(
                registry=registry,
                settings=kopf_settings(),
                # Or it asks for the user's name, and a container's number has none: it would end.
                identity=cast("Any", self._settings.pod),
                standalone=True,
                clusterwide=not self._settings.namespaces,
                namespaces=self._settings.namespaces,
                ready_flag=self.ready,
                stop_flag=self._stop,
            )
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process must end.
            self.error = error
        self._loop.call_soon_threadsafe(self.ended.set)


async def run(api: Api, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises
    ------
    Exception
        The watch, the loop or the server failed.
    """
    # While a thread writes 25,000 series for a scrape, the loop waits this long for its turn after
    # each answer from the network; at the default of 5 ms its decisions would be a second late.
    sys.setswitchinterval(SWITCH_INTERVAL)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics = Metrics()
    controller = Controller(api, settings, metrics)
    watch = Watch(settings, controller, loop)
    runner = await server.serve(
        settings.host,
        settings.port,
        metrics,
        healthy=lambda: time.time() - controller.beat < STUCK_AFTER,
        ready=watch.ready.is_set,
    )
    watch.start()
    broken: asyncio.Future[None] = loop.create_future()
    election = _stand(api, settings, controller, broken)
    work: dict[str, asyncio.Future[Any]] = {
        "election": broken,
        "stop": asyncio.create_task(stop.wait()),
        "watch": asyncio.create_task(watch.ended.wait()),
        "loop": asyncio.create_task(controller.run()),
    }
    _log.info("serving on %s:%d", settings.host, settings.port)
    await asyncio.wait(work.values(), return_when=asyncio.FIRST_COMPLETED)
    _log.info("stopping")
    watch.stop()
    for task in (work["stop"], work["watch"]):
        task.cancel()
    failures = [work[name].exception() for name in ("loop", "election") if work[name].done()]
    failed = next((error for error in failures if error), watch.error)
    work["loop"].cancel()
    await controller.close(STOP_WITHIN)
    if election is not None:
        await asyncio.to_thread(election.release, STOP_WITHIN)
    await runner.cleanup()
    if failed is not None:
        raise failed


def _stand(
    api: Api, settings: Settings, controller: Controller, broken: asyncio.Future[None]
) -> Election | None:
    """Lead at once where there is no election; else begin to stand for it."""
    if settings.election is None:
        controller.lead()
        return None
    # Another name after each start: what the one before still has under way is not ours.
    identity = f"{settings.pod}_{uuid.uuid4()}"
    election = Election(api.configuration, settings.election, identity, api.fence)
    call = broken.get_loop().call_soon_threadsafe
    election.start(
        lead=lambda: call(controller.lead),
        follow=lambda: call(controller.follow),
        fail=lambda error: call(broken.set_exception, error),
    )
    return election

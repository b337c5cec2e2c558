"""Tasks of the loop, and the threads in which they wait for the API server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from headstart_operator.service import Key

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
Tasks = dict[Key, asyncio.Task[None]]

# Calls to the API server in flight.
KUBE_THREADS = 16
STATUS_THREADS = 4


class Work:
    """What one event loop has under way.

    Attributes
    ----------
    others
        Tasks that belong to no tick.
    """

    def __init__(self) -> None:
        self.others: set[asyncio.Task[None]] = set()
        self._kube = ThreadPoolExecutor(KUBE_THREADS, thread_name_prefix="kubernetes")
        # Threads of their own: a scale waits for no status.
        self._statuses = ThreadPoolExecutor(STATUS_THREADS, thread_name_prefix="status")

    @staticmethod
    def keep(tasks: Tasks, key: Key, work: Coroutine[Any, Any, None]) -> None:
        """Start the only task of its kind for a policy; it is listed while it runs."""
        task = tasks[key] = asyncio.create_task(work)

        def done(_: asyncio.Task[None]) -> None:
            if tasks.get(key) is task:
                del tasks[key]

        task.add_done_callback(done)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task that nobody waits for."""
        task = asyncio.create_task(work)
        self.others.add(task)
        task.add_done_callback(self.others.discard)

    async def blocking(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._kube, call, *arguments)

    async def writing_status(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call in a thread for statuses."""
        return await asyncio.get_running_loop().run_in_executor(self._statuses, call, *arguments)

    def close(self) -> None:
        """Let the threads go without waiting for them."""
        for pool in (self._kube, self._statuses):
            pool.shutdown(wait=False, cancel_futures=True)

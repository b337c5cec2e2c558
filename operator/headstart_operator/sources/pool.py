"""One Prometheus address: its client, and threads that no other address can take away."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING

from headstart_operator.sources.prometheus import Answer, Prometheus, RateError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_operator.history import Gap

# Queries in flight at one address, and seconds that one may take.
THREADS = 8
LONGEST = 10.0


class Source:
    """Asks one Prometheus without blocking the event loop.

    The threads belong to the address: an address that does not answer holds up the policies that
    ask there, and no others.
    """

    def __init__(self, address: str, observe: Callable[[str, float], object]) -> None:
        """Connect to ``address`` when asked; ``observe`` takes each query's outcome and seconds."""
        self._prometheus = Prometheus(address, LONGEST)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prometheus")
        self._observe = observe
        # History is fetched by one policy at a time, so that a restart with 1,000 policies does
        # not look like an attack to Prometheus.
        self.backfill = asyncio.Lock()

    async def rates(self, query: str, gap: Gap, within: float) -> Answer:
        """Ask for the rates of a gap.

        Raises
        ------
        RateError
            There is no usable answer, or none within ``within`` seconds.
        """
        start = perf_counter()
        outcome = "ok"
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(
                loop.run_in_executor(self._threads, self._prometheus.rates, query, *gap), within
            )
        except TimeoutError as error:
            outcome = Reason.TIMEOUT
            raise RateError(
                Reason.TIMEOUT, f"{self._prometheus.address} did not answer within {within:g} s"
            ) from error
        except RateError as error:
            outcome = error.reason
            raise
        finally:
            self._observe(outcome, perf_counter() - start)

    def close(self) -> None:
        """Let the threads go without waiting for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)

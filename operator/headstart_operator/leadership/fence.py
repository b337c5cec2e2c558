"""The fence: no write later than the last confirmed renewal of the lease plus the renew deadline.

An election alone does not keep a lost leader from writing. It was stopped (SIGSTOP, a paused
virtual machine, a laptop's lid) between deciding and sending, the lease expired, another leads,
and it goes on where it was. So each write asks the fence, in the thread that sends it, as the last
thing before its last byte.

Pure but for the clock that it is given.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A write with less left than this is not begun, s: an answer takes some milliseconds.
LEAST = 0.1


def boottime() -> float:
    """Return seconds since the start of the machine, those in which it slept included.

    Not the wall clock, which people and NTP set; not CLOCK_MONOTONIC, which stands still while
    the machine is suspended and would let the leader of yesterday write today.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class FencedError(Exception):
    """Nothing may be written: this process does not lead, or not any more."""


class Write:
    """A write that was begun in one term, and may be sent in that term only."""

    def __init__(self, fence: Fence, term: int) -> None:
        self._fence, self._term = fence, term

    def left(self) -> float:
        """Return the seconds in which it must be done.

        Raises
        ------
        FencedError
            There are none, or another term has begun since.
        """
        left = self._fence.remaining(self._term)
        if left < LEAST:
            raise FencedError("this replica's lease was not renewed in time: nothing is written")
        return left


class Fence:
    """When this process may write. Used by many threads.

    Parameters
    ----------
    deadline
        How long a confirmed renewal allows to write, s. Shorter than the lease by what a request
        may still take at the API server after its sender gave up.
    clock
        Counts suspension, s.
    """

    def __init__(self, deadline: float, clock: Callable[[], float] = boottime) -> None:
        self._deadline = deadline
        self._clock = clock
        self._until = -math.inf
        self._term = 0
        self._ended = False
        self._writing = 0
        self._change = threading.Condition()

    @classmethod
    def open(cls) -> Fence:
        """Make one that always allows to write: for an operator that is alone by declaration."""
        fence = cls(math.inf)
        fence.renewed(0.0)
        return fence

    def renewed(self, asked: float) -> None:
        """Take in a renewal that was confirmed.

        Parameters
        ----------
        asked
            When it was *sent*, by the fence's clock: it may have counted since then.
        """
        with self._change:
            if not self._ended:
                self._until = max(self._until, asked + self._deadline)

    def close(self) -> None:
        """Allow no write any more, nor those that were begun, until the next renewal."""
        with self._change:
            self._until = -math.inf
            self._term += 1

    def end(self) -> None:
        """Close for good: a renewal that is under way must not open it again."""
        with self._change:
            self._ended = True
        self.close()

    def remaining(self, term: int | None = None) -> float:
        """Return for how long it may be written, s; not above 0: it may not.

        Parameters
        ----------
        term
            Of a write that was begun in it; ``None``: the one that is.
        """
        with self._change:
            if term not in {None, self._term}:
                return -math.inf
            return self._until - self._clock()

    @contextmanager
    def write(self) -> Iterator[Write]:
        """Begin a write; raises :class:`FencedError` where there is no time for it."""
        with self._change:
            write = Write(self, self._term)
            self._writing += 1
        try:
            write.left()
            yield write
        finally:
            with self._change:
                self._writing -= 1
                self._change.notify_all()

    def drained(self, within: float) -> bool:
        """Wait ``within`` seconds for the writes that were begun to end; whether they have."""
        with self._change:
            return self._change.wait_for(lambda: self._writing == 0, within)

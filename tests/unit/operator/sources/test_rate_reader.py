"""Seasons are read one policy at a time, and no faster than decisions can bear."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from headstart_operator.service import Key
from headstart_operator.sources.history import Gap, History
from headstart_operator.sources.rate_reader import RateReader
from headstart_operator.work import Work
from headstart_policy.profile import Profile

NOW = 1_700_000_000.0
PROFILE = Profile(capacity=5.0, lead_time=300.0, interval=15.0, seasons=(86_400.0,))
SPEC: Any = SimpleNamespace(
    interval=15.0, rate=SimpleNamespace(prometheus=SimpleNamespace(query="rate", timeout=5.0))
)
# A read of the seasons takes so long, s.
READING = 0.02


class Read(NamedTuple):
    """From when to when the seasons were read, by the loop's clock."""

    began: float
    ended: float


class SlowSource:
    """A Prometheus that takes its time over a chunk of history."""

    def __init__(self) -> None:
        self.backfill = asyncio.Lock()
        self.reads: list[Read] = []

    async def rates(self, query: str, gap: Gap, within: float) -> Any:
        """Answer a tick at once, and a chunk after a while."""
        del query, within
        values = np.full(gap.last - gap.first + 1, 40.0)
        if gap.step > PROFILE.interval:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await asyncio.sleep(READING)
            self.reads.append(Read(began, loop.time()))
        return SimpleNamespace(rates=values, problem=None)


def a_service(name: str) -> Any:
    """Make as much of a service as the reader looks at."""
    return SimpleNamespace(
        key=Key("shop", name),
        history=History(PROFILE),
        rate_problem=None,
        companion=None,
        doubts=lambda _: None,
        blank=lambda: None,
    )


def test_between_two_chunks_of_seasons_others_have_as_much_time() -> None:
    """After a restart 1,000 policies want their seasons, and first of all to be decided for."""

    async def scene() -> tuple[list[Read], list[Any]]:
        source = SlowSource()

        async def of(*_: object) -> SlowSource:
            return source

        sources: Any = SimpleNamespace(of=of)
        work = Work()
        reader = RateReader(sources, work, lambda: NOW)
        services = [a_service(name) for name in ("web", "cart")]
        for service in services:
            await reader.read(service, SPEC, service.history, NOW)
        await asyncio.gather(*reader.backfills.values())
        work.close()
        return source.reads, services

    reads, services = asyncio.run(scene())
    chunks = 2
    assert len(reads) == chunks * len(services)
    for one, other in itertools.pairwise(reads):
        assert other.began - one.ended >= 0.9 * (one.ended - one.began)
    for service in services:
        assert np.isfinite(service.history.coarse.rates).all()

"""Reads what decisions rest on from Prometheus: rates, seasons, and the share of good requests."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING

import numpy as np

from headstart_operator.reporting.status import Problem
from headstart_operator.sources import sli as slis
from headstart_operator.sources.prometheus import MOST_POINTS, RateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_operator.resource import Spec
    from headstart_operator.service import Service
    from headstart_operator.sources.history import History
    from headstart_operator.sources.pool import Source, Sources
    from headstart_operator.work import Tasks, Work

# Seconds after an instant of the grid at which it is asked for. A scrape carries the time at which
# it began and is stored when it ends; asked at once, an instant would have another rate than asked
# later, and a restarted operator would decide otherwise than one that never died.
SETTLE = 0.5
# A query for history is smaller than Prometheus allows, so that it stays quick.
CHUNK_POINTS = 2_000
# A chunk of history that fails so often is given up, s between two tries.
CHUNK_TRIES = 5
CHUNK_PAUSE = 2.0
# A query of the tick may take an interval, but not less than this, s.
LEAST_TIMEOUT = 2.0

_log = logging.getLogger(__name__)


class RateReader:
    """Fills the histories of services.

    Attributes
    ----------
    backfills
        Those whose seasons are being read.
    """

    def __init__(self, sources: Sources, work: Work, clock: Callable[[], float]) -> None:
        self._sources = sources
        self._work = work
        self._clock = clock
        self.backfills: Tasks = {}

    async def read(self, service: Service, spec: Spec, history: History, instant: float) -> None:
        """Fill the newest gap of the history; an error is remembered, not raised."""
        gap = history.recent.gap(instant, MOST_POINTS)
        timeout = min(max(LEAST_TIMEOUT, spec.interval), spec.rate.prometheus.timeout)
        try:
            source = await self._sources.of(
                service.key.namespace, spec.rate.prometheus, self._clock()
            )
            if gap is not None:
                answer = await source.rates(spec.rate.prometheus.query, gap, timeout)
                history.extend(gap, answer.rates)
                problem = answer.problem
                service.rate_problem = Problem(problem.reason, str(problem)) if problem else None
                await self._weigh(service, source, instant, timeout)
        except RateError as error:
            service.rate_problem = Problem(error.reason, str(error))
            return
        if history.coarse.lag(instant) > 0 and service.key not in self.backfills:
            work = self._backfill(service, spec, history)
            self._work.keep(self.backfills, service.key, work)

    async def _weigh(self, service: Service, source: Source, instant: float, within: float) -> None:
        """Where the rate fell suddenly, ask whether its targets vanished."""
        gap, companion = service.doubts(instant), service.companion
        if gap is not None and companion is not None:
            try:
                answer = await source.rates(companion.query, gap, within)
                service.weigh(gap, answer.rates)
            except RateError as error:
                _log.warning("%s/%s: targetsQuery: %s", *service.key, error)
        service.blank()

    def ask_sli(self, service: Service, spec: Spec, instant: float) -> None:
        """Ask for the share of good requests, where one is to be had; it is for the next decision.

        Beside the tick: an sli that is slow to evaluate must not delay what is decided.
        """
        sli, gap = spec.objective.sli, slis.due(instant, spec.interval, service.phase, service.uid)
        if sli is None or gap is None:
            return
        prometheus = spec.rate.prometheus

        async def ask() -> None:
            share = math.nan
            try:
                source = await self._sources.of(service.key.namespace, prometheus, self._clock())
                answer = await source.rates(sli.query, gap, prometheus.timeout)
                share = slis.share_of(float(answer.rates[-1]))
            except RateError as error:
                _log.warning("%s/%s: sli: %s", *service.key, error)
            service.news = service.news._replace(sample=slis.Sample(instant, share))

        self._work.spawn(ask())

    async def _backfill(self, service: Service, spec: Spec, history: History) -> None:
        """Fetch the past, oldest first, in chunks."""
        grid = history.coarse
        tries = 0
        while history is service.history:
            gap = grid.gap(self._clock() - SETTLE - grid.phase, CHUNK_POINTS)
            if gap is None:
                return
            prometheus = spec.rate.prometheus
            try:
                # Each time anew: credentials rotate while weeks are read.
                source = await self._sources.of(service.key.namespace, prometheus, self._clock())
                async with source.backfill:
                    began = asyncio.get_running_loop().time()
                    answer = await source.rates(prometheus.query, gap, prometheus.timeout)
                    grid.fill(gap, answer.rates)
                    # As long again for others: after a restart with 1,000 policies, their first
                    # decisions want the same core, and the same Prometheus.
                    await asyncio.sleep(asyncio.get_running_loop().time() - began)
                tries = 0
            except RateError as error:
                tries += 1
                _log.warning("%s/%s: history: %s", *service.key, error)
                # A season that cannot be had is a season without history: a normal case. But while
                # the tick's queries fail too, it is Prometheus that cannot be had.
                if tries >= CHUNK_TRIES and service.rate_problem is None:
                    grid.fill(gap, np.full(gap.last - gap.first + 1, np.nan))
                    tries = 0
                await asyncio.sleep(CHUNK_PAUSE)

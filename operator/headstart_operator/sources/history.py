"""The rates of one service: a fine recent tier and a coarse one for the seasons and the day.

Both are grids of instants ``k * step`` since the epoch. A grid remembers through which instant it
has asked, and asks from there: after a start, after an outage of Prometheus or of the operator the
same code fills the same gap, and what was never recorded is not asked for again.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.guardrails import FRESH_INTERVALS
from headstart_policy.observation import (
    MEMORY,
    NOISE_WINDOWS,
    RECENT_WINDOWS,
    RISE_WINDOWS,
    SEASONAL_WINDOWS,
    SEASONS,
    echoes,
    look_around,
    look_back,
    look_far,
    memory_samples,
)
from headstart_policy.series import CumulativeRates

if TYPE_CHECKING:
    from headstart_policy.profile import Profile
    from headstart_policy.types import Floats

# A season's windows are half a lead time wide at least: five samples a lead time tell them
# apart, and a week at a lead time of five minutes is 10,080 samples.
SAMPLES_PER_LEAD_TIME = 5


# Policies are spread over their interval by whole multiples of this, s: a few are due together, and
# are decided for in one batch.
SLOT = 0.25


def phase_of(uid: str, interval: float) -> float:
    """Seconds by which a policy's instants come after the multiples of its interval.

    1,000 policies that were all due at once would each be late by the time that all of them take.
    It follows from the policy alone, so that a restarted operator asks for the same instants. A
    policy's own time runs that much behind, and within it nothing else knows of it.
    """
    slots = max(1, round(interval / SLOT))
    return zlib.crc32(uid.encode()) % slots * SLOT


class Gap(NamedTuple):
    """Instants ``first * step`` to ``last * step`` that were not asked for yet."""

    step: float
    first: int
    last: int
    phase: float = 0.0
    """Each instant is evaluated so many seconds later: :func:`phase_of`."""


class Windows(NamedTuple):
    """What an observation of one service holds of its load."""

    recent: Floats
    roughness: Floats
    seasonal: Floats
    seasonal_roughness: Floats
    extremes: Floats


class Grid:
    """The newest ``length`` rates at multiples of ``step`` seconds; NaN is unknown."""

    def __init__(self, step: float, length: int, phase: float = 0.0) -> None:
        self.step = step
        self.phase = phase
        self.rates: Floats = np.full(length, np.nan)
        # Index (time / step) of the last rate in ``rates``, and through which index was asked.
        self.last = 0
        self.asked = 0

    @property
    def first(self) -> int:
        """Index of the oldest rate kept."""
        return self.last - len(self.rates) + 1

    def gap(self, now: float, most: int) -> Gap | None:
        """Name the oldest instants up to ``now`` that are to be asked for, at most ``most``."""
        newest = math.floor(now / self.step)
        first = max(self.asked + 1, newest - len(self.rates) + 1)
        if first > newest:
            return None
        return Gap(self.step, first, min(newest, first + most - 1), self.phase)

    def fill(self, gap: Gap, rates: Floats) -> None:
        """Take in what was asked for."""
        self._advance(gap.last)
        self.asked = max(self.asked, gap.last)
        # An answer may come when the grid has moved on: its oldest rates are of no use any more.
        useful = rates[max(0, self.first - gap.first) :]
        offset = max(0, gap.first - self.first)
        self.rates[offset : offset + len(useful)] = useful

    def lag(self, now: float) -> int:
        """Count the instants up to ``now`` that were not asked for."""
        return math.floor(now / self.step) - self.asked

    def _advance(self, last: int) -> None:
        ahead = last - self.last
        if ahead <= 0:
            return
        kept = self.rates[min(ahead, len(self.rates)) :]
        self.rates = np.concatenate([kept, np.full(len(self.rates) - len(kept), np.nan)])
        self.last = last


@dataclass
class History:
    """What is known of one service's rate, planned with the profile's lead time."""

    profile: Profile
    phase: float = 0.0
    # Since when rates are asked for, s since the epoch: not known yet is not lost since ever.
    begun: float = -math.inf
    # How often rates that had been decided on were taken back.
    revision: int = field(init=False, default=0)
    recent: Grid = field(init=False)
    coarse: Grid = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the grids."""
        interval, lead_time = self.profile.interval, self.profile.horizon
        reach = -RECENT_WINDOWS.min() * lead_time
        self.recent = Grid(interval, math.ceil(reach / interval) + 2, self.phase)
        # A multiple of the interval, so that the coarse instants are recent ones as well.
        step = interval * max(1, math.floor(lead_time / SAMPLES_PER_LEAD_TIME / interval))
        seasons = np.nan_to_num(self._echoes).max() - SEASONAL_WINDOWS.min() * lead_time
        reach = max(seasons, (MEMORY - np.min(RISE_WINDOWS)) * lead_time)
        self.coarse = Grid(step, math.ceil(reach / step) + 2, self.phase)

    def extend(self, gap: Gap, rates: Floats) -> None:
        """Take in recent rates, and those of them that the coarse grid wants next."""
        self.recent.fill(gap, rates)
        stride = round(self.coarse.step / self.recent.step)
        wanted = self.coarse.gap(gap.last * gap.step, len(self.recent.rates))
        while wanted is not None and wanted.first * stride >= self.recent.first:
            index = wanted.first * stride - self.recent.first
            one = Gap(wanted.step, wanted.first, wanted.first)
            self.coarse.fill(one, self.recent.rates[index : index + 1])
            wanted = self.coarse.gap(gap.last * gap.step, len(self.recent.rates))

    def forget_since(self, time: float) -> None:
        """Take the rates from ``time`` on for unknown: what was measured is not what arrived."""
        decided = False
        for grid in (self.recent, self.coarse):
            first = max(0, math.ceil(time / grid.step) - grid.first)
            # The newest was not decided on yet.
            decided |= bool(np.isfinite(grid.rates[first:-1]).any())
            grid.rates[first:] = np.nan
        self.revision += decided

    def loaded(self, now: float) -> bool:
        """Whether all of the past that Prometheus has was read.

        An interval or two that are late do not count: :data:`FRESH_INTERVALS`.
        """
        return max(self.recent.lag(now), self.coarse.lag(now)) <= FRESH_INTERVALS

    def newest(self, now: float) -> tuple[float, float]:
        """Return the newest known rate, requests/s, and its age, s; NaN and infinity: none."""
        known = np.flatnonzero(np.isfinite(self.recent.rates))
        if not known.size:
            return math.nan, math.inf
        time = (self.recent.first + int(known[-1])) * self.recent.step
        return float(self.recent.rates[known[-1]]), now - time

    def windows(self, now: float) -> Windows:
        """Read what an observation holds of the load at ``now``, a multiple of the interval."""
        grid, lead_time = self.recent, self.profile.horizon
        recent, roughness = look_back(
            CumulativeRates.of(grid.rates[None]),
            _position(grid, now),
            np.array([lead_time / grid.step]),
        )
        around = [self._echo(now, ago) for ago in self._echoes]
        seasonal, then = (np.concatenate(part, axis=1) for part in zip(*around, strict=True))
        then *= self._finer(now, roughness)
        return Windows(recent, roughness, seasonal, then, self._extremes(now))

    def _finer(self, now: float, roughness: Floats) -> float:
        """How rough neighbouring samples are, over how rough coarse ones are in the same time.

        Rates over a minute that are sampled every 15 s overlap: neighbours hardly differ, and those
        of the coarse grid do. Training compares the noise of now with that of a season ago on one
        grid. 1 where it cannot be told.
        """
        grid, fine = self.coarse, float(roughness[0, -1])
        lead_time = self.profile.horizon / grid.step
        start = max(0, len(grid.rates) - math.ceil(NOISE_WINDOWS[-1] * lead_time) - 2)
        sums = CumulativeRates.of(grid.rates[None, start:])
        end = _position(grid, now)[:, None] - start
        coarse = float(sums.roughness(end - NOISE_WINDOWS[-1] * lead_time, end)[0, 0])
        return fine / coarse if coarse > 0 and math.isfinite(fine) else 1.0

    @property
    def _echoes(self) -> Floats:
        """How long ago the moments that are looked at were [s]; NaN: there is none."""
        seasons = np.full(SEASONS, np.nan)
        seasons[: len(self.profile.seasons)] = sorted(self.profile.seasons)
        ago: Floats = echoes(seasons[None])[0]
        return ago

    def _echo(self, now: float, ago: float) -> tuple[Floats, Floats]:
        """Read windows and noise around one moment, shapes (1, 1, W) and (1, 1).

        Only the rates around it are summed.
        """
        grid = self.coarse
        if math.isnan(ago):
            return np.full((1, 1, len(SEASONAL_WINDOWS)), np.nan), np.full((1, 1), np.nan)
        lead_time = self.profile.horizon / grid.step
        moment = float(_position(grid, now)[0]) - ago / grid.step
        start = max(0, math.floor(moment + SEASONAL_WINDOWS.min() * lead_time) - 1)
        end = max(start, math.ceil(moment + SEASONAL_WINDOWS.max() * lead_time) + 1)
        return look_around(
            CumulativeRates.of(grid.rates[None, start:end].astype(np.float64)),
            _position(grid, now) - start,
            np.array([lead_time]),
            np.array([[ago / grid.step]]),
        )

    def _extremes(self, now: float) -> Floats:
        """Read the extremes, shape (1, 3); only the rates that are remembered are summed."""
        grid = self.coarse
        lead_time = self.profile.horizon / grid.step
        reach = memory_samples(lead_time) - math.floor(np.min(RISE_WINDOWS) * lead_time) + 1
        start = max(0, len(grid.rates) - reach)
        sums = CumulativeRates.of(grid.rates[None, start:])
        return look_far(sums, _position(grid, now) - start, lead_time)


def _position(grid: Grid, now: float) -> Floats:
    """Samples from the left edge of the grid to ``now``: a sample covers the step before it."""
    return np.array([now / grid.step - (grid.first - 1)])

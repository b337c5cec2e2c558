"""The same time last season, with a margin: the plan of somebody who knows the service's days."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.reactive import ceil_replicas
from headstart_policy.series import CumulativeRates
from headstart_training.baselines.remembered import remembered
from headstart_training.baselines.seen import known, seen

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints
    from headstart_training.simulator import World

_MARGINS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)
_WINDOWS = (0.0, 600.0, 1800.0, 3600.0)
_TIMES = (1, 2, 3)
# A season is offered for tuning where so much of the load to tune on has one before it.
_LEAST_SHOWN = 0.5


@dataclass(frozen=True)
class Scheduled:
    """Plan for the mean of past seasons and a safety stock of so many standard deviations.

    Parameters
    ----------
    season
        Length of the season [s].
    margin
        Standard deviations above the mean, at least 0.
    window
        Width of the time around the same moment that is looked at [s].
    times
        How many seasons back, at least 1.

    Raises
    ------
    ValueError
        A number is out of its bounds; the message names key, bound and value.

    Notes
    -----
    The newsvendor with normal demand: the best stock is ``mean + z * deviation``, where z is the
    quantile at ``cost of one too few / (cost of one too few + cost of one too many)``. Past rates
    spread in their window, replicas in what they serve; the two variances add. Where violations
    cost thousands of replicas the normal law is not to be believed so far out, so ``margin`` is
    tuned on what it earns instead. Each moment is asked for one lead time ahead, and where no
    season was seen yet, the plan is for the newest rate.

    Source: K. Arrow, T. Harris, J. Marschak, Optimal inventory policy, Econometrica 19 (1951);
    E. Porteus, Foundations of Stochastic Inventory Theory (2002), chapter 1.
    """

    season: float
    margin: float
    window: float = 0.0
    times: int = 1

    def __post_init__(self) -> None:
        """Refuse what plans nothing."""
        if not self.season > 0:
            raise ValueError(f"season = {self.season}, must be greater than 0 s")
        if self.times < 1:
            raise ValueError(f"times = {self.times}, must be at least 1")
        for key in ("margin", "window"):
            if not (getattr(self, key) >= 0 and math.isfinite(getattr(self, key))):
                raise ValueError(f"{key} = {getattr(self, key)}, must be finite and at least 0")

    def __str__(self) -> str:
        """Say what was planned from."""
        return (
            f"same time in the last {self.times} seasons of {self.season / 3600:g} h, a window of"
            f" {self.window / 60:g} min, {self.margin:g} standard deviations above"
        )

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T)."""
        mean, variance = _then(world, self.season, self.window, self.times)
        newest = known(world)
        planned = self._replicas(world, mean, variance)
        desired = np.stack(
            [_ahead(row, lead) for row, lead in zip(planned, world.lead_steps, strict=True)]
        )[:, : world.steps]
        reactive = self._replicas(world, newest, np.zeros_like(newest))
        reactive = np.where(np.isnan(newest), world.initial[:, None], reactive)
        unknown = np.isnan(mean[:, : world.steps])
        return np.where(unknown, np.maximum(reactive, desired), desired)

    def _replicas(self, world: World, mean: Floats, variance: Floats) -> Ints:
        noise, capacity = world.profiles.capacity_noise[:, None], world.profiles.capacity[:, None]
        deviation = np.sqrt(variance + (noise * mean) ** 2)
        return ceil_replicas(np.nan_to_num(mean + self.margin * deviation) / capacity)


@remembered
def _then(world: World, length: float, window: float, times: int) -> tuple[Floats, Floats]:
    """Mean and variance of the rates around the same moments, shape (N, T + lead)."""
    rates, past = seen(world)
    interval, lead = world.profiles.interval[:, None], world.lead_steps[:, None]
    season = np.round(length / interval)
    # Nothing later than the moment at which the step is planned for.
    half = np.minimum(np.floor(window / interval / 2), season - lead - 1)
    steps = past + np.arange(world.steps + lead.max(), dtype=np.float64)
    first, second = CumulativeRates.of(rates), CumulativeRates.of(rates**2)
    means, squares = [], []
    for back in range(1, times + 1):
        starts = steps - back * season - half
        inside = (starts >= 0) & (half >= 0)
        ends = starts + 2 * half + 1
        starts, ends = np.where(inside, starts, 0.0), np.where(inside, ends, 1.0)
        means.append(np.where(inside, first.means(starts, ends), np.nan))
        squares.append(np.where(inside, second.means(starts, ends), np.nan))
    count = np.maximum(np.isfinite(means).sum(axis=0), 1)
    mean = np.nansum(means, axis=0) / count
    variance = np.maximum(np.nansum(squares, axis=0) / count - mean**2, 0.0)
    mean[~np.isfinite(means).any(axis=0)] = np.nan
    return mean, variance


def _ahead(plan: Ints, lead: int) -> Ints:
    """Most that is planned for each step and the ``lead`` steps after it."""
    padded = np.pad(plan, (0, lead), mode="edge")
    most: Ints = np.lib.stride_tricks.sliding_window_view(padded, lead + 1).max(axis=1)
    return most


def grid(world: World) -> tuple[Scheduled, ...]:
    """Give the plans for one service, from those of its seasons that the load to tune on shows.

    A season that is longer could not be judged: the day before was never seen. Where there is
    none, every plan is for the newest rate.
    """
    rates, past = seen(world)
    interval, steps = world.profiles.interval[0], world.steps
    shown = np.isfinite(rates[0])
    seasons = []
    for season in world.profiles.seasons[0][np.isfinite(world.profiles.seasons[0])]:
        back = past - round(season / interval)
        # As many of the steps as have the same moment one season before them.
        if shown[max(back, 0) : max(back + steps, 0)].sum() >= _LEAST_SHOWN * steps:
            seasons.append(float(season))
    choices = [
        (season, window, times) for season in seasons for window in _WINDOWS for times in _TIMES
    ]
    return tuple(
        Scheduled(season, margin, window, times)
        for season, window, times in choices or [(steps * float(interval), 0.0, 1)]
        for margin in _MARGINS
    )

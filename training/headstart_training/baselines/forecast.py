"""Predictive scaling as clouds sell it: an hourly forecast, a lead time early, on top of an HPA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.series import CumulativeRates
from headstart_training.baselines import hpa
from headstart_training.baselines.remembered import remembered
from headstart_training.baselines.seen import known, seen

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints
    from headstart_training.baselines.hpa import HPA
    from headstart_training.simulator import World

_HOURS = 24
_DAYS = (1, 3, 7, 14)


@dataclass(frozen=True)
class Forecast:
    """Follow the larger of the newest rate and of what this hour had on past days.

    Parameters
    ----------
    scaling
        The dynamic scaling; the forecast goes through the same target.
    days
        Days that the forecast averages, at least 1.

    Raises
    ------
    ValueError
        ``days`` is out of its bounds; the message names key, bound and value.

    Notes
    -----
    After AWS's predictive scaling: capacity is forecast by the hour, from at most 14 days and at
    least one; instances are launched ahead of the hour by their warm-up time
    (``SchedulingBufferTime``); and with dynamic scaling beside it the larger of the two counts.
    How AWS forecasts is not published; the mean over the same hour of past days stands for it. The
    hour is a 24th of the service's first season.

    Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-predictive-scaling.html
    """

    scaling: HPA
    days: int

    def __post_init__(self) -> None:
        """Refuse what forecasts nothing."""
        if self.days < 1:
            raise ValueError(f"days = {self.days}, must be at least 1")

    def __str__(self) -> str:
        """Say what was averaged."""
        return f"mean of the same hour on {self.days} days; {self.scaling}"

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T)."""
        return self.scaling.follow(world, np.fmax(known(world), predict(world, self.days)))


@remembered
def predict(world: World, days: int) -> Floats:
    """Largest hourly forecast from each step to one lead time after it, shape (N, T).

    Parameters
    ----------
    world
        Whose services are forecast.
    days
        As in a :class:`Forecast`.
    """
    rates, past = seen(world)
    now, interval = (
        past + np.arange(world.steps, dtype=np.float64),
        world.profiles.interval[:, None],
    )
    season = world.profiles.seasons[:, :1] / interval
    hour = np.maximum(season / _HOURS, 1.0)
    ahead = world.lead_steps[:, None]
    sums = CumulativeRates.of(rates)
    forecasts = [_hourly(sums, now, now, season, hour, days)]
    # An hour may be shorter than a lead time: look at each that begins within it.
    for begins in range(1, int(np.nanmax(np.append(ahead / hour, 0.0))) + 2):
        at = now + np.minimum(begins * hour, ahead)
        forecasts.append(_hourly(sums, at, now, season, hour, days))
    predicted: Floats = np.fmax.reduce(forecasts)
    return predicted


def _hourly(
    sums: CumulativeRates, at: Floats, now: Floats, season: Floats, hour: Floats, days: int
) -> Floats:
    """Mean rate of the hour around ``at`` on past days, shape (N, T); NaN: none is known.

    Hours begin at multiples of ``hour`` from the left edge of the series. ``at`` and ``now`` are in
    samples; no hour that ends after ``now`` is read.
    """
    begin = np.floor(at / hour) * hour
    totals, counts = np.zeros(np.shape(begin)), np.zeros(np.shape(begin))
    for day in range(1, days + 1):
        starts = begin - day * season
        inside = (starts >= 0) & (starts + hour <= now)
        starts = np.where(inside, starts, 0.0)
        means = np.where(inside, sums.means(starts, starts + np.nan_to_num(hour, nan=1.0)), np.nan)
        totals += np.nan_to_num(means)
        counts += np.isfinite(means)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def grid(world: World) -> tuple[Forecast, ...]:
    """Give the settings for one service: past days, and those of an HPA."""
    settings = hpa.followers(world)
    return tuple(
        Forecast(setting, days)
        for days in _DAYS
        if days * world.profiles.seasons[0, 0] <= _longest(world)
        for setting in settings
    ) or tuple(Forecast(setting, 1) for setting in settings)


def _longest(world: World) -> float:
    """Seconds of load that were seen by the end."""
    rates, _ = seen(world)
    return float(rates.shape[1] * world.profiles.interval[0])

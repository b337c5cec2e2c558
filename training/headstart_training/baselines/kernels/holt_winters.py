"""Triple exponential smoothing, bin by bin."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.kernels.compiled import compiled

if TYPE_CHECKING:
    from headstart_policy.types import Floats

# A level below this share of the first season's is as good as none: nothing is divided by it.
_LEAST_LEVEL = 1e-6


class Weights(NamedTuple):
    """Of the newest figure in level, trend and season; and whether the season is a factor."""

    alpha: float
    beta: float
    gamma: float
    multiplicative: bool


@compiled
def smooth(
    bins: Floats, width: int, period: int, past: int, steps: int, ahead: int, weights: Weights
) -> Floats:
    """Forecast the bin that holds the step ``ahead`` of each played one, shape (T,).

    Parameters
    ----------
    bins
        Mean rates as seen, requests/s, of ``width`` samples each from the left edge; NaN: unknown.
        Before step t those are known that ended by sample ``past + t``.
    width, period
        Samples of a bin; bins of a season, at least 2.
    past, steps, ahead
        Samples before the first step; T; steps to forecast ahead.
    weights
        Of the smoothing.

    Returns
    -------
    numpy.ndarray
        Requests/s, at least 0; NaN until the first season is over.
    """
    forecast = np.full(steps, math.nan)
    season, level, trend, done = np.full(period, math.nan), math.nan, 0.0, 0
    least = math.nan
    for t in range(steps):
        while (done + 1) * width <= past + t:
            if done < period:
                season[done] = bins[done]
            else:
                level, trend = _update(season, done % period, level, trend, bins[done], weights)
                level = max(level, least) if weights.multiplicative else level
            done += 1
            if done == period:
                level = _begin(season, weights.multiplicative)
                least = _LEAST_LEVEL * level
        if done >= period:
            target = (past + t + ahead) // width
            base, then = level + (target - done + 1) * trend, season[target % period]
            forecast[t] = max(base * then if weights.multiplicative else base + then, 0.0)
    return forecast


@compiled
def _update(
    season: Floats, at: int, level: float, trend: float, value: float, weights: Weights
) -> tuple[float, float]:
    """Learn one bin; level and trend after it."""
    expected, then = level + trend, season[at]
    if math.isnan(value):
        return expected, trend
    # A share of the day without load tells nothing of the level.
    now = expected
    if not weights.multiplicative:
        now += weights.alpha * (value - then - expected)
        season[at] += weights.gamma * (value - expected - then)
    else:
        if then > 0:
            now += weights.alpha * (value / then - expected)
        if expected > 0:
            season[at] += weights.gamma * (value / expected - then)
    return now, trend + weights.beta * (now - level - trend)


@compiled
def _begin(season: Floats, multiplicative: bool) -> float:  # noqa: FBT001 - no keywords there.
    """Turn the rates of the first season into its shape, and give their mean."""
    total, count = 0.0, 0
    for value in season:
        if not math.isnan(value):
            total += value
            count += 1
    mean = total / count if count > 0 else math.nan
    for k in range(len(season)):
        if math.isnan(season[k]):
            season[k] = 1.0 if multiplicative else 0.0
        elif multiplicative:
            season[k] = season[k] / mean if mean > 0 else 1.0
        else:
            season[k] -= mean
    return mean

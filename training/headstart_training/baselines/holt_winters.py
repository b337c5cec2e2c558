"""An HPA that also follows a Holt-Winters forecast of the rate one lead time ahead."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from headstart_training.baselines import hpa
from headstart_training.baselines.remembered import remembered
from headstart_training.baselines.seen import known, seen

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints
    from headstart_training.baselines.hpa import HPA
    from headstart_training.simulator import World

_ALPHAS = (0.05, 0.2, 0.5)
_BETAS = (0.0, 0.01)
_GAMMAS = (0.1, 0.3)
_LEAST_PERIODS = 2
_WHOLE = 1e-6


@dataclass(frozen=True)
class Smoothing:
    """How Holt-Winters smooths.

    Parameters
    ----------
    alpha, beta, gamma
        Weight of the newest figure in level, trend and season, in [0, 1].
    multiplicative
        Whether the season is a factor on the level, or a difference to it.
    binned
        Whether the rate is averaged over bins of a lead time first: the minutes of a day are too
        many seasonal figures to learn each from a few noisy days.

    Raises
    ------
    ValueError
        A weight is out of its bounds; the message names key, bound and value.
    """

    alpha: float
    beta: float
    gamma: float
    multiplicative: bool
    binned: bool

    def __post_init__(self) -> None:
        """Refuse weights that are none."""
        for key in ("alpha", "beta", "gamma"):
            if not 0 <= getattr(self, key) <= 1:
                raise ValueError(f"{key} = {getattr(self, key)}, must be in [0, 1]")

    def __str__(self) -> str:
        """Say it as a statistician would."""
        kind = "multiplicative" if self.multiplicative else "additive"
        bins = "bins of a lead time" if self.binned else "every step"
        return f"{kind}, alpha {self.alpha:g}, beta {self.beta:g}, gamma {self.gamma:g}, {bins}"


@dataclass(frozen=True)
class HoltWinters:
    """Follow the larger of the newest rate and of its forecast one lead time ahead.

    Parameters
    ----------
    scaling
        The HPA; the forecast goes through the same target.
    smoothing
        The forecast's. Its season is the service's first; without one, or until the first season is
        over, the HPA is alone.

    Notes
    -----
    The recursions are those of R. Hyndman, G. Athanasopoulos, Forecasting: Principles and Practice,
    3rd ed., section 8.3 (https://otexts.com/fpp3/holt-winters.html); what is made of the forecast,
    that of https://github.com/jthomperoo/predictive-horizontal-pod-autoscaler, which by default
    takes the largest of what is calculated and what is predicted. The first season is the first
    level and shape; an unknown rate leaves the season and lets the level follow its trend.
    """

    scaling: HPA
    smoothing: Smoothing

    def __str__(self) -> str:
        """Say what was set."""
        return f"{self.smoothing}; {self.scaling}"

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T)."""
        return self.scaling.follow(world, np.fmax(known(world), predict(world, self.smoothing)))


@remembered
def predict(world: World, smoothing: Smoothing) -> Floats:
    """Forecast of the step one lead time ahead of each, requests/s, shape (N, T); NaN: none yet."""
    from headstart_training.baselines.kernels.holt_winters import Weights, smooth  # noqa: PLC0415

    rates, past = seen(world)
    weights = Weights(
        float(smoothing.alpha),
        float(smoothing.beta),
        float(smoothing.gamma),
        smoothing.multiplicative,
    )
    forecasts = np.full((len(rates), world.steps), np.nan)
    for i, lead in enumerate(world.lead_steps):
        width = int(lead) if smoothing.binned else 1
        periods = world.profiles.seasons[i, 0] / world.profiles.interval[i] / width
        # Bins that do not fill a season would drift through it.
        if periods >= _LEAST_PERIODS and abs(periods - round(periods)) < _WHOLE:
            bins = _bins(rates[i], width)
            forecasts[i] = smooth(
                bins, width, round(periods), past, world.steps, int(lead), weights
            )
    return forecasts


def _bins(rates: Floats, width: int) -> Floats:
    """Means of ``width`` rates from the left edge on, NaN where none of them is known."""
    whole = rates[: len(rates) // width * width].reshape(-1, width)
    count = np.isfinite(whole).sum(axis=1)
    return np.where(count > 0, np.nansum(whole, axis=1) / np.maximum(count, 1), np.nan)


def grid(world: World) -> tuple[HoltWinters, ...]:
    """Give the settings for one service.

    The smoothing with the least squared error one lead time ahead, with and without bins, each with
    the settings of an HPA.
    """
    best = []
    for binned in (False, True):
        smoothings = [
            Smoothing(alpha, beta, gamma, multiplicative, binned)
            for multiplicative, alpha, beta, gamma in product(
                (False, True), _ALPHAS, _BETAS, _GAMMAS
            )
        ]
        errors = [_error(world, smoothing) for smoothing in smoothings]
        best.append(smoothings[int(np.argmin(errors))])
    return tuple(
        HoltWinters(scaling, smoothing) for smoothing in best for scaling in hpa.followers(world)
    )


def _error(world: World, smoothing: Smoothing) -> float:
    """Mean squared error of the forecasts whose outcome is in the world; 0 where there is none."""
    lead = int(world.lead_steps[0])
    if lead >= world.steps:
        return 0.0
    errors = predict(world, smoothing)[0, :-lead] - world.rates[0, lead:]
    known_errors = errors[np.isfinite(errors)]
    return float(np.mean(known_errors**2)) if len(known_errors) else 0.0

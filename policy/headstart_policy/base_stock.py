"""What an order-up-to rule asks for: a forecast, and so many standard deviations of safety stock.

The forecast of a service with seasons is the level of now, moved as the days and weeks before moved
from that moment on. What strays from it is the noise of single samples and of the fleet's own
capacity. Nothing is learned here, so nothing is learned by heart: networks weigh these figures, and
the selector lets their mean with a network compete.

Source: Zipkin 2000, Foundations of Inventory Management, section 6.4 (base stock under normal lead
time demand).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import RECENT_EDGES
from headstart_policy.windows import BEYOND, LEAST, NOW, most_of, sum_of

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.profile import Profiles
    from headstart_policy.types import Bools, Floats
    from headstart_policy.windows import ReplicaWindows

# Lead times whose mean is a level that seasons move on: a short one follows at once, a long one is
# not moved by noise. Which is better depends on the noise and on how fast the load moves.
SPANS = (2, 8, 16)
_SPAN_EDGES = [int(np.flatnonzero(span == RECENT_EDGES)[0]) for span in SPANS]
# The span, and the window ahead, by which seasons are compared.
_MIDDLE = 1
# A season that moved by more was an outage's end, or its beginning.
_LARGEST_MOVE = 20.0


class BaseStock(NamedTuple):
    """What comes over the next two lead times and how far from it, in replicas."""

    steady: Floats
    """The highest mean to come, by the level of each of :data:`SPANS`, shape (N, 3)."""
    spread: Floats
    """Standard deviation of a sample and of the fleet's capacity, as noisy as it was, (N,)."""
    spread_then: Floats
    """The same, as noisy as the seasons were at that moment, shape (N,)."""
    disagreement: Floats
    """Logarithm of how far apart the seasons are, 0 where there is one at most, shape (N,)."""

    def order_up_to(self, deviations: Floats) -> Floats:
        """Ask for the forecast and a safety stock of each of C many deviations, shape (N, C)."""
        forecast = sum_of(self.steady) / len(SPANS)
        spread = np.sqrt((self.spread**2 + self.spread_then**2) / 2)
        asked: Floats = forecast[:, None] + spread[:, None] * deviations
        return asked


def base_stock(observation: Observation, windows: ReplicaWindows) -> BaseStock:
    """Foresee N services: levels move as the seasons moved, by the median of those that are known.

    Of three days one may have been an outage, or a holiday: the median does not follow it.
    """
    levels, before = _levels(windows) + LEAST, _before(windows) + LEAST
    ahead, known = windows.seasonal[..., NOW:BEYOND] + LEAST, windows.both_known
    moves = np.clip(ahead[:, :, None] / before[..., None], 1 / _LARGEST_MOVE, _LARGEST_MOVE)
    spread, spread_then = _spreads(observation, windows, levels[:, 0], before[..., _MIDDLE])
    return BaseStock(
        steady=np.maximum(levels * most_of(_median(moves, known, 1.0)) - LEAST, 0.0),
        spread=spread,
        spread_then=spread_then,
        disagreement=_disagreement(np.log(moves[:, :, _MIDDLE, _MIDDLE]), known),
    )


def _levels(windows: ReplicaWindows) -> Floats:
    """Take the mean of each of ``SPANS`` before now, shape (N, 3)."""
    widths = np.diff(RECENT_EDGES)
    means = [
        sum_of(windows.recent[:, :edge] * (widths[:edge] / span))
        for span, edge in zip(SPANS, _SPAN_EDGES, strict=True)
    ]
    return np.stack(means, axis=1)


def _before(windows: ReplicaWindows) -> Floats:
    """Take the mean of each of ``SPANS`` before each echo, shape (N, 3, 3).

    Of the lead times that lie further back every other half is seen.
    """
    far, near, newest = (windows.seasonal[..., k] for k in range(NOW))
    levels = windows.seasonal_levels
    four = (3 * far + 0.5 * near + 0.5 * newest) / 4
    return np.stack(
        [
            (0.5 * newest + 0.5 * near + levels[..., 1]) / 2,
            (four + sum_of(levels[..., 4:8]) / 4) / 2,
            (four + 3 * sum_of(levels[..., 4:16]) / 12) / 4,
        ],
        axis=-1,
    )


def _spreads(
    observation: Observation, windows: ReplicaWindows, level: Floats, before: Floats
) -> tuple[Floats, Floats]:
    """Estimate how far a sample and a fleet's capacity stray, now and as it was then, (N,) each.

    Of neighbouring samples that stray alone, half the mean squared difference is the variance.
    What a season's noise was over its level, it is over that of now; at most all of it, since what
    bursts at night would by day be the whole fleet.
    """
    capacity, demand = observation.profiles.capacity, windows.levels[:, 0]
    now = _longest_known(observation.roughness) / 2 / capacity**2
    rough = observation.seasonal_roughness / 2 / capacity[:, None] ** 2
    known = windows.both_known & np.isfinite(rough)
    share = np.minimum(np.where(known, rough, 0.0) / before**2, 1.0)
    then = np.where(known.any(axis=1), _median(share, known, 0.0) * level**2, now)
    fleet = (demand * fleet_noise(observation.profiles, demand)) ** 2
    return np.sqrt(now + fleet), np.sqrt(then + fleet)


def _longest_known(roughness: Floats) -> Floats:
    """Take the noise over the longest window that is known, 0 where none is, shape (N,)."""
    found = np.zeros(len(roughness))
    for column in roughness.T:
        found = np.where(np.isnan(column), found, column)
    return found


def _disagreement(moves: Floats, known: Bools) -> Floats:
    """Tell how far the most of the known seasons' moves is from the least, shape (N,)."""
    most, least = (most_of(np.where(known, sign * moves, -np.inf)) for sign in (1.0, -1.0))
    return np.where(known.sum(axis=1) > 1, most + least, 0.0)


def _median(values: Floats, known: Bools, nothing: float) -> Floats:
    """Take the median over the three echoes, axis 1, of those that are known."""
    known = known.reshape(*known.shape, *(1,) * (values.ndim - known.ndim))
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    low, middle, _ = np.moveaxis(ordered, 1, 0)
    count = known.sum(axis=1)
    two = 0.5 * (low + np.where(count > 1, middle, 0.0))
    return np.select([count == 0, count == 1, count == 2], [nothing, low, two], middle)  # noqa: PLR2004


def fleet_noise(profiles: Profiles, demand: Floats) -> Floats:
    """Standard deviation over mean of the capacity of as many replicas as the demand, (N,)."""
    common = profiles.capacity_correlation
    independent = (1 - common) / np.maximum(demand, 1.0)
    noise: Floats = profiles.capacity_noise * np.sqrt(independent + common)
    return noise

"""Observation -> dimensionless features, shape (N, F): the same code trains and serves.

No column holds an absolute rate or time: rates are ratios to the recent level or to what one
replica serves, times are lead times, money is a ratio to the price of a replica.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.base_stock import SPANS, base_stock, fleet_noise
from headstart_policy.observation import (
    ECHOES,
    LEVELS,
    MEMORY,
    NOISE_WINDOWS,
    RECENT_EDGES,
    SEASONAL_EDGES,
    WARMING_BINS,
)
from headstart_policy.windows import BEYOND, LEAST, NOW, most_of, sum_of, windows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.base_stock import BaseStock
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats, Ints
    from headstart_policy.windows import ReplicaWindows

# Log ratios beyond this (a factor of 20) carry no further information, only danger.
LOG_LIMIT = 3.0
# How many lead times back forecasts are judged, and over how many a top is looked for.
SHORT, LONG = 4, 16
# What a policy gives in multiples of: see :func:`_references`.
REFERENCES = (
    "level",
    "mean",
    "top",
    "season",
    *(f"steady[{span}]" for span in SPANS),
    "spread",
    "spread_then",
)


class Look(NamedTuple):
    """What a network is asked with, and what the selector compares it with."""

    features: Floats
    """The columns of :data:`NAMES`, always finite, shape (N, F)."""
    references: Floats
    """What it gives in multiples of, in replicas, shape (N, R)."""
    stock: BaseStock
    """What an order-up-to rule stands on."""


def look(observation: Observation) -> Look:
    """Read features and references of N services off the same windows."""
    windows = windows_of(observation)
    stock = base_stock(observation, windows)
    return Look(_features(observation, windows, stock), _references(windows, stock), stock)


def _references(windows: ReplicaWindows, stock: BaseStock) -> Floats:
    """Work out :data:`REFERENCES`, shape (N, R).

    The level of now; the mean over 32 lead times, which a moment of silence does not take to 0; the
    highest level of 16 lead times; the highest window of the two lead times that came next in the
    season before (the level, where that is not known); and what a base stock stands on: levels
    moved as the seasons moved, and how far samples and capacities stray, now and then.
    """
    level = windows.levels[:, 0]
    spans = np.diff(RECENT_EDGES)
    ahead = most_of(windows.seasonal[:, 0, NOW:BEYOND])
    return np.stack(
        [
            level,
            sum_of(windows.recent * (spans / spans.sum())),
            most_of(windows.levels),
            np.where(windows.known[:, 0], ahead, level),
            *stock.steady.T,
            stock.spread,
            stock.spread_then,
        ],
        axis=1,
    )


def features(observation: Observation) -> Floats:
    """Compute the columns of :data:`NAMES` for N services; always finite."""
    return look(observation).features


def _features(observation: Observation, windows: ReplicaWindows, stock: BaseStock) -> Floats:
    profiles = observation.profiles
    demand = windows.levels[:, :1]
    size = demand + LEAST
    sigma = np.sqrt(np.nan_to_num(observation.roughness) / 2) / profiles.capacity[:, None]
    # A fleet's margin costs its size, a violation costs the same for every fleet.
    stake = (profiles.violation_cost / profiles.replica_cost)[:, None]
    worth = profiles.request_value * profiles.capacity / profiles.replica_cost
    asked: Ints = np.maximum(observation.current, 0)
    columns = [
        _log(windows.recent + LEAST, size),
        _misses(windows.levels, np.ones_like(windows.levels)),
        _log(most_of(windows.levels[:, : SHORT + 1])[:, None] + LEAST, size),
        _log(most_of(windows.levels)[:, None] + LEAST, size),
        *(_echo(windows, echo) for echo in range(len(ECHOES))),
        np.clip(sigma / size, 0.0, LOG_LIMIT),
        1.0 / (1.0 + demand),
        np.log10(1.0 + demand) / 4,
        np.log10(1.0 + stake / (demand + 1.0)) / 4,
        np.log10(1.0 + worth[:, None]),
        -np.log10(1.0 - profiles.slo[:, None]) / 4,
        fleet_noise(profiles, windows.levels[:, 0])[:, None],
        np.clip(profiles.interval / profiles.lead_time, 0.0, 1.0)[:, None],
        _log(_column(observation.ready) + 0.5, demand + 0.5),
        _log(_column(asked) + 0.5, demand + 0.5),
        np.clip(observation.warming / (1.0 + demand), 0.0, LOG_LIMIT),
        _extremes(observation, size),
        _log(stock.steady + LEAST, size),
        np.clip(stock.spread[:, None] / size, 0.0, LOG_LIMIT),
        np.clip(stock.spread_then[:, None] / size, 0.0, LOG_LIMIT),
        np.clip(stock.disagreement[:, None], 0.0, LOG_LIMIT),
    ]
    matrix: Floats = np.concatenate(columns, axis=1, dtype=np.float64)
    if np.isfinite(matrix).all():
        return matrix
    return np.nan_to_num(matrix, posinf=LOG_LIMIT, neginf=-LOG_LIMIT)


def _misses(levels: Floats, shape: Floats) -> Floats:
    """Judge the forecast that the level of a lead time ago moves as ``shape`` did since then.

    Parameters
    ----------
    levels, shape
        Newest first, one lead time apart, above 0 or 0, shape (N, 17).

    Returns
    -------
    The newest log ratio of what came to the forecast, its mean and root mean square over the last
    :data:`SHORT`, its root mean square and largest over :data:`LONG` lead times, shape (N, 5).
    """
    forecast = (levels[:, 1:] + LEAST) * shape[:, :-1] / shape[:, 1:]
    miss = _log(levels[:, :-1] + LEAST, np.maximum(forecast, LEAST / 5))[:, :LONG]
    square = miss**2
    return np.stack(
        [
            miss[:, 0],
            sum_of(miss[:, :SHORT]) / SHORT,
            np.sqrt(sum_of(square[:, :SHORT]) / SHORT),
            np.sqrt(sum_of(square) / LONG),
            most_of(miss),
        ],
        axis=1,
    )


def _echo(windows: ReplicaWindows, echo: int) -> Floats:
    """Compare what came next in a season before with that moment, that moment with now.

    And say how well the season foretold the last lead times. All 0 where it is not known.
    """
    known = windows.known[:, echo, None]
    then = windows.seasonal[:, echo] + LEAST
    moment = then[:, NOW - 1, None]
    ahead = _log(then, moment)
    ahead[:, NOW - 1] = _log(windows.levels[:, :1] + LEAST, moment)[:, 0]
    misses = _misses(windows.levels, windows.seasonal_levels[:, echo] + LEAST)
    return np.concatenate(
        [
            np.where(known, ahead, 0.0),
            known,
            np.where(windows.levels_known[:, echo, None], misses, 0.0),
        ],
        axis=1,
    )


def _extremes(observation: Observation, size: Floats) -> Floats:
    """Compare the highest level and the largest rise of a day with now; and how long ago, (N, 3).

    Where none is known, as if now were the highest, nothing rose, and it just had.
    """
    top, rise = (observation.extremes[:, :2] / observation.profiles.capacity[:, None]).T[..., None]
    known = np.nan_to_num(rise, nan=0.0)
    since = np.log1p(np.nan_to_num(observation.extremes[:, 2:], nan=0.0))
    return np.concatenate(
        [
            np.nan_to_num(_log(top + LEAST, size), nan=0.0),
            np.clip(np.log1p(np.maximum(known, 0.0) / size), 0.0, LOG_LIMIT),
            np.minimum(since / np.log1p(MEMORY), 1.0),
        ],
        axis=1,
    )


def _column(counts: Ints) -> Floats:
    return counts.astype(np.float64)[:, None]


def _log(value: Floats, base: Floats) -> Floats:
    return np.clip(np.log(value / base), -LOG_LIMIT, LOG_LIMIT)


def _names() -> tuple[str, ...]:
    windows = [f"{edge:+g}" for edge in SEASONAL_EDGES[:-1]]
    windows[NOW - 1] = "now/then"
    misses = ("newest", f"mean{SHORT}", f"rms{SHORT}", f"rms{LONG}", f"most{LONG}")
    echoes = [f"season{season + 1}x{times}" for season, times in ECHOES]
    return (
        *(f"recent[-{edge:g}]" for edge in RECENT_EDGES[:-1]),
        *(f"level_miss[{miss}]" for miss in misses),
        f"top[{SHORT}]",
        f"top[{LEVELS - 1}]",
        *(
            name
            for echo in echoes
            for name in (
                *(f"{echo}[{window}]" for window in windows),
                f"{echo}_known",
                *(f"{echo}_miss[{miss}]" for miss in misses),
            )
        ),
        *(f"noise[{window:g}]" for window in NOISE_WINDOWS),
        "integrality",
        "size",
        "stake",
        "worth",
        "slo",
        "fleet_noise",
        "step",
        "ready",
        "asked",
        *(f"warming[{k}]" for k in range(WARMING_BINS)),
        *EXTREMES,
        *FORECAST,
    )


EXTREMES = ("day_top", "day_rise", "since_rise")
FORECAST = (*REFERENCES[-len(SPANS) - 2 :], "disagreement")
NAMES = _names()
# The columns that tell of the fleet; the others tell of the load and the profile.
FLEET = tuple(
    column
    for column, name in enumerate(NAMES)
    if name in {"ready", "asked"} or name.startswith("warming[")
)


def schema_of(names: Sequence[str]) -> str:
    """Name a set of columns: a policy trained on others must not be served."""
    return "features-" + hashlib.sha256("|".join(names).encode()).hexdigest()[:12]


SCHEMA = schema_of(NAMES)
# What can be served, and of how many columns it is: new ones come last, and a policy from before
# them looks at those that it knows.
_WITHOUT_FORECAST = len(NAMES) - len(FORECAST)
SCHEMAS = {
    schema_of(NAMES[:columns]): columns
    for columns in (len(NAMES), _WITHOUT_FORECAST, _WITHOUT_FORECAST - len(EXTREMES))
}

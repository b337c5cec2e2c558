"""Observation -> dimensionless features, shape (N, F): the same code trains and serves.

No column holds an absolute rate or time: rates are ratios to the recent level or to what one
replica serves, times are lead times, money is a ratio to the price of a replica.
"""

from __future__ import annotations

import hashlib
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import (
    ECHOES,
    LEVELS,
    MEMORY,
    NOISE_WINDOWS,
    RECENT_EDGES,
    SEASONAL_EDGES,
    WARMING_BINS,
)
from headstart_policy.series import LEAST_KNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.observation import Observation
    from headstart_policy.types import Bools, Floats, Ints

# Log ratios beyond this (a factor of 20) carry no further information, only danger.
LOG_LIMIT = 3.0
# Rates are compared through their replicas plus a little: 0.01 against 0.02 replicas is no doubling
# of anything.
LEAST = 0.1
# How many lead times back forecasts are judged, and over how many a top is looked for.
SHORT, LONG = 4, 16
# The columns of windows that lie between edges; the levels come after them.
_RECENT, _SEASONAL = len(RECENT_EDGES) - 1, len(SEASONAL_EDGES) - 1
# The window between SEASONAL_EDGES that starts at "the same moment, in a season before".
_NOW = int(np.flatnonzero(SEASONAL_EDGES == 0.0)[0])
# Lead times ahead that a decision of now is for, and the window that starts after them.
_AHEAD = 2.0
_BEYOND = int(np.flatnonzero(SEASONAL_EDGES == _AHEAD)[0])
# What a policy gives in multiples of: see :func:`references`.
REFERENCES = ("level", "mean", "top", "season")


class Load(NamedTuple):
    """The recent load of N services: what every ratio is relative to."""

    level: Floats
    """Mean rate over the last half lead time, requests/s, shape (N,); NaN: nothing known."""
    demand: Floats
    """Replicas that the level needs, before any margin, shape (N,)."""


def load_of(observation: Observation) -> Load:
    """Reduce the recent windows to the level; where the newest are unknown, to the next ones."""
    levels, known = _fill(_levels(observation.recent))
    level = np.where(known > 0, levels[:, 0], np.nan)
    return Load(level, level / observation.profiles.capacity)


def _levels(recent: Floats) -> Floats:
    """Take the levels; the newest from shorter windows where half a lead time is not yet known.

    A service whose first rate came a moment ago has a rate, and no reason to be taken for idle.
    """
    levels = recent[:, _RECENT:]
    young = np.isnan(levels[:, 0])
    if not young.any():
        return levels
    shorter, known = _fill(recent[young, :_RECENT])
    levels = levels.copy()
    levels[young, 0] = np.where(known > 0, shorter[:, 0], np.nan)
    return levels


class _Windows(NamedTuple):
    """Windows of N services in replicas, holes filled from their neighbours; 0 without any."""

    recent: Floats
    """Between the edges, shape (N, 8)."""
    levels: Floats
    """Half a lead time each, one lead time apart, shape (N, 17)."""
    seasonal: Floats
    """Between the edges around the echoes, shape (N, 3, 8)."""
    seasonal_levels: Floats
    """Before the echoes, shape (N, 3, 17)."""
    known: Bools
    """Whether enough of an echo is known, shape (N, 3)."""
    levels_known: Bools
    """Whether enough of what was before an echo is known, shape (N, 3)."""


def _windows(observation: Observation) -> _Windows:
    capacity = observation.profiles.capacity
    recent = observation.recent / capacity[:, None]
    seasonal = observation.seasonal / capacity[:, None, None]
    ahead, before = _fill(seasonal[..., :_SEASONAL]), _fill(seasonal[..., _SEASONAL:])
    return _Windows(
        recent=_fill(recent[:, :_RECENT]).windows,
        levels=_fill(_levels(recent)).windows,
        seasonal=ahead.windows,
        seasonal_levels=before.windows,
        # A restart of Prometheus leaves a hole of a few windows, and a season that vanished for
        # one would drop the replicas that it asked for.
        known=ahead.known >= LEAST_KNOWN,
        levels_known=before.known >= LEAST_KNOWN,
    )


class Look(NamedTuple):
    """What a network is asked with."""

    features: Floats
    """The columns of :data:`NAMES`, always finite, shape (N, F)."""
    references: Floats
    """What it gives in multiples of, in replicas, shape (N, 4)."""


def look(observation: Observation) -> Look:
    """Read features and references of N services off the same windows."""
    windows = _windows(observation)
    return Look(_features(observation, windows), _references(windows))


def references(observation: Observation) -> Floats:
    """Work out what a policy gives in multiples of, in replicas, shape (N, 4).

    The level of now; the mean over 32 lead times, which a moment of silence does not take to 0; the
    highest level of 16 lead times; and the highest window of the two lead times that came next in
    the season before (the level, where that is not known).
    """
    return _references(_windows(observation))


def _references(windows: _Windows) -> Floats:
    level = windows.levels[:, 0]
    spans = np.diff(RECENT_EDGES)
    ahead = _most(windows.seasonal[:, 0, _NOW:_BEYOND])
    return np.stack(
        [
            level,
            _sum(windows.recent * (spans / spans.sum())),
            _most(windows.levels),
            np.where(windows.known[:, 0], ahead, level),
        ],
        axis=1,
    )


def features(observation: Observation) -> Floats:
    """Compute the columns of :data:`NAMES` for N services; always finite."""
    return _features(observation, _windows(observation))


def _features(observation: Observation, windows: _Windows) -> Floats:
    profiles = observation.profiles
    demand = windows.levels[:, :1]
    size = demand + LEAST
    sigma = np.sqrt(np.nan_to_num(observation.roughness) / 2) / profiles.capacity[:, None]
    independent = (1 - profiles.capacity_correlation[:, None]) / np.maximum(demand, 1.0)
    fleet_noise = np.sqrt(independent + profiles.capacity_correlation[:, None])
    # A fleet's margin costs its size, a violation costs the same for every fleet.
    stake = (profiles.violation_cost / profiles.replica_cost)[:, None]
    worth = profiles.request_value * profiles.capacity / profiles.replica_cost
    asked: Ints = np.maximum(observation.current, 0)
    columns = [
        _log(windows.recent + LEAST, size),
        _misses(windows.levels, np.ones_like(windows.levels)),
        _log(_most(windows.levels[:, : SHORT + 1])[:, None] + LEAST, size),
        _log(_most(windows.levels)[:, None] + LEAST, size),
        *(_echo(windows, echo) for echo in range(len(ECHOES))),
        np.clip(sigma / size, 0.0, LOG_LIMIT),
        1.0 / (1.0 + demand),
        np.log10(1.0 + demand) / 4,
        np.log10(1.0 + stake / (demand + 1.0)) / 4,
        np.log10(1.0 + worth[:, None]),
        -np.log10(1.0 - profiles.slo[:, None]) / 4,
        profiles.capacity_noise[:, None] * fleet_noise,
        np.clip(profiles.interval / profiles.lead_time, 0.0, 1.0)[:, None],
        _log(_column(observation.ready) + 0.5, demand + 0.5),
        _log(_column(asked) + 0.5, demand + 0.5),
        np.clip(observation.warming / (1.0 + demand), 0.0, LOG_LIMIT),
        _extremes(observation, size),
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
            _sum(miss[:, :SHORT]) / SHORT,
            np.sqrt(_sum(square[:, :SHORT]) / SHORT),
            np.sqrt(_sum(square) / LONG),
            _most(miss),
        ],
        axis=1,
    )


def _echo(windows: _Windows, echo: int) -> Floats:
    """Compare what came next in a season before with that moment, that moment with now.

    And say how well the season foretold the last lead times. All 0 where it is not known.
    """
    known = windows.known[:, echo, None]
    then = windows.seasonal[:, echo] + LEAST
    moment = then[:, _NOW - 1, None]
    ahead = _log(then, moment)
    ahead[:, _NOW - 1] = _log(windows.levels[:, :1] + LEAST, moment)[:, 0]
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


class _Filled(NamedTuple):
    """Windows without holes."""

    windows: Floats
    """An unknown one is the known one before it in its row, or else after it; 0 without any."""
    known: Floats
    """Share of each row that was known."""


def _fill(windows: Floats) -> _Filled:
    missing, width = np.isnan(windows), windows.shape[-1]
    # Where the last axis is short this is five times as fast as count_nonzero.
    count = width - np.einsum("...k->...", missing.view(np.int8))
    filled = np.where(missing, 0.0, windows)
    # Most rows are known, or are a season that is not known at all: there is nothing to fill.
    gaps = (count > 0) & (count < width)
    if gaps.any():
        known = ~missing[gaps]
        before = np.maximum.accumulate(np.where(known, np.arange(width), -1), axis=-1)
        source = np.where(before >= 0, before, known.argmax(axis=-1)[..., None])
        filled[gaps] = np.take_along_axis(windows[gaps], source, axis=-1)
    return _Filled(filled, count / width)


def _sum(columns: Floats) -> Floats:
    """Sum the columns one by one: numpy's own order depends on how many rows there are."""
    return reduce(np.add, columns.T)


def _most(columns: Floats) -> Floats:
    """Take the largest of the columns: numpy's own way is for long rows, and these are short."""
    return reduce(np.maximum, columns.T)


def _column(counts: Ints) -> Floats:
    return counts.astype(np.float64)[:, None]


def _log(value: Floats, base: Floats) -> Floats:
    return np.clip(np.log(value / base), -LOG_LIMIT, LOG_LIMIT)


def _names() -> tuple[str, ...]:
    windows = [f"{edge:+g}" for edge in SEASONAL_EDGES[:-1]]
    windows[_NOW - 1] = "now/then"
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
    )


EXTREMES = ("day_top", "day_rise", "since_rise")
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
SCHEMAS = {SCHEMA: len(NAMES), schema_of(NAMES[: -len(EXTREMES)]): len(NAMES) - len(EXTREMES)}

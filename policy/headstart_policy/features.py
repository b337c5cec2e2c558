"""Observation -> dimensionless features, shape (N, F): the same code trains and serves.

No column holds an absolute rate or time: rates are ratios to the recent level or to what one
replica serves, times are lead times, money is a ratio to the price of a replica.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import NOISE_WINDOWS, RECENT_EDGES, SEASONAL_EDGES, WARMING_BINS
from headstart_policy.series import LEAST_KNOWN

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Bools, Floats, Ints

# Log ratios beyond this (a factor of 20) carry no further information, only danger.
LOG_LIMIT = 3.0
# Windows, newest first, whose mean is the level: the last half lead time.
LEVEL_WINDOWS = 2
# The window of SEASONAL_EDGES that starts at "the same moment, one season ago".
_NOW = int(np.flatnonzero(SEASONAL_EDGES == 0.0)[0])


class Load(NamedTuple):
    """The recent load of N services: what every ratio is relative to."""

    level: Floats
    """Mean rate over the last half lead time, requests/s, shape (N,); NaN: nothing known."""
    demand: Floats
    """Replicas that the level needs, before any margin, shape (N,)."""


def load_of(observation: Observation) -> Load:
    """Reduce the recent windows to the level; where the newest are unknown, to the next ones."""
    recent = _fill(observation.recent)
    level = recent[:, :LEVEL_WINDOWS].mean(axis=1)
    return Load(level, level / observation.profiles.capacity)


def features(observation: Observation) -> Floats:
    """Compute the columns of :data:`NAMES` for N services; always finite."""
    profiles = observation.profiles
    level, demand = load_of(observation)
    level = np.nan_to_num(level)
    demand = np.nan_to_num(demand)
    # Rates are compared through their replicas plus a little: 0.01 against 0.02 replicas is no
    # doubling of anything.
    size: Floats = demand + 0.1
    recent = _log((_fill(observation.recent) / profiles.capacity[:, None]) + 0.1, size)
    seasonal, known = _seasonal(observation, size)
    sigma = np.sqrt(np.nan_to_num(observation.roughness) / 2) / profiles.capacity[:, None]
    poisson = np.sqrt(np.maximum(level * profiles.lead_time, 1.0))
    # A fleet's margin costs its size, a violation costs the same for every fleet.
    stake = profiles.violation_cost / (profiles.replica_cost * (demand + 1.0))
    worth = profiles.request_value * profiles.capacity / profiles.replica_cost
    asked: Ints = np.maximum(observation.current, 0)
    columns = [
        recent,
        seasonal,
        known,
        np.clip(sigma / size[:, None], 0.0, LOG_LIMIT),
        1.0 / poisson[:, None],
        1.0 / (1.0 + demand[:, None]),
        np.log10(1.0 + demand[:, None]) / 4,
        _log(_column(observation.ready) + 0.5, demand + 0.5),
        _log(_column(asked) + 0.5, demand + 0.5),
        np.clip(observation.warming / (1.0 + demand[:, None]), 0.0, LOG_LIMIT),
        np.log10(1.0 + stake[:, None]) / 4,
        np.log10(1.0 + worth[:, None]),
        -np.log10(1.0 - profiles.slo[:, None]) / 4,
        profiles.capacity_noise[:, None],
        np.clip(profiles.interval / profiles.lead_time, 0.0, 1.0)[:, None],
    ]
    matrix: Floats = np.concatenate(columns, axis=1, dtype=np.float64)
    return np.nan_to_num(matrix, posinf=LOG_LIMIT, neginf=-LOG_LIMIT)


def _seasonal(observation: Observation, size: Floats) -> tuple[Floats, Bools]:
    """Compare what came next a season ago with that moment, and that moment with now."""
    then = _fill(observation.seasonal) / observation.profiles.capacity[:, None, None] + 0.1
    moment = then[..., _NOW - 1]
    # A restart of Prometheus leaves a hole of a few windows, and a season that vanished for one
    # would drop the replicas that it asked for.
    windows = np.isfinite(observation.seasonal).mean(axis=2)
    known: Bools = windows >= LEAST_KNOWN
    ahead = _log(then, np.where(known, moment, 1.0)[..., None])
    ahead[..., _NOW - 1] = _log(size[:, None], np.where(known, moment, 1.0))
    ahead[~known] = 0.0
    return ahead.reshape(len(observation), -1), known


def _fill(windows: Floats) -> Floats:
    """Fill an unknown window with the known one before it in its row, or else after it."""
    known = np.isfinite(windows)
    index = np.arange(windows.shape[-1])
    before = np.maximum.accumulate(np.where(known, index, -1), axis=-1)
    source = np.where(before >= 0, before, known.argmax(axis=-1)[..., None])
    filled: Floats = np.take_along_axis(windows, source, axis=-1)
    return filled


def _column(counts: Ints) -> Floats:
    return counts.astype(np.float64)[:, None]


def _log(value: Floats, base: Floats) -> Floats:
    base = base if base.ndim == value.ndim else base[:, None]
    return np.clip(np.log(value / base), -LOG_LIMIT, LOG_LIMIT)


def _names() -> tuple[str, ...]:
    seasonal = [f"{edge:+g}" for edge in SEASONAL_EDGES[:-1]]
    seasonal[_NOW - 1] = "now/then"
    return (
        *(f"recent[-{edge:g}]" for edge in RECENT_EDGES[:-1]),
        *(f"season{s}[{window}]" for s in (1, 2) for window in seasonal),
        *(f"season{s}_known" for s in (1, 2)),
        *(f"noise[{window:g}]" for window in NOISE_WINDOWS),
        "poisson_noise",
        "integrality",
        "size",
        "ready",
        "asked",
        *(f"warming[{k}]" for k in range(WARMING_BINS)),
        "stake",
        "worth",
        "slo",
        "capacity_noise",
        "step",
    )


NAMES = _names()
# A policy trained on other columns must not be served: the name of this set of columns.
SCHEMA = "features-" + hashlib.sha256("|".join(NAMES).encode()).hexdigest()[:12]

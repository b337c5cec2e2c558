"""The windows of observations in replicas, holes filled: what features are made of."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import RECENT_EDGES, SEASONAL_EDGES
from headstart_policy.series import LEAST_KNOWN

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Bools, Floats

# Rates are compared through their replicas plus a little: 0.01 against 0.02 replicas is no doubling
# of anything.
LEAST = 0.1
# The columns of windows that lie between edges; the levels come after them.
_RECENT, _SEASONAL = len(RECENT_EDGES) - 1, len(SEASONAL_EDGES) - 1
# The window between SEASONAL_EDGES that starts at "the same moment, in a season before".
NOW = int(np.flatnonzero(SEASONAL_EDGES == 0.0)[0])
# Lead times ahead that a decision of now is for, and the window that starts after them.
_AHEAD = 2.0
BEYOND = int(np.flatnonzero(SEASONAL_EDGES == _AHEAD)[0])


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


class ReplicaWindows(NamedTuple):
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

    @property
    def both_known(self) -> Bools:
        """Whether enough is known of what was before an echo, and of what came after."""
        return self.known & self.levels_known


def windows_of(observation: Observation) -> ReplicaWindows:
    """Read all windows of N observations, in replicas."""
    capacity = observation.profiles.capacity
    recent = observation.recent / capacity[:, None]
    seasonal = observation.seasonal / capacity[:, None, None]
    ahead, before = _fill(seasonal[..., :_SEASONAL]), _fill(seasonal[..., _SEASONAL:])
    return ReplicaWindows(
        recent=_fill(recent[:, :_RECENT]).windows,
        levels=_fill(_levels(recent)).windows,
        seasonal=ahead.windows,
        seasonal_levels=before.windows,
        # A restart of Prometheus leaves a hole of a few windows, and a season that vanished for
        # one would drop the replicas that it asked for.
        known=ahead.known >= LEAST_KNOWN,
        levels_known=before.known >= LEAST_KNOWN,
    )


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


def sum_of(columns: Floats) -> Floats:
    """Sum the columns one by one: numpy's own order depends on how many rows there are."""
    return reduce(np.add, np.moveaxis(columns, -1, 0))


def most_of(columns: Floats) -> Floats:
    """Take the largest of the columns: numpy's own way is for long rows, and these are short."""
    return reduce(np.maximum, np.moveaxis(columns, -1, 0))

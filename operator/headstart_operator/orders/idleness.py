"""Since when a service that may sleep is idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.activation import Activation

if TYPE_CHECKING:
    from headstart_operator.resource import ScaleToZero
    from headstart_operator.sources.history import Grid


def last_above(grid: Grid, rate: float) -> float | None:
    """Find the newest instant with a rate above ``rate`` requests/s; ``None``: there is none."""
    above = np.flatnonzero(grid.rates > rate)
    return (grid.first + int(above[-1])) * grid.step if above.size else None


def busy_until(
    before: float | None, grid: Grid, rate: float, time: float, *, asleep: bool
) -> float:
    """Return the instant since which a service is idle, s since the epoch.

    Parameters
    ----------
    before
        As the last decision left it; ``None``: this is the first.
    grid
        The recent rates, requests/s.
    rate
        ``activationRate``, requests/s.
    time
        Of the decision, s since the epoch.
    asleep
        Whether it has no replicas. One that sleeps already when it is first seen is left asleep;
        one that runs must be seen idle for long enough, as far back as rates are known.
    """
    seen = last_above(grid, rate)
    if before is None:
        known = np.flatnonzero(np.isfinite(grid.rates))
        oldest = (grid.first + int(known[0])) * grid.step if known.size else time
        before = 0.0 if asleep else oldest
    # What a clock that was set back since has noted lies ahead: it would keep awake for as long.
    return min(time, max(before, seen if seen is not None else before))


def activation(rules: ScaleToZero, busy: float, time: float) -> Activation:
    """Say how idle a service is at ``time``."""
    return Activation(rules.activation_rate, rules.idle_for, max(0.0, time - busy))

"""Whether to believe the newest rates of a history: when to ask, and what follows.

Joins a service's grid of rates to the rules of ``plausibility``. No I/O.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.sources import plausibility
from headstart_operator.sources.history import Gap
from headstart_policy.guardrails import FRESH_INTERVALS

if TYPE_CHECKING:
    from headstart_operator.sources.history import Grid, History
    from headstart_operator.sources.plausibility import Companion, Vanished
    from headstart_policy.types import Floats

# After a loss replicas only grow until the rate has been back for so much of a lead time.
RECOVERS_LEAD_TIMES = 0.5


class Fall(NamedTuple):
    """A fall, and what contributed to the rate meanwhile."""

    gap: Gap
    """The instants; all that follows is at these, shape (T,), NaN where there is none."""
    rates: Floats
    """Requests/s."""
    series: Floats
    """How many contributed."""
    replicas: float
    """Present replicas over the most that there were lately."""


def doubts(
    grid: Grid, companion: Companion, vanished: Vanished | None, instant: float
) -> Gap | None:
    """Name the instants at which to ask the companion query; ``None``: there is no need to.

    It is asked where the rate has just fallen, and while targets are away.
    """
    look = min(companion.look(grid.step), len(grid.rates))
    last = round(instant / grid.step)
    doubtful = vanished is not None or plausibility.fallen(grid.rates[-look:], companion.reach)
    if not doubtful or grid.last != last:
        return None
    return Gap(grid.step, last - look + 1, last, grid.phase)


def judged(
    fall: Fall, companion: Companion, vanished: Vanished | None, settle: float
) -> Vanished | None:
    """Judge a fall, or how one goes on; ``settle`` is as for :func:`plausibility.go_on`."""
    gap, rates, series = fall.gap, fall.rates, fall.series
    if vanished is None:
        first = gap.first * gap.step
        return plausibility.vanishing(first, gap.step, rates, series, fall.replicas)
    now = gap.last * gap.step
    return plausibility.go_on(
        vanished, now, float(rates[-1]), float(series[-1]), companion.reach, settle
    )


def recovers(history: History) -> bool:
    """Whether the rate has been back, after a loss, for too short to lower replicas by it."""
    lead_samples = history.profile.horizon / history.recent.step
    samples = max(FRESH_INTERVALS, math.ceil(RECOVERS_LEAD_TIMES * lead_samples))
    return plausibility.recovering(history.recent.rates, samples)

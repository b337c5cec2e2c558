"""The hour in which a contender lost the most to the best possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.backtest.contenders import CLAIRVOYANT

if TYPE_CHECKING:
    from headstart_policy.types import Floats
    from headstart_training.backtest.protocol import Contest

_HOUR = 3600.0


class Hour(NamedTuple):
    """One contender's worst hour."""

    start: int
    """First step of it."""
    end: int
    """First step after it."""
    lost: float
    """Dollars less than the clairvoyant earned in the same hour."""
    violation_minutes: float
    """Within the hour."""
    replica_hours: float
    """Paid for within the hour."""


def worst_hour(contest: Contest, name: str) -> Hour:
    """Find the hour (or the one step that is longer) with the largest loss.

    A loss is a violation that was avoidable, or replicas that nobody needed: whoever holds the
    most expensive of both is found, and what nobody could have helped is not held against anyone.
    """
    result = contest.results[name]
    interval = contest.service.interval
    lost = contest.results[CLAIRVOYANT].dollars[0] - result.dollars[0]
    counted = contest.calendar.counted
    width = min(max(round(_HOUR / interval), 1), len(lost))
    start = int(np.argmax(_moving_sum(np.where(counted, lost, 0.0), width)))
    within = slice(start, start + width)

    def total(values: Floats) -> float:
        return float(values[within][counted[within]].sum())

    return Hour(
        start=start,
        end=start + width,
        lost=total(lost),
        violation_minutes=total(result.violations[0]) * interval / 60,
        replica_hours=total(result.billed[0].astype(np.float64)) * interval / _HOUR,
    )


def _moving_sum(values: Floats, width: int) -> Floats:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    moving: Floats = sums[width:] - sums[:-width]
    return moving

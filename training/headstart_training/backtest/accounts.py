"""What a contender came to, day by day."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.backtest.services import DAY

if TYPE_CHECKING:
    from headstart_policy.types import Bools, Floats, Ints
    from headstart_training.backtest.services import Service
    from headstart_training.contest import Result


class Calendar(NamedTuple):
    """How the test half falls into days of UTC, or of 24 h from its start."""

    day: Ints
    """Which day each step belongs to, from 0, shape (T,)."""
    counted: Bools
    """Steps whose rate is known, shape (T,)."""
    lengths: Floats
    """Known time of each day, days, shape (D,)."""
    labels: tuple[str, ...]
    """ISO date, or ``day 1``."""

    def sums(self, values: Floats) -> Floats:
        """Sum the counted steps of each day, shape (D,)."""
        weights = np.where(self.counted, values, 0.0)
        sums = np.bincount(self.day, weights=weights, minlength=len(self.labels))
        return sums.astype(np.float64)


def calendar(service: Service) -> Calendar:
    """Divide the test half of a service into days."""
    half, interval = service.half, service.interval
    at = np.arange(len(service.rates) - half) * interval
    start = 0.0
    if service.start is not None:
        midnight = service.start.replace(hour=0, minute=0, second=0, microsecond=0)
        start = (service.start - midnight).total_seconds() + half * interval
    day = np.floor((start % DAY + at) / DAY + 1e-9).astype(np.int64)
    count = int(day[-1]) + 1
    if service.start is None:
        labels = tuple(f"day {k + 1}" for k in range(count))
    else:
        first = np.datetime64(service.start.date(), "D") + int(start // DAY)
        labels = tuple(str(first + k) for k in range(count))
    counted = service.known[half:]
    steps = np.bincount(day, weights=counted, minlength=count).astype(np.float64)
    return Calendar(day, counted, steps * (interval / DAY), labels)


class Account(NamedTuple):
    """What one contender came to on one service in each of D days."""

    days: Floats
    """Known time of each day, days, shape (D,)."""
    dollars: Floats
    """Earned less spent, shape (D,)."""
    violation_minutes: Floats
    """Expected minutes under the SLO, shape (D,)."""
    replica_hours: Floats
    """Paid for, shape (D,)."""

    @property
    def dollars_per_day(self) -> float:
        """Mean over the known time."""
        return float(self.dollars.sum() / self.days.sum())

    @property
    def violation_minutes_per_day(self) -> float:
        """Mean over the known time."""
        return float(self.violation_minutes.sum() / self.days.sum())

    @property
    def replica_hours_per_day(self) -> float:
        """Mean over the known time."""
        return float(self.replica_hours.sum() / self.days.sum())

    def to_json(self) -> dict[str, float]:
        """Turn into the figures of the report."""
        return {
            "dollars_per_day": self.dollars_per_day,
            "violation_minutes_per_day": self.violation_minutes_per_day,
            "replica_hours_per_day": self.replica_hours_per_day,
        }


def account(result: Result, days: Calendar) -> Account:
    """Add up one service's result by day."""
    interval = float(result.interval[0])
    return Account(
        days=days.lengths,
        dollars=days.sums(result.dollars[0]),
        violation_minutes=days.sums(result.violations[0] * interval / 60),
        replica_hours=days.sums(result.billed[0] * interval / 3600),
    )

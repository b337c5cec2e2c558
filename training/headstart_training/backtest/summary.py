"""One contender's record over all services: medians by class, pooled, worst, won."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_training.backtest.bootstrap import (
    DRAWS,
    Interval,
    draw_days,
    draw_services,
    interval,
)
from headstart_training.backtest.closure import closure, pooled_closure
from headstart_training.backtest.contenders import CLAIRVOYANT, HEADSTART, HPA_TUNED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.types import Floats
    from headstart_training.backtest.protocol import Contest

# Days of all services together, below which the days say nothing about their own spread.
LEAST_DAYS = 3


@dataclass(frozen=True)
class Record:
    """What one contender came to on N services, against the tuned HPA.

    Attributes
    ----------
    closures
        Of each service; NaN where the gap is too small.
    medians
        Median closure by class, and the services that have one.
    pooled
        Closure of the dollars of all services.
    worst
        Least closure, and the service that it is of; ``None`` where no service has one.
    won
        Services with more dollars than the tuned HPA.
    gain
        Dollars per day over the tuned HPA, sum over services.
    dollars_per_day, violation_minutes_per_day, replica_hours_per_day
        Means over services.
    """

    closures: Floats
    medians: dict[str, tuple[Interval, int]]
    pooled: Interval
    worst: tuple[float, str] | None
    won: int
    gain: Interval
    dollars_per_day: float
    violation_minutes_per_day: float
    replica_hours_per_day: float

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values."""
        return {
            "median_closure": {
                kind: {**median.to_json(), "services": count}
                for kind, (median, count) in self.medians.items()
            },
            "pooled_closure": self.pooled.to_json(),
            "worst_closure": None
            if self.worst is None
            else {"value": self.worst[0], "service": self.worst[1]},
            "services_won": self.won,
            "services": len(self.closures),
            "dollars_per_day_over_hpa_tuned": self.gain.to_json(),
            "dollars_per_day": self.dollars_per_day,
            "violation_minutes_per_day": self.violation_minutes_per_day,
            "replica_hours_per_day": self.replica_hours_per_day,
        }


def records(contests: Sequence[Contest]) -> dict[str, Record]:
    """Sum up every contender that played on all services, in the order of the first."""
    kinds = [str(contest.service.kind) for contest in contests]
    names = [n for n in contests[0].results if all(n in c.results for c in contests)]
    accounts = [contest.accounts for contest in contests]
    # Shape (N, contenders): what happened; (DRAWS, N, contenders): what might have.
    dollars = np.array([[of[name].dollars_per_day for name in names] for of in accounts])
    drawn = np.stack(
        [draw_days([of[n] for n in names], "dollars", k) for k, of in enumerate(accounts)], axis=1
    )
    rows = draw_services(kinds)
    drawn = drawn[np.arange(len(drawn))[:, None], rows]
    if not _enough(contests):
        drawn[:] = np.nan
    tuned, best = names.index(HPA_TUNED), names.index(CLAIRVOYANT)
    made = {}
    for k, name in enumerate(names):
        closures = closure(dollars[:, k], dollars[:, tuned], dollars[:, best])
        maybe = closure(drawn[..., k], drawn[..., tuned], drawn[..., best])
        made[name] = Record(
            closures=closures,
            medians={
                kind: _median(closures, maybe, np.array(kinds) == kind)
                for kind in sorted(set(kinds))
            },
            pooled=interval(
                float(pooled_closure(dollars[:, k], dollars[:, tuned], dollars[:, best])),
                pooled_closure(drawn[..., k], drawn[..., tuned], drawn[..., best]),
            ),
            worst=_worst(closures, contests),
            won=int((dollars[:, k] > dollars[:, tuned]).sum()),
            gain=interval(
                float((dollars[:, k] - dollars[:, tuned]).sum()),
                (drawn[..., k] - drawn[..., tuned]).sum(axis=1),
            ),
            dollars_per_day=float(dollars[:, k].mean()),
            violation_minutes_per_day=_mean(accounts, name, "violation_minutes_per_day"),
            replica_hours_per_day=_mean(accounts, name, "replica_hours_per_day"),
        )
    return made


def gain(contests: Sequence[Contest]) -> Interval:
    """Headstart's dollars per day over its reference's, all services together.

    Only days are drawn: these services are the ones that it is about.
    """
    value, draws = 0.0, np.zeros(DRAWS)
    for k, contest in enumerate(contests):
        both = [contest.accounts[HEADSTART], contest.accounts[contest.reference]]
        drawn = draw_days(both, "dollars", k)
        value += both[0].dollars_per_day - both[1].dollars_per_day
        draws = draws + drawn[:, 0] - drawn[:, 1]
    return interval(value, draws if _enough(contests) else np.full(DRAWS, np.nan))


def _enough(contests: Sequence[Contest]) -> bool:
    """One day drawn again and again is always the same: it would look like certainty."""
    days = sum(float(contest.calendar.lengths.sum()) for contest in contests)
    return days >= LEAST_DAYS


def _mean(accounts: Sequence[dict[str, Any]], name: str, figure: str) -> float:
    return float(np.mean([getattr(of[name], figure) for of in accounts]))


def _median(closures: Floats, maybe: Floats, of_kind: Any) -> tuple[Interval, int]:
    known = closures[of_kind]
    count = int(np.isfinite(known).sum())
    if not count:
        return Interval(np.nan, np.nan, np.nan), 0
    with warnings.catch_warnings():
        # A draw may hold no service with a gap to close; it then has no median either.
        warnings.simplefilter("ignore", RuntimeWarning)
        medians = np.nanmedian(maybe[:, of_kind], axis=1)
    return interval(float(np.nanmedian(known)), medians), count


def _worst(closures: Floats, contests: Sequence[Contest]) -> tuple[float, str] | None:
    if not np.isfinite(closures).any():
        return None
    at = int(np.nanargmin(closures))
    return float(closures[at]), contests[at].service.name

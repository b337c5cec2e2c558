"""What each day came to, by the calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_training.backtest.accounts import Account, account, calendar
from headstart_training.backtest.costs import cost_per_day
from headstart_training.backtest.services import Service
from tests.unit.training.backtest.recordings import MONDAY, service

if TYPE_CHECKING:
    from headstart_training.backtest.judgement import Judgement


@pytest.mark.parametrize(
    ("start", "labels", "lengths"),
    [
        (MONDAY, ["2026-03-04", "2026-03-05"], [1.0, 1.0]),
        (
            MONDAY + timedelta(hours=6),
            ["2026-03-04", "2026-03-05", "2026-03-06"],
            [0.75, 1.0, 0.25],
        ),
        # A zone of its own keeps its own midnights.
        (
            datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=5))),
            ["2026-03-04", "2026-03-05", "2026-03-06"],
            [0.5, 1.0, 0.5],
        ),
        (None, ["day 1", "day 2"], [1.0, 1.0]),
    ],
)
def test_the_test_half_falls_into_days(
    start: datetime | None, labels: list[str], lengths: list[float]
) -> None:
    days = calendar(replace(service(), start=start))
    assert list(days.labels) == labels
    assert days.lengths == pytest.approx(lengths)


def test_a_leap_day_is_a_day() -> None:
    start = datetime(2024, 2, 27, tzinfo=UTC)
    assert calendar(replace(service(), start=start)).labels == ("2024-02-29", "2024-03-01")


def test_what_is_unknown_counts_for_nothing() -> None:
    rates = service().rates.copy()
    rates[576 : 576 + 144] = np.nan
    days = calendar(Service("checkout", rates, 300.0, 300.0, MONDAY))
    assert days.lengths == pytest.approx([0.5, 1.0])
    assert days.sums(np.ones(576)) == pytest.approx([144, 288])


def test_means_are_over_the_known_time() -> None:
    account = Account(
        days=np.array([0.5, 1.0]),
        dollars=np.array([30.0, 60.0]),
        violation_minutes=np.array([0.0, 3.0]),
        replica_hours=np.array([15.0, 0.0]),
    )
    assert account.to_json() == {
        "dollars_per_day": 60.0,
        "violation_minutes_per_day": 2.0,
        "replica_hours_per_day": 10.0,
    }


def test_days_add_up_to_the_whole(judgement: Judgement) -> None:
    contest = judgement.contest
    for result in contest.results.values():
        came = account(result, contest.calendar)
        assert came.dollars_per_day == pytest.approx(result.dollars_per_day[0])
        assert came.replica_hours_per_day == pytest.approx(result.replica_hours_per_day[0])


def test_costs_differ_by_what_was_earned(judgement: Judgement) -> None:
    """The page's costs and the JSON's dollars tell the same differences."""
    contest = judgement.contest
    one, other = contest.accounts["headstart"], contest.accounts["hpa_tuned"]
    costs = cost_per_day(contest, other) - cost_per_day(contest, one)
    assert costs == pytest.approx(one.dollars_per_day - other.dollars_per_day)

"""Replica-hours at equal violations, read off the HPA's settings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from headstart_training.backtest.front import Front, Point, efficient, hours_at

if TYPE_CHECKING:
    from headstart_training.backtest.judgement import Judgement


def point(hours: float, minutes: float, setting: float = 0.0) -> Point:
    return Point(setting, hours, minutes, 0.0)


HPA = (point(100, 10.0), point(150, 1.0), point(160, 2.0), point(200, 0.1), point(300, 1e-9))


def test_what_is_beaten_in_both_is_left_out() -> None:
    assert [p.replica_hours for p in efficient(HPA)] == [100, 150, 200, 300]


def test_of_settings_without_violations_the_leanest_counts() -> None:
    """0.01 minutes a day is half a second: nobody pays another replica to have less."""
    spotless = (point(200, 1e-3), point(300, 1e-30))
    assert [p.replica_hours for p in efficient(spotless)] == [200]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (10.0, 100),
        (1.0, 150),
        # Halfway in the logarithm.
        (math.sqrt(10.0), 125),
        (1e-20, 300),
        # Nothing is extrapolated.
        (11.0, math.nan),
    ],
)
def test_hours_between_two_settings(minutes: float, expected: float) -> None:
    assert hours_at(HPA, minutes) == pytest.approx(expected, nan_ok=True)


def test_violations_below_all_settings_compare_with_nothing() -> None:
    assert math.isnan(hours_at((point(100, 10.0), point(200, 1.0)), 0.5))


@pytest.mark.parametrize(("hours", "saving"), [(120, 0.2), (150, 0.0), (180, -0.2)])
def test_the_saving_is_a_share_of_the_hpas_hours(hours: float, saving: float) -> None:
    front = Front((point(1, 0.0, 0.5), point(hours, 1.0, 1.0)), HPA)
    assert front.saving == pytest.approx(saving)
    assert front.to_json()["replica_hours_saved_at_equal_violations"] == front.saving


def test_who_fears_violations_more_pays_for_more_replicas(judgement: Judgement) -> None:
    """From end to end: the selector may follow another candidate at one price than at the next."""
    least, *_, most = judgement.front.headstart
    assert least.setting < most.setting
    assert least.replica_hours < most.replica_hours
    shipped = next(p for p in judgement.front.headstart if p.setting == 1.0)
    assert shipped.replica_hours == pytest.approx(
        judgement.contest.accounts["headstart"].replica_hours_per_day
    )

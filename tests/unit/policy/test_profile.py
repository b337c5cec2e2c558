"""Profiles refuse what has no answer, and stack without loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from headstart_policy.profile import Objective, Profile, Profiles
from tests.unit.policy.build import a_profile


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"slo": 1.0}, "slo = 1.0, must be in (0, 1)"),
        ({"slo": math.nan}, "slo = nan, must be in (0, 1)"),
        ({"replica_cost": 0.0}, "replica_cost = 0, must be greater than 0"),
        ({"request_value": -1.0}, "request_value = -1, must be at least 0"),
        ({"violation_cost": math.inf}, "violation_cost = inf, must be finite"),
    ],
)
def test_impossible_economics_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=r"must be") as caught:
        Objective(**values)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"capacity": 0.0}, "capacity = 0, must be greater than 0"),
        ({"lead_time": -1.0}, "lead_time = -1, must be greater than 0"),
        ({"interval": math.nan}, "interval = nan, must be finite"),
        ({"capacity_noise": -0.1}, "capacity_noise = -0.1, must be at least 0"),
        ({"seasons": (600.0,)}, "season = 600, must be greater than 600"),
    ],
)
def test_impossible_profiles_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"must be") as caught:
        a_profile(**values)
    assert str(caught.value) == message


def test_stacking_converts_money_to_seconds_and_requests() -> None:
    """The seed's 0.05 $/min, 0.90 $ per 1,000 and 200 $/min are the defaults."""
    stacked = Profiles.stack([a_profile(seasons=(7200.0, 3600.0)), a_profile(seasons=())])
    assert stacked.replica_cost * 60 == pytest.approx([0.05, 0.05])
    assert stacked.request_value * 1000 == pytest.approx([0.9, 0.9])
    assert stacked.violation_cost * 60 == pytest.approx([200, 200])
    np.testing.assert_array_equal(stacked.seasons, [[3600, 7200], [np.nan, np.nan]])


def test_more_seasons_than_a_policy_sees_are_refused() -> None:
    profile = Profile(5.0, 60.0, 15.0, seasons=(1000.0, 2000.0, 3000.0))
    with pytest.raises(ValueError, match="seasons has 3 entries, at most 2"):
        Profiles.stack([profile])


def test_lead_steps_are_whole_intervals() -> None:
    """2.1 / 0.7 is 3.0000000000000004 in floats."""
    profiles = [
        Profile(capacity=5.0, lead_time=lead, interval=interval, seasons=())
        for lead, interval in ((300.0, 60.0), (301.0, 60.0), (2.1, 0.7), (5.0, 60.0))
    ]
    assert Profiles.stack(profiles).lead_steps.tolist() == [5, 6, 3, 1]


def test_a_decision_looks_ahead_to_the_next_one_at_least() -> None:
    """A lead time of two minutes with rates of five is served as one of five, not out of bounds."""
    short = Profile(capacity=5.0, lead_time=120.0, interval=300.0)
    same = Profile(capacity=5.0, lead_time=300.0, interval=300.0)
    assert short.horizon == 300.0
    stacked = Profiles.stack([short, same])
    assert stacked.lead_time.tolist() == [300.0, 300.0]
    assert stacked.lead_steps.tolist() == [1, 1]

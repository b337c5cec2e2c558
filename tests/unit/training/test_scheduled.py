"""The plan from the same time last season."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headstart_training.baselines import scheduled
from headstart_training.baselines.scheduled import Scheduled
from tests.unit.training.plain import a_world

if TYPE_CHECKING:
    from headstart_training.simulator import World

DAY = 12
SEASON = 60.0 * DAY


def _world(rates: Any, past: int = DAY) -> World:
    """Days of 12 minutes, a lead time of 2."""
    return a_world(rates, past=past, lead=120.0, initial=3, seasons=(SEASON, 4 * SEASON))


def test_it_asks_one_lead_time_ahead_for_what_was_needed_then() -> None:
    day = np.array([10.0] * 6 + [50.0] * 6)
    path = Scheduled(SEASON, 0.0).path(_world(np.tile(day, 3)))[0]
    assert path[:DAY].tolist() == [2, 2, 2, 2, 10, 10, 10, 10, 10, 10, 10, 10]


def test_the_margin_is_in_standard_deviations_of_load_and_replicas() -> None:
    """Window of 3 steps: mean 20, deviation sqrt(50 / 3); 10 % of a replica's capacity on top."""
    day = np.tile([15.0, 20.0, 25.0], 4)
    path = Scheduled(SEASON, 2.0, window=180.0).path(_world(np.tile(day, 3)))[0]
    deviation = math.sqrt(50 / 3 + 2.0**2)
    assert path[3] == math.ceil((20 + 2 * deviation) / 5)


def test_several_seasons_are_averaged_and_gaps_left_out() -> None:
    rates = np.concatenate([np.full(DAY, 10.0), np.full(DAY, 30.0), np.full(2 * DAY, np.nan)])
    world = _world(rates, past=2 * DAY)
    assert Scheduled(SEASON, 0.0, times=2).path(world)[0, 0] == 4
    # A day later the last day is a gap, and the one before it is all there is.
    assert Scheduled(SEASON, 0.0, times=2).path(world)[0, DAY] == 6


def test_without_a_season_it_plans_for_the_newest_rate() -> None:
    world = _world(np.full(2 * DAY, 20.0), past=3)
    path = Scheduled(SEASON, 1.0).path(world)[0]
    assert path[0] == math.ceil(22 / 5)
    assert Scheduled(SEASON, 1.0).path(_world(np.full(9, np.nan), past=1))[0].tolist() == [3] * 8


def test_nothing_is_read_that_is_not_known_yet() -> None:
    rng = np.random.default_rng(0)
    rates = rng.uniform(10.0, 100.0, 6 * DAY)
    other = rates.copy()
    other[4 * DAY :] = 1.0
    setting = Scheduled(SEASON, 1.0, window=3600.0, times=3)
    one, two = setting.path(_world(rates))[0], setting.path(_world(other))[0]
    np.testing.assert_array_equal(one[: 3 * DAY + 1], two[: 3 * DAY + 1])


def test_only_seasons_that_were_shown_are_offered() -> None:
    short, long = _world(np.ones(3 * DAY), past=1), _world(np.ones(12 * DAY), past=4 * DAY)
    assert {s.season for s in scheduled.grid(short)} == {SEASON}
    assert {s.season for s in scheduled.grid(long)} == {SEASON, 4 * SEASON}
    nothing = a_world(np.ones(20))
    assert {len(scheduled.grid(nothing)), len({s.margin for s in scheduled.grid(nothing)})} == {12}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"season": 0.0, "margin": 1.0}, "season = 0.0, must be greater than 0 s"),
        ({"season": 1.0, "margin": -1.0}, "margin = -1.0, must be finite and at least 0"),
        ({"season": 1.0, "margin": 1.0, "times": 0}, "times = 0, must be at least 1"),
    ],
)
def test_senseless_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scheduled(**arguments)

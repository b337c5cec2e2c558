"""Hourly forecasts on top of an HPA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headstart_policy.behavior import Behavior
from headstart_training.baselines import forecast
from headstart_training.baselines.forecast import Forecast, predict
from headstart_training.baselines.hpa import HPA
from tests.unit.training.plain import a_world

if TYPE_CHECKING:
    from headstart_training.simulator import World

# A day of 24 "hours" of 4 steps each.
HOUR, DAY = 4, 96


def _world(rates: Any, past: int) -> World:
    return a_world(rates, past=past, lead=120.0, seasons=(60.0 * DAY,))


def test_an_hour_is_forecast_from_the_same_hour_of_past_days() -> None:
    rng = np.random.default_rng(0)
    rates = rng.uniform(10.0, 90.0, 4 * DAY)
    predicted = predict(_world(rates, 3 * DAY), 2)[0]
    hours = rates.reshape(4, 24, HOUR).mean(axis=2)[1:3].mean(axis=0)
    # Two steps, the lead time, before the next hour begins, the larger of the two counts.
    assert predicted[0] == pytest.approx(hours[0])
    assert predicted[2] == pytest.approx(max(hours[0], hours[1]))
    assert predicted[5] == pytest.approx(hours[1])


def test_nothing_is_read_that_is_not_known_yet() -> None:
    rates = np.random.default_rng(0).uniform(10.0, 90.0, 5 * DAY)
    other = rates.copy()
    other[3 * DAY :] = 1.0
    one, two = (predict(_world(r, DAY), 3)[0] for r in (rates, other))
    np.testing.assert_array_equal(one[: 2 * DAY + 1], two[: 2 * DAY + 1])


def test_capacity_is_there_when_the_hour_begins() -> None:
    day = np.repeat([10.0, 60.0] * 12, HOUR)
    hpa = HPA(0.6, behavior=Behavior())
    world = _world(np.tile(day, 3), DAY)
    path = Forecast(hpa, 1).path(world)[0]
    assert path[[1, 2, 4]].tolist() == [4, 20, 20]
    assert hpa.path(world)[0][[1, 2, 4, 5]].tolist() == [4, 4, 4, 20]


def test_without_days_or_data_it_is_the_hpa() -> None:
    rates = np.linspace(10.0, 90.0, 50)
    plain, early = a_world(rates), _world(rates, 1)
    for world in (plain, early):
        np.testing.assert_array_equal(Forecast(HPA(0.7), 1).path(world), HPA(0.7).path(world))


def test_gaps_are_left_out() -> None:
    rates = np.tile(np.full(DAY, 30.0), 4)
    rates[DAY : DAY + 50] = np.nan
    predicted = predict(_world(rates, 2 * DAY), 1)[0]
    assert np.isnan(predicted[0])
    assert predicted[60] == pytest.approx(30.0)


def test_only_days_that_can_be_averaged_are_offered() -> None:
    two = forecast.grid(_world(np.ones(2 * DAY), 1))
    assert {f.days for f in two} == {1}
    assert len(two) == 13 * 3  # One replica is all that a load of nothing needs.
    assert {f.days for f in forecast.grid(a_world(np.ones(30)))} == {1}


def test_no_days_are_refused() -> None:
    with pytest.raises(ValueError, match="days = 0, must be at least 1"):
        Forecast(HPA(0.7), 0)

"""What is expected a lead time ahead."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_policy.forecast import forecast
from tests.unit.policy.build import a_profile, an_observation

# A season of 60 samples that rises from 10 to 69, and a lead time of 5 samples.
RISING = np.arange(10.0, 70.0)


def test_a_rise_of_last_season_is_expected_again() -> None:
    """At sample 30 of the second season 37.75 is the level; the season before went on to 44."""
    rates = np.concatenate([RISING, RISING[:30]])[None]
    expected = forecast(an_observation(rates, a_profile()))
    assert expected[0] == pytest.approx(44.0, abs=0.5)


def test_twice_the_load_is_expected_to_move_alike() -> None:
    rates = np.concatenate([RISING, 2 * RISING[:30]])[None]
    once = forecast(an_observation(np.concatenate([RISING, RISING[:30]])[None], a_profile()))
    assert forecast(an_observation(rates, a_profile()))[0] == pytest.approx(2 * once[0], rel=0.03)


def test_without_a_season_the_level_is_expected() -> None:
    assert forecast(an_observation(np.full((1, 30), 20.0)))[0] == pytest.approx(20.0)


def test_without_anything_nothing_is_expected() -> None:
    assert np.isnan(forecast(an_observation(np.full((1, 30), np.nan)))[0])

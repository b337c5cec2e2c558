"""A base stock foresees what seasons repeat, by the median of them, and knows its own noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy.base_stock import SPANS, BaseStock, base_stock
from headstart_policy.windows import windows_of
from tests.unit.policy.build import a_profile, an_observation

if TYPE_CHECKING:
    from headstart_policy.profile import Profile

# Of a_profile: samples of a minute, a lead time of five, a day of an hour, a week of three.
DAY, WEEK = 60, 180
PROFILE = a_profile(seasons=(DAY * 60.0, WEEK * 60.0))
LENGTH = 400


def seen(rates: np.ndarray, profile: Profile = PROFILE) -> BaseStock:
    """Look at one service after its last sample; a replica serves 5 requests/s."""
    observation = an_observation(rates[None], profile)
    return base_stock(observation, windows_of(observation))


def wave(length: int = LENGTH) -> np.ndarray:
    """Rise and fall between 20 and 100 requests/s, once a day."""
    return 60 - 40 * np.cos(2 * np.pi * np.arange(length) / DAY)


def test_what_each_season_repeats_is_foreseen() -> None:
    """Of the smooth wave the highest mean of the windows that come next, whatever the level."""
    for scale in (1.0, 3.0):
        rates = wave(LENGTH + 10) * scale
        came = rates[LENGTH:] / 5
        most = max(came[:2].mean(), came[2:5].mean(), came[5:10].mean())
        foreseen = seen(rates[:LENGTH])
        np.testing.assert_allclose(foreseen.steady[0, :2], most, rtol=0.15)
        assert foreseen.disagreement[0] == pytest.approx(0.0, abs=1e-9)


def test_a_level_that_has_shifted_moves_as_before() -> None:
    """Twice as much since a day ago: twice as much will come."""
    shifted = wave()
    shifted[-DAY + 12 :] *= 2
    np.testing.assert_allclose(seen(shifted).steady[0, 0], 2 * seen(wave()).steady[0, 0], rtol=0.02)


@pytest.mark.parametrize("echo", [DAY, 2 * DAY, WEEK])
def test_one_season_of_three_that_was_an_outage_is_not_followed(echo: int) -> None:
    """As the end of an outage is a rise to a multiple, which will not come again."""
    rates = wave()
    moment = LENGTH - echo
    # Down until that very moment; the other seasons, and now, are untouched.
    rates[moment - 6 : moment] = 0.0
    foreseen = seen(rates)
    np.testing.assert_allclose(foreseen.steady[0, 0], seen(wave()).steady[0, 0], rtol=0.1)
    assert foreseen.disagreement[0] > 0.1


@pytest.mark.parametrize("known", [0, DAY + 90, 2 * DAY + 90])
def test_seasons_that_are_not_known_are_not_asked(known: int) -> None:
    """None: the levels stand still. One or two: their move, or the mean of their moves."""
    rates = wave()
    if known:
        rates[: LENGTH - known] = np.nan
        np.testing.assert_allclose(seen(rates).steady[0, 0], seen(wave()).steady[0, 0], rtol=0.02)
        return
    rates[: LENGTH - 50] = np.nan
    foreseen = seen(rates)
    np.testing.assert_allclose(foreseen.steady[0, 0], rates[-10:].mean() / 5, rtol=0.02)
    np.testing.assert_array_equal(foreseen.spread, foreseen.spread_then)
    assert foreseen.disagreement[0] == 0.0


def test_spreads_are_the_standard_deviations_that_were_drawn() -> None:
    """10 replicas' load: 2 requests/s of noise now, 4 around the moments before."""
    random = np.random.default_rng(0)
    length, day = 900, 240
    rates = 50 + 2 * random.normal(size=length)
    for echo in (day, 2 * day):
        around = slice(length - echo - 40, length - echo + 40)
        rates[around] = 50 + 4 * random.normal(size=80)
    fleet = 0.1 * np.sqrt(10)
    foreseen = seen(rates, a_profile(seasons=(day * 60.0,)))
    assert foreseen.spread[0] == pytest.approx(np.hypot(2 / 5, fleet), rel=0.1)
    assert foreseen.spread_then[0] == pytest.approx(np.hypot(4 / 5, fleet), rel=0.1)
    assert foreseen.order_up_to(np.array([0.0, 4.0]))[0, 1] == pytest.approx(
        foreseen.steady.mean()
        + 4 * np.sqrt((foreseen.spread[0] ** 2 + foreseen.spread_then[0] ** 2) / 2)
    )


@given(st.floats(0.01, 1e6), st.integers(0, 100))
def test_it_is_in_replicas_whatever_is_counted(scale: float, seed: int) -> None:
    rates = np.random.default_rng(seed).uniform(0, 100, (1, LENGTH))
    one = an_observation(rates, PROFILE)
    other = an_observation(rates * scale, a_profile(capacity=5 * scale, seasons=PROFILE.seasons))
    for here, there in zip(
        base_stock(one, windows_of(one)), base_stock(other, windows_of(other)), strict=True
    ):
        np.testing.assert_allclose(here, there, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("level", [0.02, 0.1, 2.0])
def test_small_services_rise_as_they_did(level: float) -> None:
    """From next to nothing to 20 times that, each day at this hour."""
    rates = np.full(LENGTH + 10, 5 * level)
    for day in range(0, LENGTH + 10, DAY):
        rates[day + LENGTH % DAY : day + LENGTH % DAY + 10] *= 20
    foreseen = seen(rates[:LENGTH])
    np.testing.assert_allclose(foreseen.steady[0, 0], 20 * level, rtol=0.05)


def test_a_young_service_knows_its_noise_from_what_it_has_seen() -> None:
    """Twelve lead times: the longest window is not known, the others are."""
    rates = np.full(LENGTH, np.nan)
    rates[-60:] = 50 + 10 * np.random.default_rng(0).normal(size=60)
    assert seen(rates).spread[0] == pytest.approx(2.0, rel=0.2)


def test_nobody_is_looked_at() -> None:
    nobody = an_observation(np.full((1, LENGTH), 50.0), PROFILE).take(np.array([], dtype=np.int64))
    assert base_stock(nobody, windows_of(nobody)).steady.shape == (0, len(SPANS))


def test_nothing_known_is_no_load() -> None:
    """Not a number would go through all that is computed of it."""
    foreseen = seen(np.full(LENGTH, np.nan))
    np.testing.assert_array_equal(foreseen.steady, np.zeros((1, len(SPANS))))
    assert np.isfinite(np.concatenate([np.ravel(part) for part in foreseen])).all()

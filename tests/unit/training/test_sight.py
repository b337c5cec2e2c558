"""What decisions see: the operator's own functions on a late, smoothed load, never the future."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_policy.observation import Observation, echoes, look_around, look_back, look_far
from headstart_policy.profile import Profile, Profiles
from headstart_policy.series import CumulativeRates
from headstart_training.sight import measure, see
from tests.unit.policy.build import an_observation

PROFILE = Profile(capacity=5.0, lead_time=300.0, interval=60.0, seasons=(3600.0,))


def _loads(services: int, steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(10.0, 100.0, (services, steps))


def test_measuring_averages_the_window_and_is_late() -> None:
    rates = np.array([[1.0, 2.0, 6.0, 4.0], [1.0, 2.0, 6.0, 4.0]])
    seen = measure(rates, lag=np.array([0, 1]), window=np.array([1, 2]))
    np.testing.assert_allclose(seen[0], [1.0, 2.0, 6.0, 4.0])
    np.testing.assert_allclose(seen[1], [np.nan, 1.0, 1.5, 4.0])


def test_a_path_is_seen_as_the_operator_sees_it_tick_by_tick() -> None:
    """One call for all moments equals the policy's own functions at each of them."""
    seen = _loads(2, 150)
    seen[0, 100:104] = np.nan
    profiles = Profiles.stack([PROFILE] * 2)
    sight = see(seen, np.array([90, 103, 150]), profiles, profiles.interval)
    for k, moment in enumerate((90, 103, 150)):
        expected = an_observation(seen, PROFILE, at=[moment] * 2)
        for name in ("recent", "roughness", "seasonal", "seasonal_roughness", "extremes"):
            np.testing.assert_array_equal(getattr(sight, name)[:, k], getattr(expected, name))


@given(lag=st.integers(0, 4), width=st.integers(1, 5), seed=st.integers(0, 99))
def test_what_is_measured_is_the_mean_of_the_window_some_steps_ago(
    lag: int, width: int, seed: int
) -> None:
    """Step by step: nothing at first, then what a window holds that ended ``lag`` steps ago."""
    rates = _loads(1, 20, seed)
    seen = measure(rates, np.array([lag]), np.array([width]))[0]
    for t in range(20):
        window = rates[0, max(t - lag + 1 - width, 0) : max(t - lag + 1, 0)]
        assert seen[t] == pytest.approx(window.mean() if len(window) else np.nan, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(
    lead=st.floats(30.0, 900.0),
    season=st.sampled_from([(), (1900.0,), (3600.0, 25_000.0)]),
    unknown=st.floats(0.0, 0.9),
    pace=st.sampled_from([1.0, 0.37, 7.0]),
    seed=st.integers(0, 99),
)
def test_whatever_is_seen_is_seen_as_the_operator_does(
    lead: float, season: tuple[float, ...], unknown: float, pace: float, seed: int
) -> None:
    """To the last bit: leads of any length, gaps, seasons that are missing or too short."""
    rng = np.random.default_rng(seed)
    seen = _loads(3, 300, seed)
    seen[:2] = np.where(rng.random((2, 300)) < unknown, np.nan, seen[:2])
    profile = Profile(5.0, lead_time=lead, interval=60.0, seasons=season)
    profiles = Profiles.stack([profile] * 3)
    moments = np.minimum(150.0 + pace * np.arange(700), 300.0)
    sight = see(seen, moments, profiles, profiles.interval)
    sums, leads = CumulativeRates.of(seen), profiles.lead_time / 60.0
    for k in (0, 1, 350, 511, 512, 699):
        now = np.full(3, moments[k])
        recent, roughness = look_back(sums, now, leads)
        np.testing.assert_array_equal(sight.recent[:, k], recent)
        np.testing.assert_array_equal(sight.roughness[:, k], roughness)
        around, then = look_around(sums, now, leads, echoes(profiles.seasons) / 60.0)
        np.testing.assert_array_equal(sight.seasonal[:, k], around)
        np.testing.assert_array_equal(sight.seasonal_roughness[:, k], then)
    for i in range(3):
        far = look_far(CumulativeRates.of(seen[i, None]), moments, float(leads[i]))
        np.testing.assert_array_equal(sight.extremes[i], far)


def test_the_newest_rate_has_an_age_and_may_be_unknown() -> None:
    seen = np.array([[np.nan, np.nan, 7.0, np.nan, np.nan]])
    profiles = Profiles.stack([PROFILE])
    sight = see(seen, np.array([0, 2, 3, 5]), profiles, profiles.interval)
    np.testing.assert_array_equal(sight.newest[0], [np.nan, np.nan, 7.0, 7.0])
    np.testing.assert_array_equal(sight.age[0], [np.inf, np.inf, 0.0, 120.0])


@given(moment=st.integers(1, 159), lag=st.integers(0, 2), window=st.integers(1, 3))
def test_no_observation_depends_on_what_comes_later(moment: int, lag: int, window: int) -> None:
    """Another future, from the moment on, changes nothing that is seen at it."""
    past, other = _loads(1, 160), _loads(1, 160, seed=1)
    other[:, :moment] = past[:, :moment]
    profiles = Profiles.stack([PROFILE])
    sights = [
        see(
            measure(rates, np.array([lag]), np.array([window])),
            np.array([moment]),
            profiles,
            profiles.interval,
        )
        for rates in (past, other)
    ]
    for one, two in zip(*sights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_an_observation_joins_the_load_with_the_fleet() -> None:
    seen = _loads(1, 100)
    profiles = Profiles.stack([PROFILE])
    sight = see(seen, np.array([80, 100]), profiles, profiles.interval)
    counts = np.array([9])
    observation = sight.observation(1, profiles, counts, np.zeros((1, 4), dtype=np.int64), counts)
    expected = an_observation(seen, PROFILE, current=9)
    assert isinstance(observation, Observation)
    assert observation.to_json() == expected.to_json()


def test_a_late_rate_of_no_step_is_refused_by_numpy() -> None:
    with pytest.raises(ValueError, match="zip"):
        measure(_loads(1, 5), np.array([0, 1]), np.array([1]))

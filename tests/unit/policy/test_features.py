"""Features have no unit, are finite whatever comes, and do not depend on their batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headstart_policy.features import EXTREMES, NAMES, features
from headstart_policy.observation import Observation
from headstart_policy.profile import Objective
from headstart_policy.windows import load_of
from tests.unit.policy.build import a_profile, an_observation


def paths(largest: float) -> st.SearchStrategy[np.ndarray]:
    """Draw three services' rates, with gaps."""
    rates = st.one_of(st.just(np.nan), st.floats(0, largest))
    return hnp.arrays(np.float64, st.tuples(st.just(3), st.integers(1, 200)), elements=rates)


@given(paths(1e7), st.integers(0, 10_000))
def test_always_finite_and_named(rates: np.ndarray, current: int) -> None:
    matrix = features(an_observation(rates, current=current))
    assert matrix.shape == (3, len(NAMES))
    assert np.isfinite(matrix).all()
    assert np.abs(matrix).max() <= 3.0


@given(paths(1e3), st.sampled_from([1e-3, 0.5, 7.0, 1e3]))
def test_the_unit_of_requests_cancels(rates: np.ndarray, scale: float) -> None:
    """Counting pages instead of requests changes neither demand nor features."""
    goal = Objective()
    observed = an_observation(rates, a_profile())
    scaled_goal = replace(goal, request_value=goal.request_value / scale)
    scaled = an_observation(rates * scale, a_profile(capacity=5 * scale, objective=scaled_goal))
    columns = [k for k, name in enumerate(NAMES) if name != "poisson_noise"]
    np.testing.assert_allclose(
        features(observed)[:, columns], features(scaled)[:, columns], rtol=1e-4, atol=1e-4
    )


@given(paths(1e3), st.sampled_from([0.1, 60.0]))
def test_the_unit_of_time_cancels(rates: np.ndarray, scale: float) -> None:
    """A demo at a minute per second sees what the service sees at a minute per minute."""
    fast = a_profile(
        capacity=5.0 / scale,
        lead_time=300 * scale,
        interval=60 * scale,
        seasons=(3600.0 * scale,),
        objective=Objective(replica_cost=3 / scale, violation_cost=200 / scale),
    )
    np.testing.assert_allclose(
        features(an_observation(rates, a_profile())),
        features(an_observation(rates / scale, fast)),
        rtol=1e-4,
        atol=1e-4,
    )


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_a_row_does_not_depend_on_its_batch(seed: int) -> None:
    random = np.random.default_rng(seed)
    observation = an_observation(random.uniform(0, 100, (50, 100)))
    order = random.permutation(50)
    np.testing.assert_array_equal(features(observation)[order], features(observation.take(order)))
    alone = [features(observation.take(np.array([i])))[0] for i in range(50)]
    np.testing.assert_array_equal(features(observation), alone)


def test_no_history_is_masked_not_guessed() -> None:
    column = NAMES.index("season1x1_known")
    fresh = features(an_observation(np.full((1, 5), 10.0)))
    old = features(an_observation(np.full((1, 500), 10.0)))
    assert fresh[0, column] == 0.0
    assert old[0, column] == 1.0
    seasonal = [k for k, name in enumerate(NAMES) if name.startswith("season1x1[")]
    assert not fresh[0, seasonal].any()


@pytest.mark.parametrize(
    ("newest", "level"),
    [
        ([10.0, 10.0, 10.0], 10.0),
        ([10.0, 10.0, np.nan], 10.0),
        ([np.nan, np.nan, np.nan], 10.0),
    ],
)
def test_the_level_survives_a_missed_scrape(newest: list[float], level: float) -> None:
    """Unknown windows are filled from their neighbours: a gap is not a fall to zero."""
    rates = np.full((1, 40), 10.0)
    rates[0, -3:] = newest
    assert load_of(an_observation(rates)).level == pytest.approx([level])


def test_nothing_known_is_not_zero() -> None:
    assert np.isnan(load_of(an_observation(np.full((1, 40), np.nan))).level).all()
    assert isinstance(an_observation(np.zeros((1, 40))), Observation)
    assert load_of(an_observation(np.zeros((1, 40)))).level == [0.0]


def test_a_hole_in_the_season_does_not_hide_it() -> None:
    """Prometheus was restarted an hour ago: three lost samples are no lost season."""
    rates = np.linspace(10, 60, 200)[None, :]
    now, season = 200, 60
    whole = features(an_observation(rates))
    rates[0, now - season + 1 : now - season + 4] = np.nan
    holed = features(an_observation(rates))
    column = NAMES.index("season1x1_known")
    assert holed[0, column] == 1.0
    np.testing.assert_allclose(holed, whole, atol=0.15)


def test_the_first_rate_is_a_level() -> None:
    """Half a lead time is not known yet after one sample of ten; the sample is."""
    profile = a_profile(lead_time=300.0, interval=60.0)
    assert load_of(an_observation(np.array([[20.0]]), profile)).level == pytest.approx([20.0])


def test_a_day_of_nothing_known_reads_as_one_without_extremes() -> None:
    rates = np.full((1, 60), 40.0)
    columns = [NAMES.index(name) for name in EXTREMES]
    np.testing.assert_array_equal(features(an_observation(np.full((1, 60), np.nan)))[0, columns], 0)
    np.testing.assert_allclose(features(an_observation(rates))[0, columns], [0, 0, 1])
    rates[:, 20:25] = 80.0
    top, rise, since = features(an_observation(rates))[0, columns]
    assert top == pytest.approx(np.log(16.1 / 8.1))
    assert rise == pytest.approx(np.log1p(8 / 8.1))
    assert 0 < since < 1

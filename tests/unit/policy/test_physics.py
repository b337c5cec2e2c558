"""The closed forms are what drawing capacities a hundred thousand times comes to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headstart_policy import physics
from headstart_policy.profile import Profiles
from tests.unit.policy.build import a_profile


@given(st.floats(-40, 40))
def test_normal_cdf(x: float) -> None:
    exact = 0.5 * math.erfc(-x / math.sqrt(2))
    assert physics.normal_cdf(np.array([x]))[0] == pytest.approx(exact, abs=1e-7)


@pytest.mark.parametrize("common", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ready", [0, 1, 8, 20])
@pytest.mark.parametrize("rate", [0.0, 4.9, 45.0, 95.0, 100.0, 300.0])
def test_expectation_equals_draws(common: float, ready: int, rate: float) -> None:
    draws = 200_000
    random = np.random.default_rng(7)
    profiles = Profiles.stack([a_profile(capacity_noise=0.1)])
    shared = random.normal(size=draws)
    own = random.normal(size=draws)
    spread = 0.5 * np.sqrt(ready * (1 - common) + ready**2 * common)
    weight = np.sqrt(ready**2 * common) * 0.5
    capacity = 5.0 * ready + weight * shared + np.sqrt(max(spread**2 - weight**2, 0)) * own
    drawn = physics.outcome(np.full(draws, rate), capacity, ready * np.ones(draws), profiles)
    expected = physics.expected_outcome(
        np.array([rate]), np.array([ready]), np.array([ready]), profiles, np.array([common])
    )
    assert expected.violation[0] == pytest.approx(np.mean(drawn.violation), abs=0.005)
    assert expected.served[0] == pytest.approx(np.mean(drawn.served), abs=0.02)
    assert expected.dollars[0] == pytest.approx(np.mean(drawn.dollars), abs=1.2)


def test_the_seeds_minute() -> None:
    """24 machines serve 4,500 a minute for 2.85 $; 10 machines are a violation."""
    profiles = Profiles.stack([a_profile()] * 2)
    rate = np.full(2, 75.0)
    result = physics.outcome(rate, np.array([120.0, 50.0]), np.array([24, 10]), profiles)
    assert result.violation.tolist() == [False, True]
    assert result.dollars == pytest.approx([4.05 - 1.20, 2.70 - 0.50 - 200])


def test_no_load_is_no_violation() -> None:
    served, violation = physics.serve(np.zeros(1), np.zeros(1), np.array([0.995]))
    assert not violation[0]
    assert served[0] == 0


@given(
    hnp.arrays(np.int64, st.tuples(st.just(2), st.integers(1, 40)), elements=st.integers(0, 20)),
    st.integers(0, 8),
    st.integers(0, 20),
)
def test_ready_path_is_a_moving_minimum(desired: np.ndarray, lead: int, start: int) -> None:
    fast = physics.ready_path(desired, lead, np.array([start, start]))
    for row, path in zip(fast, desired, strict=True):
        asked = [start] * lead + path.tolist()
        assert row.tolist() == [min(asked[t : t + lead + 1]) for t in range(len(path))]

"""An observation sees the past only, and survives JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_policy.observation import (
    MEMORY,
    Observation,
    look_far,
    memory_samples,
    recent_peak,
    warming_by_remaining,
)
from headstart_policy.series import CumulativeRates
from tests.unit.policy.build import a_profile, an_observation

DAY = 200


def load(seed: int, length: int = 3 * DAY) -> np.ndarray:
    """Draw a wave with noise: (1, length) requests/s."""
    random = np.random.default_rng(seed)
    wave = 50 + 40 * np.sin(np.arange(length) * 2 * np.pi / DAY)
    return (wave * random.normal(1, 0.05, length))[None, :]


@given(st.integers(0, 3 * DAY), st.integers(0, 100))
def test_the_future_changes_nothing(now: int, seed: int) -> None:
    rates = load(seed)
    changed = rates.copy()
    changed[:, now:] = 1e9
    profile = a_profile(seasons=(DAY * 60.0, 12 * 60.0))
    before = an_observation(rates, profile, [now])
    after = an_observation(changed, profile, [now])
    for name in ("recent", "roughness", "seasonal", "seasonal_roughness", "extremes"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_the_season_shows_what_came_next() -> None:
    """A ramp that starts a season ago shows in the windows ahead, not in those before."""
    rates = np.full((1, 100), 10.0)
    rates[:, 45:] = 20.0
    observation = an_observation(rates, a_profile(seasons=(60 * 60.0,)), [105 - 0])
    # Now is sample 105, a season is 60 samples, so the step was exactly one season ago.
    np.testing.assert_allclose(observation.seasonal[0, 0, :8], [10, 10, 10, 20, 20, 20, 20, 20])
    # Two seasons ago the first sample was still to come, by three lead times.
    assert np.isnan(observation.seasonal[0, 1, :6]).all()


def test_a_season_shorter_than_its_windows_ahead_is_unknown_there() -> None:
    """41 samples ago, eight lead times of 5 ahead end a sample ago; at 39 that is the future."""
    rates = np.full((1, 100), 10.0)
    for season, known in ((41, 8), (39, 7)):
        near = an_observation(rates, a_profile(lead_time=300.0, seasons=(season * 60.0,)))
        assert np.isfinite(near.seasonal[0, 0, :8]).sum() == known


def test_an_observation_survives_json() -> None:
    observation = an_observation(np.vstack([load(1), load(2)]), at=[7, 300], current=9)
    text = json.dumps(observation.to_json(), allow_nan=False)
    again = Observation.from_json(json.loads(text))
    assert again.to_json() == observation.to_json()
    np.testing.assert_array_equal(again.recent, observation.recent)
    assert again.ready.dtype == np.int64


def test_taking_undoes_concatenating() -> None:
    parts = [an_observation(load(seed)) for seed in range(3)]
    whole = Observation.concatenate(parts)
    assert len(whole) == 3
    for i, part in enumerate(parts):
        assert whole.take(np.array([i])).to_json() == part.to_json()


def test_the_peak_is_of_the_last_two_lead_times() -> None:
    """Samples are a fifth of a lead time: a rise that long ago counts, an older one does not."""
    rates = np.full((2, 60), 10.0)
    rates[0, -10:-5] = 30.0
    rates[1, -20:-10] = 30.0
    assert recent_peak(an_observation(rates)).tolist() == [30.0, 10.0]
    assert np.isnan(recent_peak(an_observation(np.full((1, 60), np.nan)))).all()


@pytest.mark.parametrize(
    ("remaining", "bins"),
    [
        ([], [0, 0, 0, 0]),
        ([1.0, 0.76, 0.75, 0.5, 0.25, 0.1], [2, 1, 1, 2]),
        # Overdue pods are due at once; a clock ahead of ours is no reason to crash.
        ([0.0, -3.0, 1.4], [2, 0, 0, 1]),
    ],
)
def test_warming_replicas_are_counted_by_what_remains(
    remaining: list[float], bins: list[int]
) -> None:
    assert warming_by_remaining(np.array(remaining)).tolist() == bins


def far(rates: np.ndarray, *moments: float, lead: float = 2.0) -> np.ndarray:
    """Read the extremes of one series."""
    return look_far(CumulativeRates.of(rates[None]), np.array(moments), lead)


def test_a_jump_is_remembered_for_a_day_and_by_its_size() -> None:
    """Lead time of 2 samples, 576 of which are remembered: a jump from 10 to 30 at sample 100."""
    rates = np.full(800, 10.0)
    rates[100:110] = 30.0
    np.testing.assert_array_equal(
        far(rates, 90, 101.9, 103, 400, 677, 678, 686),
        [
            [10, 0, MEMORY],
            [30, 20, 0],
            [30, 20, 0.5],
            [30, 20, 149],
            [30, 20, 287.5],
            [30, 0, MEMORY],
            [10, 0, MEMORY],
        ],
    )


def test_small_rises_do_not_count_beside_a_large_one() -> None:
    rates = np.full(300, 10.0)
    rates[100:] += 20.0
    rates[150:] += 9.0
    rates[200:] += 10.0
    since = far(rates, 190, 299)[:, 2] * 2.0
    np.testing.assert_array_equal(since, [190 - 102, 299 - 202])


def test_of_nothing_no_extreme_is_known() -> None:
    """A first level is no rise: nobody knows where it came from."""
    rates = np.full(20, np.nan)
    rates[10:] = 5.0
    extremes = far(rates, 0, 9, 11, 13)
    assert np.isnan(extremes[:2]).all()
    assert extremes[2, 0] == 5.0
    assert np.isnan(extremes[2, 1:]).all()
    np.testing.assert_array_equal(extremes[3], [5.0, 0.0, MEMORY])


@settings(max_examples=40, deadline=None)
@given(lead=st.sampled_from([0.2, 1.0, 3.0, 5.3]), seed=st.integers(0, 99), gaps=st.floats(0, 0.7))
def test_extremes_are_those_that_a_search_finds(lead: float, seed: int, gaps: float) -> None:
    """Sample by sample, over the whole day before each moment."""
    random = np.random.default_rng(seed)
    rates = random.integers(0, 9, 2000).astype(np.float64)
    rates[random.random(2000) < gaps] = np.nan
    sums = CumulativeRates.of(rates[None])

    def level(end: float) -> float:
        return float(sums.means(np.array([[end - lead / 2]]), np.array([[end]]))[0, 0])

    for moment in (1, 2, 50, 1999, 2000):
        days = range(max(0, moment - memory_samples(lead) + 1), moment + 1)
        levels = [level(end) for end in days]
        rises = [one - level(end - lead) for one, end in zip(levels, days, strict=True)]
        (found,) = far(rates, moment, lead=lead)
        np.testing.assert_allclose(found[0], np.fmax.reduce(levels))
        np.testing.assert_allclose(found[1], np.fmax.reduce(rises), atol=1e-9)
        if found[1] > 1e-6:
            large = [k for k, rise in enumerate(reversed(rises)) if rise >= 0.499999 * found[1]]
            np.testing.assert_allclose(found[2], large[0] / lead)

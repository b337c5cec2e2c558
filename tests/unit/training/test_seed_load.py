"""The seed's load generator."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_training.loads import seed as seed_load
from headstart_training.loads.seed import SeedLoad

from .seed_reference import load_of_episode

NO_SPIKES = {"spike_height": (0.0, 0.0)}
STILL = {"noise": (0.0, 0.0), "slow_amplitude": (0.0, 0.0), **NO_SPIKES}


@pytest.mark.parametrize(
    "parameters",
    [
        SeedLoad(),
        SeedLoad(period=60),
        SeedLoad(spike_wait=(1, 20), spike_width_log_mean=0, spike_width_log_sd=0.5),
        SeedLoad(maximum=5000),
        SeedLoad(spike_width_log_sd=20),
    ],
    ids=["seed", "day of an hour", "spike after spike", "low maximum", "endless spikes"],
)
def test_same_draws_give_the_same_load_as_the_slow_reference(parameters: SeedLoad) -> None:
    """Every minute of every episode, over days with many spikes."""
    draws = seed_load.draw(np.random.default_rng(1), 6, 4000, parameters)
    fast = seed_load.compute(draws, parameters)
    slow = [load_of_episode(draws, episode, parameters) for episode in range(6)]
    np.testing.assert_array_equal(fast, slow)


def test_mean_load_is_that_of_the_original() -> None:
    """About 4,535 transactions a minute, measured on the original."""
    load = seed_load.generate(np.random.default_rng(0), 6000, 1001)
    means = load.mean(axis=1)
    assert means.mean() == pytest.approx(4535, abs=4 * means.std() / math.sqrt(6000) + 20)


def test_draws_have_the_moments_of_their_distributions() -> None:
    """Uniform, normal and lognormal, each from its own parameters."""
    draws = seed_load.draw(np.random.default_rng(0), 20_000, 200)
    expected = {
        "trough": (1500, 1000 / math.sqrt(12)),
        "noise": (0.03, 0.04 / math.sqrt(12)),
        "phase": (0, 2 * math.pi / math.sqrt(12)),
        "slow_amplitude": (0.15, 0.1 / math.sqrt(12)),
        "slow_period": (3.5, 3 / math.sqrt(12)),
        "spike_wait": (550, 900 / math.sqrt(12)),
    }
    for name, (mean, deviation) in expected.items():
        values = getattr(draws, name)
        assert values.mean() == pytest.approx(mean, abs=5 * deviation / 141), name
        assert values.std() == pytest.approx(deviation, rel=0.02), name
    assert (draws.top - draws.trough).mean() == pytest.approx(6000, abs=25)
    assert np.median(draws.spike_width) == pytest.approx(5 + math.exp(3), rel=0.05)
    height = draws.spike_height / draws.top[:, None]
    assert (height.min(), height.max()) == pytest.approx((0.1, 0.2), abs=1e-3)


def test_same_seed_gives_the_same_bits() -> None:
    """And another seed does not."""
    first, second, other = (
        seed_load.generate(np.random.default_rng(seed), 5, 300) for seed in (7, 7, 8)
    )
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize("period", [60.0, 144.0, 1440.0])
def test_day_is_as_long_as_the_period_says(period: float) -> None:
    """Without noise, slow wave and spikes, the load repeats after a period and not after half."""
    parameters = SeedLoad(period=period, **STILL)  # type: ignore[arg-type]
    load = seed_load.generate(np.random.default_rng(0), 4, int(2 * period), parameters)
    day, half = int(period), int(period / 2)
    assert np.abs(load[:, :day] - load[:, day:]).max() <= 1
    assert np.abs(load[:, :half] - load[:, half:day]).max() > 1000


def test_spike_starts_at_once_and_decays_linearly_to_just_below_zero() -> None:
    """A wait of 10.5 min starts it in minute 11; a width of 5 ends it in minute 16."""
    parameters = SeedLoad(
        trough=(1000, 1000),
        swing=(0, 0),
        noise=(0, 0),
        slow_amplitude=(0, 0),
        spike_wait=(10.5, 10.5),
        spike_height=(1, 1),
        spike_width_log_mean=-50,
        spike_width_log_sd=0,
    )
    load = seed_load.generate(np.random.default_rng(0), 1, 30, parameters)[0]
    spike = [1900, 1700, 1500, 1300, 1100, 900]
    expected = [1000] * 10 + spike + [1000] * 10 + spike[:4]
    assert np.abs(load - expected).max() <= 1


ranges = st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)).map(sorted).map(tuple)


@given(
    trough=ranges,
    swing=ranges,
    wait=st.tuples(st.floats(1, 50), st.floats(50, 500)),
    period=st.floats(1, 5000),
    maximum=st.integers(0, 20_000),
    minutes=st.integers(1, 300),
    seed=st.integers(0, 2**32),
)
def test_load_is_whole_and_within_its_limits(
    trough: Any, swing: Any, wait: Any, period: float, maximum: int, minutes: int, seed: int
) -> None:
    """Whatever the parameters."""
    parameters = SeedLoad(
        trough=trough, swing=swing, spike_wait=wait, period=period, maximum=maximum
    )
    load = seed_load.generate(np.random.default_rng(seed), 2, minutes, parameters)
    assert load.shape == (2, minutes)
    assert load.dtype == np.int64
    assert load.min() >= 0
    assert load.max() <= maximum


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"period": 0}, "period must be above 0 minutes, is 0"),
        ({"trough": (5, 1)}, r"trough must be a \(low, high\) with low <= high, is \(5, 1\)"),
        ({"noise": (-0.1, 0.1)}, r"noise must be at least 0, is \(-0.1, 0.1\)"),
        ({"slow_period": (0, 1)}, r"slow_period must be above 0 periods, is \(0, 1\)"),
        ({"spike_wait": (0, 9)}, r"spike_wait must be at least 1 minute, is \(0, 9\)"),
        ({"maximum": -1}, "maximum must be at least 0, is -1"),
        ({"period": math.nan}, "period must be finite, is nan"),
    ],
)
def test_bad_parameters_are_refused(bad: dict[str, Any], message: str) -> None:
    """With the key, the bound and the value."""
    with pytest.raises(ValueError, match=message):
        SeedLoad(**bad)


@pytest.mark.parametrize(("episodes", "minutes"), [(0, 5), (5, 0)])
def test_empty_loads_are_refused(episodes: int, minutes: int) -> None:
    """With the key, the bound and the value."""
    with pytest.raises(ValueError, match="must be at least 1, is 0"):
        seed_load.generate(np.random.default_rng(0), episodes, minutes)

"""What can be seen of the seed's load."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_training import seed_sight
from headstart_training.loads import seed as seed_load

# Columns of a spike: whether one is on, and how long ago the last one ended [1,000 min].
ON, SINCE = -9, -4


# The first call compiles, which takes seconds.
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), now=st.integers(0, 1799))
def test_nothing_is_seen_before_it_happens(seed: int, now: int) -> None:
    """Whatever the load becomes from this minute on."""
    rng = np.random.default_rng(seed)
    load = seed_load.generate(rng, 2, 1800)
    other = load.copy()
    other[:, now:] = rng.integers(0, 50_000, (2, 1800 - now))
    for one, another in zip(seed_sight.see(load), seed_sight.see(other), strict=True):
        np.testing.assert_array_equal(one[:, : now + 1], another[:, : now + 1])


@pytest.mark.parametrize("level", [0, 1, 100_000])
def test_any_load_can_be_seen(level: int) -> None:
    """A load of nothing, or of nothing but the highest, makes numbers."""
    features, recent = seed_sight.see(np.full((1, 1600), level))
    assert np.isfinite(features).all()
    assert np.abs(features).max() <= 5
    assert recent[0, -1] == pytest.approx(level + 1)


def test_a_game_is_seen_alike_among_others() -> None:
    """No load looks at its neighbours, on however many cores."""
    load = seed_load.generate(np.random.default_rng(0), 30, 600)
    features, _ = seed_sight.see(load)
    alone, _ = seed_sight.see(load[7:8])
    np.testing.assert_array_equal(features[7], alone[0])


def test_a_spike_is_noticed_and_its_end_too() -> None:
    """Minutes called right, on loads of little noise; the first day is left out."""
    parameters = replace(seed_load.DEFAULT, noise=(0.01, 0.01), spike_width_log_sd=0.5)
    draws = seed_load.draw(np.random.default_rng(3), 20, 4000, parameters)
    load = seed_load.compute(draws, parameters)
    calm = seed_load.compute(replace(draws, spike_height=0 * draws.spike_height), parameters)
    spiking = (load != calm)[:, 1440:]
    features, _ = seed_sight.see(load)
    on = features[:, 1440:, ON] > 0
    assert (on == spiking).mean() > 0.93
    assert on[spiking].mean() > 0.6
    # Long after an end the wait goes on; right after one it has just begun.
    assert features[:, 1440:, SINCE][~on].min() == pytest.approx(0, abs=0.01)
    assert (features[:, 1440:, SINCE][on] == 0).all()

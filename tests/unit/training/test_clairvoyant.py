"""The clairvoyant against brute force, and above everyone else."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_policy.profile import Objective, Profile
from headstart_training import contest
from headstart_training.baselines.hpa import HPA
from headstart_training.baselines.static import best_static
from headstart_training.clairvoyant import Clairvoyant
from headstart_training.settings import of_rates, seed_day


class _Path:
    def __init__(self, desired: np.ndarray) -> None:
        self._desired, self._t = desired, -1

    def decide(self, *_: object) -> np.ndarray:
        self._t += 1
        return self._desired[:, self._t]


@settings(max_examples=40, deadline=None)
@given(
    rates=st.lists(st.sampled_from([0.0, 3.0, 8.0, 9.9, 14.0]), min_size=5, max_size=5),
    lead=st.integers(1, 3),
    initial=st.integers(0, 3),
    violation=st.sampled_from([0.0, 2.0, 200.0]),
    drawn=st.booleans(),
)
def test_no_path_of_replicas_earns_more(
    rates: list[float], lead: int, initial: int, violation: float, *, drawn: bool
) -> None:
    """Every path over 5 steps with up to 3 replicas, played by the simulator."""
    profile = Profile(
        5.0,
        lead_time=60.0 * lead,
        interval=60.0,
        objective=Objective(violation_cost=violation),
        seasons=(),
    )
    paths = np.array(list(product(range(4), repeat=len(rates))))
    one = np.ones(len(paths), dtype=np.int64)
    noise = np.random.default_rng(0).standard_normal(5) if drawn else None
    many = replace(
        of_rates(profile, np.tile([1.0, *rates], (len(paths), 1)), 1, lag=0 * one, window=one),
        initial=np.full(len(paths), initial),
        noise=None if noise is None else np.tile(noise, (len(paths), 1)),
    )
    best = contest.play(many, _Path(paths)).dollars.sum(axis=1).max()
    single = many.take(np.array([0]))
    planned = contest.play(single, Clairvoyant(single, most=3)).dollars.sum()
    assert planned == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("expected", [True, False])
def test_it_bounds_every_baseline_on_every_load(expected: bool) -> None:  # noqa: FBT001
    world = seed_day(4, 300, seed=1, expected=expected)
    limit = contest.play(world, Clairvoyant(world, most=90)).dollars_per_day
    for decider in (HPA(0.6, tolerance=0.0), HPA(0.7), best_static(world, most=90)):
        assert np.all(contest.play(world, decider).dollars_per_day <= limit + 1e-6)


def test_it_has_ready_what_it_planned() -> None:
    world = seed_day(3, 300, seed=2)
    clairvoyant = Clairvoyant(world, most=90)
    result = contest.play(world, clairvoyant)
    np.testing.assert_array_equal(result.ready, clairvoyant.ready)


def test_too_few_replicas_to_begin_with_are_refused() -> None:
    world = seed_day(1, 10)
    with pytest.raises(ValueError, match="most = 0, must be at least"):
        Clairvoyant(world, most=0)

"""The clairvoyant against brute force, and above everyone else."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_policy.profile import Objective, Profile
from headstart_training import clairvoyant, contest
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
        8.0,
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
    planned = contest.play(single, Clairvoyant(single)).dollars.sum()
    assert planned == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("expected", [True, False])
def test_it_bounds_whoever_follows_the_load(expected: bool) -> None:  # noqa: FBT001
    """Fleets with any margin over the load of the moment, or over that of a lead time later."""
    world = seed_day(4, 300, seed=1, expected=expected)
    limit = contest.settle(world, clairvoyant.path(world)).dollars_per_day
    demand = world.rates / world.profiles.capacity[:, None]
    for margin in (1.0, 1.2, 1.4, 1.6):
        asked = np.ceil(margin * demand).astype(np.int64)
        for path in (asked, clairvoyant.to_desired(asked, world.lead_steps)):
            assert np.all(contest.settle(world, path).dollars_per_day <= limit + 1e-6)
    assert np.all(contest.play(world, best_static(world, 90)).dollars_per_day <= limit + 1e-6)


def test_it_has_ready_what_it_planned() -> None:
    world = seed_day(3, 300, seed=2)
    clairvoyant = Clairvoyant(world)
    result = contest.play(world, clairvoyant)
    np.testing.assert_array_equal(result.ready, clairvoyant.ready)


def test_what_is_never_looked_at_never_pays() -> None:
    """The largest fleet considered is that of the best path among twice as many and more."""
    world = seed_day(4, 200, seed=3)
    bound = clairvoyant.most_useful(world)
    totals = clairvoyant.static_totals(world, 2 * int(bound.max()))
    assert np.all(totals.argmax(axis=1) <= bound)
    assert np.all(clairvoyant.best_ready(world).max(axis=1) <= bound)


@pytest.mark.parametrize("expected", [True, False])
def test_huge_fleets_are_planned_in_strides(
    monkeypatch: pytest.MonkeyPatch,
    expected: bool,  # noqa: FBT001
) -> None:
    """With every 4th count alone it costs no more than 4 replicas all the time."""
    world = seed_day(2, 150, seed=4, expected=expected)
    best = contest.settle(world, clairvoyant.path(world)).dollars.sum(axis=1)
    cells = 150 * (clairvoyant.most_useful(world).max() + 1)
    monkeypatch.setattr(clairvoyant, "MOST_CELLS", int(cells / 4))
    coarse = contest.settle(world, clairvoyant.path(world))
    assert set(np.unique(coarse.ready[0] % 4)) <= {0, int(world.initial[0] % 4)}
    assert np.all(best - coarse.dollars.sum(axis=1) <= 4 * 0.05 * 150)


def test_static_totals_are_what_physics_pays() -> None:
    world = seed_day(2, 50, seed=6, expected=False)
    totals = clairvoyant.static_totals(world, 40)
    for n in (0, 7, 40):
        fleet = np.full(2, n)
        dollars = sum(world.serve(t, fleet, fleet).dollars for t in range(50))
        np.testing.assert_allclose(totals[:, n], dollars, rtol=1e-9)

"""Whole paths of the seed's game, pinned to the game itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_training import seed_game, seed_path
from headstart_training.loads import seed as seed_load
from headstart_training.seed_game import Rules

RULES = Rules(initial_machines=20)


def levels(rng: np.random.Generator, games: int, minutes: int) -> tuple[np.ndarray, np.ndarray]:
    """Two levels that wander, and jump by more than the game lets a fleet follow."""
    walk = rng.normal(0, 2, (2, games, minutes)).cumsum(axis=2)
    jumps = 30 * (rng.random((2, games, minutes)) < 0.05)
    order, discard = np.abs(20 + walk + jumps)
    return order, discard


# The first call compiles, which takes seconds.
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32), latency=st.integers(1, 7))
def test_a_path_is_what_the_game_makes_of_the_same_orders(seed: int, latency: int) -> None:
    """Minute by minute: machines that serve, that warm up, and dollars."""
    rng = np.random.default_rng(seed)
    rules = Rules(
        initial_machines=20, warmup_latency=latency, expected_reward=True, bill_warming=True
    )
    load = seed_load.generate(rng, 3, 60)
    order, discard = (np.round(level) for level in levels(rng, 3, 60))
    made = seed_path.fleets(rules, order, discard, np.full(3, 20.0))
    paid = seed_path.dollars(rules, made, load)
    state = seed_game.start(rules, 3)
    for t in range(60):
        serving = state.active + state.queue[:, 0]
        off = np.clip(serving - discard[:, t], 0, np.minimum(state.active, 10))
        left = serving - off + state.queue[:, 1:].sum(axis=1)
        on = np.clip(order[:, t] - left, 0, 10)
        state, outcome = seed_game.step(
            rules, state, np.stack([on, off], axis=1), load[:, t], np.zeros(3)
        )
        np.testing.assert_array_equal(made.active[:, t], state.active)
        np.testing.assert_array_equal(made.warming[:, t], state.queue.sum(axis=1))
        np.testing.assert_allclose(paid[:, t], outcome.reward, rtol=0, atol=1e-9)


# The first call compiles, which takes seconds.
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_the_gradient_is_that_of_finite_differences(seed: int) -> None:
    """Of any weighted sum of what serves and what warms up, by every level of every minute."""
    rng = np.random.default_rng(seed)
    # More than 10 machines: one that goes off with all others has no level to follow.
    order, discard = (12 + level for level in levels(rng, 1, 25))
    by_active, by_warming = rng.normal(size=(2, 1, 25))
    first = np.array([20.0])

    def value(order: np.ndarray, discard: np.ndarray) -> float:
        made = seed_path.fleets(RULES, order, discard, first)
        return float((made.active * by_active + made.warming * by_warming).sum())

    made = seed_path.fleets(RULES, order, discard, first)
    gradients = seed_path.gradient(RULES, made, by_active, by_warming)
    step = 1e-7
    for which, t in itertools.product(range(2), range(25)):
        moved = [order.copy(), discard.copy()]
        moved[which][0, t] += step
        found = (value(moved[0], moved[1]) - value(order, discard)) / step
        assert gradients[which][0, t] == pytest.approx(found, abs=1e-4)


def brute_force(rules: Rules, load: np.ndarray, most: int) -> float:
    """Try every path of machines that serve."""
    queued = rules.machine_cost * rules.warmup_latency * rules.bill_warming
    by_machines = seed_game.expected_reward(rules, np.arange(most + 1), load[:, None])
    best = -np.inf
    for path in itertools.product(range(most + 1), repeat=len(load)):
        added = np.maximum(np.diff(path, prepend=rules.initial_machines), 0)
        if added[: rules.warmup_latency].any():
            continue
        best = max(best, by_machines[np.arange(len(load)), path].sum() - queued * added.sum())
    return float(best)


@pytest.mark.parametrize("billed", [False, True])
@pytest.mark.parametrize("load", [(200, 100, 1000, 900), (900, 100, 1100, 0), (0, 0, 0, 900)])
def test_the_clairvoyant_is_the_best_of_all_paths(load: tuple[int, ...], billed: bool) -> None:  # noqa: FBT001
    """With a queue of one minute and at most nine machines."""
    rules = Rules(warmup_latency=1, initial_machines=4, bill_warming=billed)
    loads = np.array([load])
    assert seed_path.clairvoyant(rules, loads)[0] == pytest.approx(
        brute_force(rules, loads[0], 9), abs=1e-9
    )


def test_nobody_earns_more_than_the_clairvoyant() -> None:
    """Whatever the levels are; and billed warming costs it something."""
    rng = np.random.default_rng(1)
    load = seed_load.generate(rng, 4, 2000)
    limits = []
    for billed in (False, True):
        rules = Rules(bill_warming=billed)
        limits.append(seed_path.clairvoyant(rules, load))
        for margin in (1.2, 1.6, 2.0):
            level = np.ceil(margin * load / rules.tpm_per_machine)
            made = seed_path.fleets(rules, level, level, np.full(4, 50.0))
            assert (seed_path.dollars(rules, made, load).sum(axis=1) < limits[-1]).all()
    assert (limits[1] < limits[0]).all()

"""The simulator: prices as physics does, pays for warming, and treats every service alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headstart_policy.physics import expected_outcome, ready_path
from headstart_policy.profile import Profile, Profiles
from headstart_training import scenarios
from headstart_training.fleet import Fleet, rules_of
from headstart_training.settings import of_rates
from headstart_training.simulator import Simulator, World

PROFILE = Profile(capacity=5.0, lead_time=180.0, interval=60.0, seasons=(3600.0,))


def a_world(load: np.ndarray, past: int = 10, **changes: Any) -> World:
    ones = np.ones(len(load), dtype=np.int64)
    return replace(of_rates(PROFILE, load, past, lag=0 * ones, window=ones), **changes)


def _play(world: World, desired: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    simulator = Simulator(world)
    steps = [simulator.step(desired[:, t]) for t in range(world.steps)]
    dollars = np.stack([step.outcome.dollars for step in steps], axis=1)
    return dollars, np.stack([step.billed for step in steps], axis=1)


def test_a_step_is_priced_by_physics_on_what_is_ready_and_asked_for() -> None:
    world = a_world(np.full((1, 15), 40.0), initial=np.array([6]))
    desired = np.array([[6, 12, 12, 12, 12]])
    dollars, billed = _play(world, desired)
    ready = ready_path(desired, 3, np.array([6]))
    profiles, common = Profiles.stack([PROFILE]), np.zeros(1)
    for t in range(5):
        expected = expected_outcome(
            np.array([40.0]), ready[:, t], desired[:, t], profiles, common
        ).dollars
        assert dollars[0, t] == pytest.approx(expected[0], rel=1e-12)
    assert billed.tolist() == desired.tolist()


def test_unbilled_warming_is_cheaper_by_just_its_price() -> None:
    rates = np.full((1, 15), 40.0)
    desired = np.array([[6, 12, 12, 12, 12]])
    paid, _ = _play(a_world(rates, initial=np.array([6])), desired)
    free, billed = _play(a_world(rates, initial=np.array([6]), bill_warming=False), desired)
    # 6 replicas warm for 3 steps of a minute at 0.05 dollars.
    assert (free - paid).sum() == pytest.approx(6 * 3 * 0.05)
    assert billed.tolist() == [[6, 6, 6, 6, 12]]


def test_a_minute_without_load_is_no_violation() -> None:
    simulator = Simulator(a_world(np.zeros((1, 12))))
    step = simulator.step(np.array([0]))
    assert step.outcome.violation.tolist() == [0.0]
    assert step.outcome.dollars.tolist() == [0.0]


@pytest.mark.parametrize("common", [0.0, 1.0])
def test_drawn_capacity_averages_to_the_expectation(common: float) -> None:
    """The closed form that training is paid by is the mean of what evaluation draws."""
    count = 20_000
    rates = np.full((count, 11), 40.0)
    world = a_world(rates, initial=np.full(count, 9))
    profiles = replace(world.profiles, capacity_correlation=np.full(count, common))
    world = replace(world, profiles=profiles)
    noise = np.random.default_rng(0).standard_normal((count, 1))
    desired = np.full(count, 9)
    expected = Simulator(world).step(desired).outcome
    drawn = Simulator(replace(world, noise=noise)).step(desired).outcome
    assert expected.served[0] == pytest.approx(drawn.served.mean(), rel=2e-3)
    error = np.sqrt(expected.violation[0] / count)
    assert abs(expected.violation[0] - drawn.violation.mean()) < 4 * error


def test_batch_size_and_order_change_nothing() -> None:
    """A service alone sees, earns and holds what it does among others."""
    world = scenarios.draw(np.random.default_rng(3), 6, 8, expected=False)
    order = np.array([4, 0, 5])
    together, alone = Simulator(world), Simulator(world.take(order))
    while not together.over:
        seen = together.observe()
        assert seen.take(order).to_json() == alone.observe().to_json()
        desired = np.ceil(np.nan_to_num(seen.recent[:, 0]) / seen.profiles.capacity * 1.3)
        both = together.step(desired.astype(np.int64)), alone.step(desired[order].astype(np.int64))
        np.testing.assert_array_equal(both[0].outcome.dollars[order], both[1].outcome.dollars)


def test_it_ends_and_says_so() -> None:
    simulator = Simulator(a_world(np.ones((1, 11))))
    simulator.step(np.array([1]))
    assert simulator.over
    assert simulator.observe().current.tolist() == [1]
    with pytest.raises(RuntimeError, match="all 1 steps have passed"):
        simulator.step(np.array([1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"initial": np.array([1, 2])}, r"initial must have shape \(1,\), has \(2,\)"),
        ({"lead_steps": np.array([0])}, "lead_steps must be at least 1, is 0"),
        ({"noise": np.zeros((1, 3))}, r"noise must have shape \(1, 1\), has \(1, 3\)"),
        ({"rates": np.ones((1, 4))}, r"sight must have shape \(1, 5\), has \(1, 2\)"),
    ],
)
def test_a_world_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        a_world(np.ones((1, 11)), **change)


def test_a_fleet_begins_with_all_its_replicas_ready() -> None:
    fleet = Fleet.all_ready(np.array([3, 0]), rules_of(np.array([4, 4])))
    assert fleet.current.tolist() == fleet.ready.tolist() == [3, 0]


def test_numba_loads_when_something_is_played_and_not_before() -> None:
    """Importing it takes a second, which `headstart --help` must not."""
    code = (
        "import sys; import headstart_training.clairvoyant, headstart_training.contest; "
        "import headstart_training.batches, headstart_training.settings; "
        "print('numba' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"

"""The compiled fleet against explicit pods and nodes, and against the min-pool it reduces to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_policy.observation import warming_by_remaining
from headstart_policy.physics import ready_path
from headstart_policy.profile import Profile
from headstart_training.algorithms.hindsight import ready as torch_ready
from headstart_training.algorithms.hindsight import to_batch
from headstart_training.fleet import arrivals
from headstart_training.frictions import NO_LIMIT, Frictions
from headstart_training.pods import ReplicaSet, stratified
from headstart_training.settings import of_rates
from headstart_training.simulator import Simulator

if TYPE_CHECKING:
    from headstart_training.simulator import World

SERVICES = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 7)), min_size=1, max_size=4)


@st.composite
def paths(draw: st.DrawFn) -> tuple[World, np.ndarray]:
    """Draw services of different lead times, each with a path of its own."""
    services = draw(SERVICES)
    steps = draw(st.integers(1, 40))
    rows = st.lists(st.integers(0, 12), min_size=steps, max_size=steps)
    desired = np.array([draw(rows) for _ in services])
    profile = Profile(5.0, lead_time=60.0, interval=60.0, seasons=())
    one = np.ones(len(services), dtype=np.int64)
    world = of_rates(profile, np.full((len(services), steps + 1), 9.0), 1, lag=0 * one, window=one)
    lead, initial = (np.array([service[k] for service in services]) for k in (1, 0))
    return replace(world, lead_steps=lead, initial=initial), desired


@settings(deadline=None)
@given(drawn=paths())
def test_all_physics_agree_to_the_last_replica(drawn: tuple[World, np.ndarray]) -> None:
    """Explicit pods, steps, whole paths, numpy's min-pool and torch's, for one lead time each."""
    world, desired = drawn
    simulator = Simulator(world)
    sets = [
        ReplicaSet(int(count), lambda new, _, lead=int(lead): [lead] * new)  # type: ignore[misc]
        for count, lead in zip(world.initial, world.lead_steps, strict=True)
    ]
    ready = np.empty_like(desired)
    for t in range(world.steps):
        warming = simulator.observe().warming
        for i, pods in enumerate(sets):
            left = np.array([pod.due - t for pod in pods.pods if not pod.serves(t - 1)])
            expected = warming_by_remaining(left / world.lead_steps[i])
            assert warming[i].tolist() == expected.tolist()
        step = simulator.step(desired[:, t])
        truth = [pods.step(t, int(count)) for pods, count in zip(sets, desired[:, t], strict=True)]
        assert step.billed.tolist() == [asked for asked, _ in truth] == desired[:, t].tolist()
        assert step.ready.tolist() == [serving for _, serving in truth]
        ready[:, t] = step.ready
    np.testing.assert_array_equal(world.carry_out(desired)[1], ready)
    np.testing.assert_array_equal(
        torch_ready(torch.tensor(desired, dtype=torch.float32), to_batch(world)).numpy(), ready
    )
    for i, lead in enumerate(world.lead_steps):
        row = slice(i, i + 1)
        pooled = ready_path(desired[row], int(lead), world.initial[row])
        np.testing.assert_array_equal(pooled, ready[row])


@settings(deadline=None)
@given(
    drawn=paths(),
    ramp=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    node=st.tuples(st.integers(0, 4), st.integers(0, 3)),
    spread=st.sampled_from([0.0, 0.3, 0.8]),
    seed=st.integers(0, 9),
)
def test_frictions_agree_with_explicit_pods_and_nodes(
    drawn: tuple[World, np.ndarray],
    ramp: tuple[int, int],
    node: tuple[int, int],
    spread: float,
    seed: int,
) -> None:
    """Ramp limits, seats on nodes, and lead times of each pod's own, in steps and whole paths.

    Nodes and spread lead times together are an approximation: a pod that leaves early in its
    warming leaves a hole on its node, where the count of columns knows of none.
    """
    world, desired = drawn
    count, steps = desired.shape
    frictions = replace(
        Frictions.none(count, steps),
        most_up=np.full(count, ramp[0]),
        most_down=np.full(count, ramp[1]),
        per_node=np.full(count, 0 if spread else node[0]),
        node_steps=np.full(count, node[1]),
        lead_spread=np.full(count, spread),
        luck=np.random.default_rng(seed).random((count, steps)),
    )
    world = replace(world, frictions=frictions)
    share = arrivals(world.lead_steps, frictions.lead_spread)
    simulator = Simulator(world)
    sets = [
        ReplicaSet(
            int(world.initial[i]),
            stratified(share[i], frictions.luck[i]),
            most_up=ramp[0],
            most_down=ramp[1],
            per_node=int(frictions.per_node[i]),
            node_steps=node[1],
        )
        for i in range(count)
    ]
    asked, ready = world.carry_out(desired)
    for t in range(steps):
        step = simulator.step(desired[:, t])
        truth = [
            pods.step(t, int(wanted)) for pods, wanted in zip(sets, desired[:, t], strict=True)
        ]
        assert step.billed.tolist() == [pods for pods, _ in truth] == asked[:, t].tolist()
        assert step.ready.tolist() == [serving for _, serving in truth] == ready[:, t].tolist()


@pytest.mark.parametrize("spread", [0.1, 0.25, 0.5])
def test_lead_times_have_the_mean_and_the_spread_asked_for(spread: float) -> None:
    """But for rounding to whole steps, and for the tail that is cut."""
    mean = np.array([5, 12, 40])
    shares = np.diff(arrivals(mean, np.full(3, spread)), axis=1, prepend=0.0)
    steps = np.arange(shares.shape[1])
    average = (shares * steps).sum(axis=1)
    deviation = np.sqrt((shares * steps**2).sum(axis=1) - average**2)
    np.testing.assert_allclose(average, mean, rtol=0.01)
    np.testing.assert_allclose(deviation, np.sqrt((spread * mean) ** 2 + 1 / 12), rtol=0.05)


def test_what_warms_is_cancelled_youngest_first() -> None:
    profile = Profile(5.0, lead_time=180.0, interval=60.0, seasons=())
    one = np.ones(1, dtype=np.int64)
    world = replace(
        of_rates(profile, np.full((1, 4), 9.0), 1, lag=0 * one, window=one), initial=2 * one
    )
    simulator = Simulator(world)
    for desired in (4, 7, 3):
        simulator.step(np.array([desired]))
    # Of the two asked for in step 0 one remains; it is due in step 3, which comes next.
    assert simulator.fleet.ready.tolist() == [2]
    assert simulator.fleet.warming.tolist() == [[1, 0, 0, 0]]


def test_frictions_out_of_bounds_are_refused() -> None:
    none = Frictions.none(2, 3)
    with pytest.raises(ValueError, match="most_up = 0, must be at least 1"):
        replace(none, most_up=np.array([0, NO_LIMIT]))
    with pytest.raises(ValueError, match="luck must have 2 rows, has 1"):
        replace(none, luck=np.zeros((1, 3)))


def test_drawn_frictions_hit_their_share_and_follow_their_services() -> None:
    rng = np.random.default_rng(0)
    lead, demand = rng.integers(1, 30, 400), rng.uniform(1, 1e5, 400)
    drawn = Frictions.draw(rng, lead, demand, 5, share=0.25)
    limited = (drawn.most_up < NO_LIMIT, drawn.per_node > 0, drawn.lead_spread > 0)
    for has in limited:
        assert 0.15 < np.mean(has) < 0.35
    assert np.all(drawn.node_steps <= lead)
    rows = np.array([7, 3])
    np.testing.assert_array_equal(drawn.take(rows).luck, drawn.luck[rows])

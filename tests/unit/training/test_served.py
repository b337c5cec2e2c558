"""Served paths are what the guarded policy decides step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_policy import envelope
from headstart_policy.artifact import builtin
from headstart_policy.behavior import Memory
from headstart_policy.decision import decide, recommend_selected
from headstart_policy.guardrails import Guardrails, Situation
from headstart_policy.observation import WARMING_BINS, recent_peak
from headstart_policy.selector import Scores
from headstart_training.contest import Headstart, play
from headstart_training.scenarios import draw
from headstart_training.served import Recorded, headstart, network
from headstart_training.settings import seed_day
from tests.unit.policy.build import a_policy

if TYPE_CHECKING:
    from headstart_policy.artifact import Policy
    from headstart_policy.types import Ints
    from headstart_training.simulator import World

GUARDRAILS = Guardrails(max_replicas=10_000)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_path_is_what_is_played_step_by_step(seed: int) -> None:
    world = draw(np.random.default_rng(seed), 16, 60, expected=True)
    played = play(world, Headstart(builtin(), GUARDRAILS)).desired
    np.testing.assert_array_equal(network(world, builtin(), GUARDRAILS), played)


def test_a_lost_rate_holds() -> None:
    world = draw(np.random.default_rng(3), 16, 60, expected=True)
    world.sight.age[:, 20:40] = np.inf
    world.sight.newest[:, 20:40] = world.sight.newest[:, 19:20]
    played = play(world, Headstart(builtin(), GUARDRAILS)).desired
    path = network(world, builtin(), GUARDRAILS)
    np.testing.assert_array_equal(path, played)
    assert (path[:, 20:40] == path[:, 19:20]).all()


def tick_by_tick(world: World, policy: Policy) -> Ints:
    """Decide as the operator does, one instant after the other, shape (N, T).

    Nothing is saturated: from its first decision on the fleet is larger than any load.
    """
    services, profiles = len(world.rates), world.profiles
    scores = Scores.begin(services, int(profiles.lead_steps.max()))
    ready, desired = world.initial, [world.initial]
    for t in range(world.steps):
        warming = np.zeros((services, WARMING_BINS), dtype=np.int64)
        seen = world.sight.observation(t, profiles, ready, warming, desired[-1])
        situation = Situation(
            now=t * profiles.interval,
            interval=profiles.interval,
            current=seen.current,
            rate=world.sight.newest[:, t],
            rate_age=world.sight.age[:, t],
            peak=recent_peak(seen),
            capacity=profiles.capacity,
            history_loaded=np.ones(services, dtype=np.bool_),
            outside=envelope.leaves(policy.envelope, seen),
            limits=[GUARDRAILS] * services,
            memories=[Memory()] * services,
        )
        asked, scores = recommend_selected(policy, seen, situation, scores)
        desired.append(np.array([one.desired for one in decide(asked, situation)]))
        ready = np.full(services, 10**6)
    return np.stack(desired[1:], axis=1)


def recorded_of(world: World, ready: int, full: slice) -> Recorded:
    """Tell of a fixed fleet that was saturated in some steps, all of whose rates are known."""
    flags = np.zeros(world.rates.shape, dtype=np.bool_)
    flags[:, full] = True
    fleet = np.where(flags, ready, 0)
    return Recorded(np.ones_like(flags), flags, fleet, fleet)


def test_a_saturated_recording_never_speaks_for_fewer_replicas() -> None:
    """All the while the rate is what few replicas served; by itself it speaks for the leanest."""
    world = seed_day(1, 600, 0)
    policy = builtin()
    always = recorded_of(world, 200, slice(None))
    held = headstart(world, policy, GUARDRAILS, None, always)
    np.testing.assert_array_equal(held, network(world, policy, GUARDRAILS))


def test_nothing_is_learned_of_rates_that_were_filled_in() -> None:
    world = seed_day(3, 600, 1)
    policy = a_policy(seed=1, blind=True)
    unknown = recorded_of(world, 0, slice(0))._replace(known=np.zeros_like(world.rates, dtype=bool))
    held = headstart(world, policy, GUARDRAILS, None, unknown)
    np.testing.assert_array_equal(held, network(world, policy, GUARDRAILS))
    assert (headstart(world, policy, GUARDRAILS) != held).any()


def test_what_was_recorded_is_told_of_the_steps_before_and_after() -> None:
    """Of the first half all, of the second nothing: it is as if only the first had been seen."""
    world = seed_day(2, 400, 2)
    policy = a_policy(seed=0, blind=True)
    known = np.concatenate([np.ones((2, 400)), np.zeros((2, 400))], axis=1).astype(bool)
    nobody = np.zeros((2, 800), dtype=np.int64)
    recorded = Recorded(known, np.zeros_like(known), nobody, nobody)
    path = headstart(world, policy, GUARDRAILS, world, recorded)
    blind = headstart(world, policy, GUARDRAILS, world, recorded._replace(known=~known))
    assert (path != network(world, policy, GUARDRAILS)).any()
    assert (path != blind).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_operator_and_a_backtest_choose_alike(seed: int) -> None:
    """A random network suits no service, so that many candidates are followed."""
    world = seed_day(6, 300, seed)
    np.testing.assert_array_equal(world.profiles.lead_steps, world.lead_steps)
    policy = a_policy(seed=seed, blind=True)
    served = headstart(world, policy, GUARDRAILS)
    assert (served != network(world, policy, GUARDRAILS)).mean() > 0.1
    np.testing.assert_array_equal(tick_by_tick(world, policy), served)

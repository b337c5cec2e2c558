"""What the operator would have asked for over whole paths of load, after its guardrails.

The policies that ship look at the load alone, never at the fleet, so that all steps of a load are
one batch of the very functions that the operator calls tick by tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_policy import envelope, selector
from headstart_policy.behavior import Memory
from headstart_policy.guardrails import Situation, allowed, guard
from headstart_policy.observation import WARMING_BINS, Observation, recent_peak
from headstart_policy.selector import Scores
from headstart_training.batches import ask_all, recommend_all
from headstart_training.contest import settle
from headstart_training.simulator import take_profiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.artifact import Policy
    from headstart_policy.guardrails import Guardrails
    from headstart_policy.types import Bools, Floats, Ints
    from headstart_training.simulator import World


def observations(world: World) -> Observation:
    """Look at the load before each of T steps: N x T rows, all steps of a service in a row.

    The fleet is not in it (0 replicas): nothing was decided yet.
    """
    services, steps = world.rates.shape
    count = services * steps
    sight = world.sight
    return Observation(
        profiles=take_profiles(world.profiles, np.repeat(np.arange(services), steps)),
        recent=sight.recent[:, :steps].reshape(count, -1),
        roughness=sight.roughness[:, :steps].reshape(count, -1),
        seasonal=sight.seasonal[:, :steps].reshape(count, *sight.seasonal.shape[2:]),
        extremes=sight.extremes[:, :steps].reshape(count, -1),
        ready=np.zeros(count, dtype=np.int64),
        warming=np.zeros((count, WARMING_BINS), dtype=np.int64),
        current=np.zeros(count, dtype=np.int64),
    )


def network(world: World, policy: Policy, guardrails: Guardrails) -> Ints:
    """Path of desired replicas of the policy's network alone, shape (N, T).

    Raises
    ------
    ValueError
        The guardrails have a ``behavior``, whose rules need the path itself.
    """
    if guardrails.behavior.horizon:
        raise ValueError("guardrails with a behavior need the operator's memory")
    observation = observations(world)
    asked = recommend_all(policy, observation)
    situation = _situation(world, observation, asked.outside, guardrails)
    desired = guard(asked.replicas, situation)[-1].after
    lost = situation.lost.reshape(world.rates.shape)
    return _held(desired.reshape(world.rates.shape), lost, world.initial)


def headstart(
    world: World, policy: Policy, guardrails: Guardrails, before: World | None = None
) -> Ints:
    """Path of desired replicas as the operator serves the policy, shape (N, T).

    Parameters
    ----------
    world
        To decide for.
    policy, guardrails
        What decides, and its limits.
    before
        The same services up to the first step, which the selector has watched; ``None``: it
        begins with its prior alone.

    Raises
    ------
    ValueError
        The guardrails have a ``behavior``, whose rules need the path itself.
    """
    if not policy.selects:
        return network(world, policy, guardrails)
    scores = None
    if before is not None:
        _, scores = _followed(before, policy, guardrails, None)
    return _followed(world, policy, guardrails, scores)[0]


def _followed(
    world: World, policy: Policy, guardrails: Guardrails, scores: Scores | None
) -> tuple[Ints, Scores]:
    """Let the selector choose step by step among paths that are worked out at once."""
    if guardrails.behavior.horizon:
        raise ValueError("guardrails with a behavior need the operator's memory")
    services, steps = world.rates.shape
    observation = observations(world)
    parts = ask_all(
        lambda batch: (
            selector.propose(policy.network, batch),
            envelope.leaves(policy.envelope, batch),
        ),
        observation,
    )
    outside = [reason for _, reasons in parts for reason in reasons]
    situation = _situation(world, observation, outside, guardrails)
    asked = allowed(np.concatenate([proposals for proposals, _ in parts]), situation)
    lost = situation.lost.reshape(services, steps)
    paths = [
        _held(one.reshape(services, steps), lost, world.initial)
        for one in np.ascontiguousarray(asked.T)
    ]
    chosen, scores = selector.passed_all(
        scores or Scores.begin(services, 1),
        np.stack([_costs(world, path).T for path in paths], axis=2),
        (world.rates / world.profiles.capacity[:, None]).T,
        np.isfinite(world.rates).T,
        world.profiles,
        policy.prior,
    )
    desired: Ints = np.choose(chosen.T, paths)
    return desired, scores


def _costs(world: World, asked: Ints) -> Floats:
    """Cost of a candidate's path, in replicas paid for an interval, shape (N, T)."""
    unit = world.profiles.replica_cost * world.profiles.interval
    costs: Floats = -settle(world, asked).dollars / unit[:, None]
    return costs


def _situation(
    world: World, observation: Observation, outside: Sequence[str | None], guardrails: Guardrails
) -> Situation:
    services, steps = world.rates.shape
    count = services * steps
    now: Floats = np.arange(steps) * world.profiles.interval[:, None]
    return Situation(
        now=now.ravel(),
        interval=observation.profiles.interval,
        current=observation.current,
        rate=world.sight.newest[:, :steps].ravel(),
        rate_age=world.sight.age[:, :steps].ravel(),
        peak=recent_peak(observation),
        capacity=observation.profiles.capacity,
        history_loaded=np.ones(count, dtype=np.bool_),
        outside=outside,
        limits=[guardrails] * count,
        memories=[Memory()] * count,
    )


def _held(desired: Ints, lost: Bools, start: Ints) -> Ints:
    """While the rate is lost, ask for what was asked for before."""
    path = np.concatenate([start[:, None], desired], axis=1)
    known = np.pad(~lost, ((0, 0), (1, 0)), constant_values=True)
    source = np.maximum.accumulate(np.where(known, np.arange(path.shape[1]), 0), axis=1)
    held: Ints = np.take_along_axis(path, source, axis=1)[:, 1:]
    return held

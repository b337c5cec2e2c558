"""What the operator would have asked for over whole paths of load, after its guardrails.

The policies that ship look at the load alone, never at the fleet, so that all steps of a load are
one batch of the very functions that the operator calls tick by tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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


class Recorded(NamedTuple):
    """What is known of the past that a load was recorded in, as an operator would have known it.

    Each is of shape (N, T).
    """

    known: Bools
    """Whether the rate is: nothing is learned of what was filled in."""
    full: Bools
    """Whether the fleet that ran was saturated, so that the rate is what was served."""
    ready: Ints
    """Replicas of that fleet; 0 where nobody knows."""
    asked: Ints
    """Replicas that it had asked for; 0 where nobody knows."""

    def part(self, steps: slice) -> Recorded:
        """Take some of the steps."""
        return Recorded(
            known=self.known[:, steps],
            full=self.full[:, steps],
            ready=self.ready[:, steps],
            asked=self.asked[:, steps],
        )


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
        seasonal_roughness=sight.seasonal_roughness[:, :steps].reshape(count, -1),
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
    world: World,
    policy: Policy,
    guardrails: Guardrails,
    before: World | None = None,
    recorded: Recorded | None = None,
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
    recorded
        Of the steps of ``before``, then of those of ``world``; ``None``: all is known, and nothing
        was saturated.

    Raises
    ------
    ValueError
        The guardrails have a ``behavior``, whose rules need the path itself.
    """
    if not policy.selects:
        return network(world, policy, guardrails)
    scores, passed = None, 0
    if before is not None:
        passed = before.steps
        then = recorded and recorded.part(slice(passed))
        _, scores = _followed(before, policy, guardrails, None, then)
    now = recorded and recorded.part(slice(passed, None))
    return _followed(world, policy, guardrails, scores, now)[0]


def _followed(
    world: World,
    policy: Policy,
    guardrails: Guardrails,
    scores: Scores | None,
    recorded: Recorded | None,
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
    known = np.isfinite(world.rates) if recorded is None else recorded.known
    chosen, scores = selector.passed_all(
        scores or Scores.begin(services, 1),
        _costs(world, paths, recorded).transpose(1, 0, 2),
        (world.rates / world.profiles.capacity[:, None]).T,
        known.T,
        world.profiles,
        policy.prior,
    )
    desired: Ints = np.choose(chosen.T, paths)
    return desired, scores


def _costs(world: World, paths: Sequence[Ints], recorded: Recorded | None) -> Floats:
    """Cost of each candidate's path, in replicas paid for an interval, shape (N, T, C)."""
    unit = world.profiles.replica_cost * world.profiles.interval
    played = [settle(world, path) for path in paths]
    costs: Floats = np.stack([-one.dollars / unit[:, None] for one in played], axis=2)
    if recorded is not None and recorded.full.any():
        # As the operator prices them: nobody is given fewer than there were.
        full = recorded.full
        ready, asked = (
            np.maximum(np.stack([path[full] for path in paths], axis=1), least[full][:, None])
            for paths, least in (
                ([one.ready for one in played], recorded.ready),
                (paths, recorded.asked),
            )
        )
        profiles = take_profiles(world.profiles, np.nonzero(full)[0])
        cost = selector.price(world.rates[full], ready, asked, profiles)
        costs[full] = selector.no_dearer_than_leaner(cost, ready)
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

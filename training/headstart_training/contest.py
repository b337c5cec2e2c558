"""Contenders on the same world, side by side, one step at a time, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from headstart_policy.behavior import Memory
from headstart_policy.decision import recommend
from headstart_policy.guardrails import Guardrails, Situation, guard
from headstart_policy.observation import recent_peak
from headstart_training.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.artifact import Policy
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats, Ints
    from headstart_training.simulator import World


class Moment(NamedTuple):
    """What there is to know beside the observation, each of shape (N,)."""

    now: Floats
    """Seconds since the first step."""
    rate: Floats
    """Newest known rate, requests/s."""
    age: Floats
    """Of that rate, s."""


class Decider(Protocol):
    """A way to decide; it may remember, so one serves one contest."""

    def decide(self, observation: Observation, moment: Moment) -> Ints:
        """Replicas to ask for, shape (N,)."""


class Headstart:
    """A policy's network with its guardrails; nothing is chosen among its hedges.

    What the operator serves where it chooses is :func:`headstart_training.served.headstart`.

    Parameters
    ----------
    policy
        The artefact.
    guardrails
        Of every service. Rules with a memory (``behavior``) are not played here.
    """

    def __init__(self, policy: Policy, guardrails: Guardrails) -> None:
        if guardrails.behavior.horizon:
            raise ValueError("guardrails with a behavior need the operator's memory")
        self._policy, self._guardrails = policy, guardrails

    def decide(self, observation: Observation, moment: Moment) -> Ints:
        """Replicas to ask for, shape (N,)."""
        asked = recommend(self._policy, observation)
        count = len(observation)
        situation = Situation(
            now=moment.now,
            interval=observation.profiles.interval,
            current=observation.current,
            rate=moment.rate,
            rate_age=moment.age,
            peak=recent_peak(observation),
            capacity=observation.profiles.capacity,
            history_loaded=np.ones(count, dtype=np.bool_),
            outside=asked.outside,
            limits=[self._guardrails] * count,
            memories=[Memory()] * count,
        )
        return guard(asked.replicas, situation)[-1].after


@dataclass(frozen=True)
class Result:
    """What one contender came to on N services over T steps.

    Attributes
    ----------
    dollars, violations, billed
        Of each step, shape (N, T): dollars, share of the step in violation, replicas paid for.
    desired, ready
        Replicas asked for and serving in each step, shape (N, T).
    interval
        Length of a step [s], shape (N,).
    """

    dollars: Floats
    violations: Floats
    billed: Ints
    desired: Ints
    ready: Ints
    interval: Floats

    @classmethod
    def concatenate(cls, parts: Sequence[Result]) -> Result:
        """Put services side by side, in order."""
        names = [f.name for f in fields(cls)]
        return cls(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})

    @property
    def days(self) -> Floats:
        """Time played, shape (N,)."""
        values: Floats = self.interval * self.dollars.shape[1] / 86_400
        return values

    @property
    def dollars_per_day(self) -> Floats:
        """Shape (N,)."""
        values: Floats = self.dollars.sum(axis=1) / self.days
        return values

    @property
    def violation_minutes_per_day(self) -> Floats:
        """Shape (N,)."""
        values: Floats = self.violations.sum(axis=1) * self.interval / 60 / self.days
        return values

    @property
    def replica_hours_per_day(self) -> Floats:
        """Shape (N,)."""
        values: Floats = self.billed.sum(axis=1) * self.interval / 3600 / self.days
        return values


def play(world: World, decider: Decider) -> Result:
    """Let one contender decide for all services of a world, from the first step to the last."""
    simulator = Simulator(world)
    steps, asked = [], []
    while not simulator.over:
        t = simulator.t
        moment = Moment(
            now=t * world.profiles.interval,
            rate=world.sight.newest[:, t],
            age=world.sight.age[:, t],
        )
        asked.append(decider.decide(simulator.observe(), moment))
        steps.append(simulator.step(asked[-1]))
    return Result(
        dollars=np.stack([step.outcome.dollars for step in steps], axis=1),
        violations=np.stack([step.outcome.violation for step in steps], axis=1).astype(np.float64),
        billed=np.stack([step.billed for step in steps], axis=1),
        desired=np.stack(asked, axis=1),
        ready=np.stack([step.ready for step in steps], axis=1),
        interval=world.profiles.interval,
    )


def settle(world: World, desired: Ints) -> Result:
    """Price whole paths of desired replicas at once, shape (N, T).

    Load is exogenous, so whoever needs to look at nothing but the load can say at once what they
    would have asked for at every step. The result is that of :func:`play`.

    Raises
    ------
    ValueError
        The paths do not have the world's shape.
    """
    if desired.shape != world.rates.shape:
        raise ValueError(f"desired must have shape {world.rates.shape}, has {desired.shape}")
    asked, ready = world.carry_out(np.asarray(desired, dtype=np.int64))
    billed = np.where(np.reshape(world.bill_warming, (-1, 1)), asked, ready)
    dollars, violations = world.price(ready, billed)
    return Result(
        dollars=dollars,
        violations=violations,
        billed=billed,
        desired=desired,
        ready=ready,
        interval=world.profiles.interval,
    )

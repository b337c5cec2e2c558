"""Observation -> decision: what the operator, the simulator and the backtest all call."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy import envelope
from headstart_policy.features import features, load_of, references
from headstart_policy.guardrails import FALLBACK_UTILIZATION, Situation, guard
from headstart_policy.observation import recent_peak
from headstart_policy.reactive import ceil_replicas, reactive

if TYPE_CHECKING:
    from headstart_policy.artifact import Policy
    from headstart_policy.behavior import Memory
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats, Ints

NETWORK = "network"
REACTIVE = "reactive"


@dataclass(frozen=True)
class Recommendation:
    """What a candidate asks for, for N services.

    Attributes
    ----------
    candidate
        ``network`` or ``reactive``.
    replicas
        Shape (N,).
    demand
        Replicas that the recent rate needs, before any margin, shape (N,); NaN: unknown.
    outside
        Which bound of the policy's envelope was left, ``None`` inside.
    """

    candidate: str
    replicas: Ints
    demand: Floats
    outside: list[str | None]


@dataclass(frozen=True)
class Limit:
    """One guardrail that changed a decision."""

    guardrail: str
    before: int
    after: int
    reason: str


@dataclass(frozen=True)
class Decision:
    """A decision for one service that explains itself.

    Attributes
    ----------
    time
        Seconds since the epoch.
    candidate, recommendation, demand
        Who asked for how many replicas, and how many the recent rate needs (``None``: unknown).
    limits
        The guardrails that changed it, in their order.
    desired
        What remains.
    """

    time: float
    candidate: str
    recommendation: int
    demand: float | None
    limits: tuple[Limit, ...]
    desired: int

    @property
    def reason(self) -> str:
        """Say in a sentence how ``desired`` came about."""
        if self.demand is None:
            asked = f"{self.candidate} asks for {self.recommendation} (no recent rate)"
        else:
            asked = (
                f"the load needs {self.demand:.1f} replicas, "
                f"{self.candidate} asks for {self.recommendation}"
            )
        steps = [
            f"{limit.guardrail} {limit.before} -> {limit.after} ({limit.reason})"
            for limit in self.limits
        ]
        return "; ".join([asked, *steps])

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values, for records and status."""
        return {**asdict(self), "reason": self.reason}


def recommend(policy: Policy, observation: Observation) -> Recommendation:
    """Ask the network of ``policy`` for N services in one batch."""
    asked = policy.network.replicas(features(observation), references(observation))
    return Recommendation(
        candidate=NETWORK,
        replicas=ceil_replicas(asked),
        demand=load_of(observation).demand,
        outside=envelope.leaves(policy.envelope, observation),
    )


def recommend_reactive(observation: Observation) -> Recommendation:
    """Ask the HPA's formula: for services whose policy cannot be read."""
    return Recommendation(
        candidate=REACTIVE,
        replicas=reactive(
            recent_peak(observation), observation.profiles.capacity, FALLBACK_UTILIZATION
        ),
        demand=load_of(observation).demand,
        outside=[None] * len(observation),
    )


def decide(recommendation: Recommendation, situation: Situation) -> list[Decision]:
    """Pass N recommendations through the guardrails and keep what each of them changed."""
    verdicts = guard(recommendation.replicas, situation)
    return [
        Decision(
            time=float(situation.now[i]),
            candidate=recommendation.candidate,
            recommendation=int(recommendation.replicas[i]),
            demand=float(d) if np.isfinite(d := recommendation.demand[i]) else None,
            limits=tuple(
                Limit(v.guardrail, int(v.before[i]), int(v.after[i]), v.reason(i))
                for v in verdicts
                if v.before[i] != v.after[i]
            ),
            desired=int(verdicts[-1].after[i]),
        )
        for i in range(len(situation.current))
    ]


def remember(
    decision: Decision, situation: Situation, i: int, *, carried_out: bool = True
) -> Memory:
    """Return what ``behavior`` must remember of service i's decision.

    One that was only shown, or refused by the API server, changed nothing.
    """
    wanted = next(
        (limit.before for limit in decision.limits if limit.guardrail == "behavior"),
        decision.desired,
    )
    return situation.memories[i].after(
        decision.time,
        wanted,
        decision.desired - int(situation.current[i]) if carried_out else 0,
        situation.limits[i].behavior.horizon,
    )

"""Observation -> decision: what the operator, the simulator and the backtest all call."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy import envelope, selector
from headstart_policy.behavior import tolerated
from headstart_policy.features import look
from headstart_policy.guardrails import FALLBACK_UTILIZATION, Situation, allowed, guard, undercut
from headstart_policy.observation import recent_peak
from headstart_policy.reactive import ceil_replicas, reactive
from headstart_policy.windows import load_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.artifact import Policy
    from headstart_policy.behavior import Memory
    from headstart_policy.observation import Observation
    from headstart_policy.selector import Scores
    from headstart_policy.types import Floats, Ints

NETWORK = "network"
REACTIVE = "reactive"

# The guardrails that see what is wanted after ``behavior`` has remembered it.
_FROM_BEHAVIOR = frozenset({"behavior", "block", "quota", "activation", "pin", "bounds"})


@dataclass(frozen=True)
class Recommendation:
    """What a candidate asks for, for N services.

    Attributes
    ----------
    candidate
        Who asks, for each service: ``network``, ``reactive``, or one that the selector follows.
    replicas
        Shape (N,).
    demand
        Replicas that the recent rate needs, before any margin, shape (N,); NaN: unknown.
    outside
        Which bound of the policy's envelope was left, ``None`` inside.
    why
        Why that candidate is followed, for each service; ``None`` where there is no choice to
        explain; nothing means none.
    """

    candidate: Sequence[str]
    replicas: Ints
    demand: Floats
    outside: Sequence[str | None]
    why: Sequence[str | None] = ()


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
    why
        Why this candidate is followed; ``None``: there is no choice to explain.
    """

    time: float
    candidate: str
    recommendation: int
    demand: float | None
    limits: tuple[Limit, ...]
    desired: int
    why: str | None = None

    @property
    def reason(self) -> str:
        """Say in a sentence how ``desired`` came about."""
        who = f"{self.candidate} ({self.why})" if self.why else self.candidate
        if self.demand is None:
            asked = f"{who} asks for {self.recommendation} (no recent rate)"
        else:
            asked = (
                f"the load needs {self.demand:.1f} replicas, {who} asks for {self.recommendation}"
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
    seen = look(observation)
    asked = policy.network.replicas(seen.features, seen.references)
    return Recommendation(
        candidate=[NETWORK] * len(observation),
        replicas=ceil_replicas(asked),
        demand=load_of(observation).demand,
        outside=envelope.leaves(policy.envelope, observation),
    )


def recommend_reactive(observation: Observation) -> Recommendation:
    """Ask the HPA's formula: for services whose policy cannot be read."""
    return Recommendation(
        candidate=[REACTIVE] * len(observation),
        replicas=reactive(
            recent_peak(observation), observation.profiles.capacity, FALLBACK_UTILIZATION
        ),
        demand=load_of(observation).demand,
        outside=[None] * len(observation),
    )


def recommend_selected(
    policy: Policy, observation: Observation, situation: Situation, scores: Scores
) -> tuple[Recommendation, Scores]:
    """Ask all candidates of ``policy``, and follow those that the past speaks for.

    Parameters
    ----------
    policy
        It :attr:`~headstart_policy.artifact.Policy.selects`.
    observation, situation
        Of N services at one instant.
    scores
        As the last decisions left them.

    Returns
    -------
    What the followed candidates ask for, and the scores as this decision leaves them: unchanged
    where the history is not loaded, since on half of it candidates ask for nonsense.
    """
    profiles, count = observation.profiles, len(observation)
    proposals = selector.propose(policy.network, observation)
    # An older rate tells nothing of the interval that has just passed.
    fresh = situation.history_loaded & (situation.rate_age < situation.interval)
    learned = selector.learn(
        scores,
        np.where(fresh, situation.rate, np.nan),
        selector.Fleet(observation.ready, observation.current),
        profiles,
        profiles.lead_steps,
        policy.prior,
    )
    recommendation = Recommendation(
        candidate=[selector.NAMES[chosen] for chosen in learned.chosen.tolist()],
        replicas=proposals[np.arange(count), learned.chosen],
        demand=load_of(observation).demand,
        outside=situation.outside,
        why=selector.why(learned),
    )
    asked = allowed(proposals, situation)
    noted = selector.remember(learned, asked, observation.ready, situation.lost)
    loaded = situation.history_loaded
    return recommendation, noted._replace(
        asked=np.where(loaded[:, None, None], noted.asked, scores.asked),
        ready=np.where(loaded, noted.ready, scores.ready),
    )


def decide(recommendation: Recommendation, situation: Situation) -> list[Decision]:
    """Pass N recommendations through the guardrails and keep what each of them changed."""
    verdicts = guard(recommendation.replicas, situation)
    limits: list[list[Limit]] = [[] for _ in situation.limits]
    for k, verdict in enumerate(verdicts):
        if verdict.before is verdict.after:
            continue
        for i in np.flatnonzero(verdict.before != verdict.after).tolist():
            before, after = int(verdict.before[i]), int(verdict.after[i])
            reason = verdict.reason(i) + undercut(verdicts, k, i)
            limits[i].append(Limit(verdict.guardrail, before, after, reason))
    whys = recommendation.why or [None] * len(limits)
    return [
        Decision(
            time=time,
            candidate=candidate,
            recommendation=replicas,
            demand=demand if math.isfinite(demand) else None,
            limits=tuple(changed),
            desired=desired,
            why=why,
        )
        for time, candidate, replicas, demand, changed, desired, why in zip(
            situation.now.tolist(),
            recommendation.candidate,
            recommendation.replicas.tolist(),
            recommendation.demand.tolist(),
            limits,
            verdicts[-1].after.tolist(),
            whys,
            strict=True,
        )
    ]


def remember(
    decision: Decision, situation: Situation, i: int, *, carried_out: bool = True
) -> Memory:
    """Return what ``behavior`` must remember of service i's decision.

    One that was only shown, or refused by the API server, changed nothing.
    """
    # Before bounds and orders, as the HPA does: a pin that ends must not be what was wanted.
    wanted = next(
        (limit.before for limit in decision.limits if limit.guardrail in _FROM_BEHAVIOR),
        decision.desired,
    )
    rules, current = situation.limits[i].behavior, int(situation.current[i])
    return situation.memories[i].after(
        decision.time,
        tolerated(rules, current, wanted),
        decision.desired - current if carried_out else 0,
        rules.horizon,
    )

"""How long a batched decision takes: features, candidates, selector, guardrails, on one core."""

from __future__ import annotations

import gc
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy import artifact, envelope, selector
from headstart_policy.behavior import Memory
from headstart_policy.decision import decide, recommend_selected
from headstart_policy.features import look
from headstart_policy.guardrails import Guardrails, Situation, allowed
from headstart_policy.observation import Observation, recent_peak
from headstart_policy.selector import Fleet, Scores
from headstart_training import scenarios
from headstart_training.served import observations

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy

# Decisions that came before, so that there is a past to price.
_BEFORE = 30
_SEED = 0


@dataclass(frozen=True)
class Duration:
    """Of many rounds, ms."""

    median: float
    max: float

    @classmethod
    def of(cls, run: Callable[[], object], rounds: int) -> Duration:
        """Time ``run``, after a first round that does not count.

        What it leaves is collected as ever; but what the simulator has loaded, and an operator has
        not, is not gone through each time.
        """
        run()
        gc.collect()
        gc.freeze()
        taken = []
        for _ in range(rounds):
            start = time.perf_counter()
            run()
            taken.append(1000 * (time.perf_counter() - start))
        gc.unfreeze()
        return cls(float(np.median(taken)), max(taken))


@dataclass(frozen=True)
class Speed:
    """A decision for ``services`` services in one batch.

    Attributes
    ----------
    decision
        Observation and scores to explained decisions and new scores.
    batch
        The same from single services to single services, put side by side and taken apart.
    parts
        What the batch is made of, each timed by itself.
    """

    services: int
    rounds: int
    decision: Duration
    batch: Duration
    parts: dict[str, Duration]

    def to_json(self) -> dict[str, object]:
        """Turn into plain values."""
        return asdict(self)


def measure(services: int = 1000, rounds: int = 200) -> Speed:
    """Time a batch of services of every kind, each with lead time, limits and past of its own."""
    policy = artifact.builtin()
    if not policy.selects:
        raise ValueError("the shipped policy leaves nothing to choose from: nothing to measure")
    seen, situation = _scene(policy, services)
    lead_steps = seen.profiles.lead_steps
    asked = allowed(selector.propose(policy.network, seen), situation)
    scores = Scores.begin(services, int(lead_steps.max()))
    for _ in range(_BEFORE):
        scores = _learn(scores, seen, situation)
        scores = selector.remember(scores, asked, seen.ready, situation.lost)
    alone = [seen.take(np.array([i])) for i in range(services)]
    parts = scores.split(lead_steps)
    network_sees = look(seen)[:2]
    recommendation, _ = recommend_selected(policy, seen, situation, scores)

    def choose() -> None:
        learned = _learn(scores, seen, situation)
        selector.why(learned)
        selector.remember(learned, asked, seen.ready, situation.lost)

    def guard() -> None:
        now = replace(situation)  # What it has worked out already, it would not work out again.
        envelope.leaves(policy.envelope, seen)
        allowed(asked, now)
        decide(recommendation, now)

    def decision(seen: Observation, scores: Scores) -> Scores:
        now = replace(situation)
        envelope.leaves(policy.envelope, seen)
        recommendation, after = recommend_selected(policy, seen, now, scores)
        decide(recommendation, now)
        return after

    def side_by_side() -> tuple[Observation, Scores]:
        return Observation.concatenate(alone), Scores.stack(parts)

    return Speed(
        services,
        rounds,
        decision=Duration.of(lambda: decision(seen, scores), rounds),
        batch=Duration.of(lambda: decision(*side_by_side()).split(lead_steps), rounds),
        parts={
            "features": Duration.of(lambda: look(seen), rounds),
            "network": Duration.of(lambda: policy.network.replicas(*network_sees), rounds),
            "selector": Duration.of(choose, rounds),
            "guardrails and reasons": Duration.of(guard, rounds),
            "side by side": Duration.of(side_by_side, rounds),
            "apart": Duration.of(lambda: scores.split(lead_steps), rounds),
        },
    )


def _learn(scores: Scores, seen: Observation, situation: Situation) -> Scores:
    fleet = Fleet(seen.ready, seen.current)
    return selector.learn(scores, situation.rate, fleet, seen.profiles, seen.profiles.lead_steps)


def _scene(policy: Policy, services: int) -> tuple[Observation, Situation]:
    """Look at services one step after they began; their fleets are what their loads need."""
    world = scenarios.draw(np.random.default_rng(_SEED), services, 1, expected=True)
    blank = observations(world)
    fleet = {"ready": world.initial, "current": world.initial}
    seen = Observation(**{**vars(blank), **fleet})
    return seen, Situation(
        now=np.zeros(services),
        interval=seen.profiles.interval,
        current=seen.current,
        rate=world.sight.newest[:, 0],
        rate_age=np.zeros(services),
        peak=recent_peak(seen),
        capacity=seen.profiles.capacity,
        history_loaded=np.ones(services, dtype=np.bool_),
        outside=envelope.leaves(policy.envelope, seen),
        limits=[Guardrails(max_replicas=100_000 + i) for i in range(services)],
        memories=[Memory()] * services,
    )

"""A decision explains itself completely, and is the same alone, in any batch, in any order."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from headstart_policy.behavior import Behavior, Rules
from headstart_policy.decision import (
    Decision,
    Limit,
    Recommendation,
    decide,
    recommend,
    recommend_reactive,
    remember,
)
from headstart_policy.guardrails import Guardrails
from tests.unit.policy.build import WIDE, a_policy, a_profile, a_situation, an_observation


def test_limits_chain_from_recommendation_to_desired() -> None:
    """Whoever reads limits in order can follow every change."""
    count = 300
    random = np.random.default_rng(5)
    observation = an_observation(random.uniform(0, 200, (count, 60)), current=10)
    recommendation = recommend(a_policy(), observation)
    situation = a_situation(
        count,
        rate=random.uniform(0, 200, count),
        rate_age=random.choice([0.0, 100.0], count),
        limits=[Guardrails(min_replicas=5, max_replicas=30)] * count,
    )
    decisions = decide(recommendation, situation)
    for decision in decisions:
        steps = [decision.recommendation]
        for limit in decision.limits:
            assert limit.before == steps[-1] != limit.after
            steps.append(limit.after)
        assert steps[-1] == decision.desired
        assert json.loads(json.dumps(decision.to_json()))["desired"] == decision.desired
    assert {limit.guardrail for d in decisions for limit in d.limits} == {
        "onMetricLoss",
        "reactiveFloor",
        "bounds",
    }


def test_a_decision_does_not_depend_on_its_batch() -> None:
    count = 400
    random = np.random.default_rng(6)
    rates = random.uniform(0, 200, (count, 100))
    rates[random.uniform(size=rates.shape) < 0.1] = np.nan
    observation = an_observation(rates, current=10)
    policy = a_policy()
    together = recommend(policy, observation).replicas
    order = random.permutation(count)
    shuffled = recommend(policy, observation.take(order)).replicas
    np.testing.assert_array_equal(shuffled, together[order])
    alone = [recommend(policy, observation.take(np.array([i]))).replicas[0] for i in range(count)]
    np.testing.assert_array_equal(together, alone)


def test_the_sentence_says_who_asked_and_what_changed_it() -> None:
    decision = Decision(
        time=0.0,
        candidate="network",
        recommendation=12,
        demand=9.25,
        limits=(Limit("bounds", 12, 10, "maxReplicas = 10"),),
        desired=10,
    )
    assert decision.reason == (
        "the load needs 9.2 replicas, network asks for 12; bounds 12 -> 10 (maxReplicas = 10)"
    )
    unknown = replace(decision, demand=None, limits=())
    assert unknown.reason == "network asks for 12 (no recent rate)"


def test_outside_of_the_envelope_says_which_bound() -> None:
    policy = a_policy(replace(WIDE, demand=(10, 20), lead_steps=(1, 4)))
    observation = an_observation(np.array([[50.0] * 50, [25.0] * 50]))
    outside = recommend(policy, observation).outside
    assert outside == [
        "lead_steps = 5, trained for [1, 4]",
        "demand = 5, trained for [10, 20]",
    ]


@pytest.mark.parametrize(
    ("bounds", "left"),
    [
        ({"demand": (10, 20)}, "demand = 5"),
        ({"ramp": (1.5, 2)}, "ramp = 1"),
        ({"lead_steps": (1, 4)}, "lead_steps = 5"),
        ({"stake": (0, 10)}, "stake = 4000"),
        ({"worth": (0, 1)}, "worth = 5.4"),
        ({"slo": (0.1, 0.2)}, "slo = 0.995"),
        # A service of which nothing is known has left nothing.
        ({}, None),
    ],
)
def test_every_bound_of_the_envelope_is_watched(
    bounds: dict[str, tuple[float, float]], left: str | None
) -> None:
    observation = an_observation(np.array([[25.0] * 50]))
    (outside,) = recommend(a_policy(replace(WIDE, **bounds)), observation).outside
    assert (outside and outside.partition(",")[0]) == left


def test_the_reactive_candidate_is_the_formula() -> None:
    recommendation = recommend_reactive(an_observation(np.full((1, 50), 70.0)))
    assert recommendation.candidate == ["reactive"]
    assert recommendation.replicas.tolist() == [20]
    assert recommendation.demand == pytest.approx([14.0])


def test_an_unknown_load_asks_for_nothing_and_guardrails_hold() -> None:
    recommendation = recommend(a_policy(), an_observation(np.full((1, 50), np.nan)))
    unknown = np.array([np.nan])
    (decision,) = decide(recommendation, a_situation(rate=unknown, rate_age=unknown))
    assert decision.demand is None
    assert decision.desired == 10


def test_memory_keeps_what_was_wanted_before_behavior() -> None:
    limits = Guardrails(max_replicas=100, behavior=Behavior(down=Rules(window=300.0)))
    situation = a_situation(limits=[limits])
    recommendation = Recommendation(["network"], np.array([9]), np.array([8.0]), [None])
    (first,) = decide(recommendation, situation)
    memory = remember(first, situation, 0)
    assert memory.recommendations == ((1000.0, 9),)
    assert memory.changes == ((1000.0, -1),)
    later = replace(situation, now=np.array([1100.0]), memories=[memory], rate=np.array([5.0]))
    lower = replace(recommendation, replicas=np.array([2]))
    (second,) = decide(lower, later)
    assert second.desired == 9
    assert remember(second, later, 0).recommendations[-1] == (1100.0, 2)


def test_profiles_may_differ_within_a_batch() -> None:
    small, large = a_profile(capacity=1.0), a_profile(capacity=50.0)
    rates = np.full((1, 50), 100.0)
    demands = [recommend(a_policy(), an_observation(rates, p)).demand[0] for p in (small, large)]
    assert demands == pytest.approx([100.0, 2.0])

"""Facts become a status; it is written when it says something new."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headstart_operator.memory import Memory
from headstart_operator.reporting import status
from headstart_operator.reporting.status import Facts, Problem
from headstart_operator.resource import Mode
from headstart_operator.rivals.contest import Contest, Stand
from headstart_operator.workloads.lead_times import Change, LeadTimes
from headstart_operator.workloads.pods import Census
from headstart_operator.workloads.starts import Start
from headstart_policy.behavior import Memory as BehaviorMemory
from headstart_policy.behavior import Sample
from headstart_policy.decision import Decision, Limit

NOW = 1_767_225_600.0
DECISION = Decision(
    time=NOW,
    candidate="network",
    recommendation=9,
    demand=6.2,
    limits=(Limit("bounds", 9, 8, "maxReplicas = 8"),),
    desired=8,
)
FACTS = Facts(
    generation=3,
    mode=Mode.AUTO,
    problem=None,
    rate=31.0,
    current=7,
    census=Census(6, np.array([1, 0, 0, 0]), {}),
    decision=DECISION,
    lead_time=300.0,
    digest="sha256:abc",
    last_scale=NOW - 60,
)
MEMORY = Memory(
    LeadTimes((Start("a", NOW, 60.0, 2.0, 20.0), Start("a", NOW, 61.0, 2.0, 20.0)), 61.0, "a"),
    Contest("uid", 7, (NOW,), "kubectl set 7 replicas"),
    BehaviorMemory((Sample(NOW, 7),), (Sample(NOW, 1),)),
)


def condition(facts: Facts, kind: str, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Build one condition."""
    built = status.build(facts, MEMORY, before or {}, NOW)
    return next(c for c in built["conditions"] if c["type"] == kind)


def test_a_status_in_full() -> None:
    built = status.build(FACTS, MEMORY, {}, NOW)
    assert {k: v for k, v in built.items() if k not in {"conditions", "memory"}} == {
        "observedGeneration": 3,
        "requestRate": "31",
        "readyReplicas": 6,
        "warmingReplicas": 1,
        "currentReplicas": 7,
        "desiredReplicas": 8,
        "leadTimeSeconds": 300,
        "leadTime": {
            "p50Seconds": 60,
            "p90Seconds": 61,
            "samples": 2,
            "schedulingSeconds": 2,
            "startSeconds": 20,
            "readinessSeconds": 38,
        },
        "policyDigest": "sha256:abc",
        "lastScaleTime": "2025-12-31T23:59:00Z",
        "comparison": None,
        "budget": None,
        "violations": None,
        "lastDecision": {
            "time": "2026-01-01T00:00:00Z",
            "candidate": "network",
            "recommendation": 9,
            "limits": [{"guardrail": "bounds", "from": 9, "to": 8, "reason": "maxReplicas = 8"}],
            "desired": 8,
            "reason": "the load needs 6.2 replicas, network asks for 9; "
            "bounds 9 -> 8 (maxReplicas = 8)",
        },
    }
    assert Memory.from_json(built["memory"]) == MEMORY


def test_a_memory_that_is_not_ours_is_forgotten() -> None:
    for document in (None, {}, {"version": 2}, {"version": 1}, {"version": 1, "leadTimes": 5}):
        assert Memory.from_json(document) == Memory()
    broken = {**MEMORY.to_json(), "contest": {"times": ["yesterday"]}}
    assert Memory.from_json(broken) == Memory()


UNSURE = Stand("AutoscalersUnreadable", "forbidden", certain=False)
PROBLEM = Problem("TargetNotFound", "Deployment shop/checkout does not exist")


@pytest.mark.parametrize(
    ("change", "kind", "holds", "reason"),
    [
        ({}, "Ready", "True", "Deciding"),
        ({"problem": PROBLEM}, "Ready", "False", "TargetNotFound"),
        ({}, "RateAvailable", "True", "RateRead"),
        ({"rate_problem": Problem("NoSeries", "none")}, "RateAvailable", "False", "NoSeries"),
        ({"mode": None}, "RateAvailable", "Unknown", "SpecInvalid"),
        ({}, "ScalingActive", "True", "Scaling"),
        ({"mode": Mode.OBSERVE}, "ScalingActive", "False", "Observing"),
        ({"inactive": Problem("ScaledToZero", "off")}, "ScalingActive", "False", "ScaledToZero"),
        ({"decision": None, "problem": PROBLEM}, "ScalingActive", "False", "TargetNotFound"),
        ({}, "ScalingLimited", "True", "Bounds"),
        ({"decision": replace(DECISION, limits=())}, "ScalingLimited", "False", "NotLimited"),
        ({"decision": None}, "ScalingLimited", "Unknown", "NoDecision"),
        ({}, "InEnvelope", "True", "InsideEnvelope"),
        ({"outside": "ramp = 9"}, "InEnvelope", "False", "OutsideEnvelope"),
        ({"digest": None}, "InEnvelope", "Unknown", "NoDecision"),
        ({}, "LeadTimeStable", "True", "AsMeasured"),
        ({"outside": "lead_steps = 99"}, "LeadTimeStable", "False", "OutsideEnvelope"),
        ({}, "TargetContested", "False", "NotContested"),
        ({"contested": Stand("ScaledObject", "x")}, "TargetContested", "True", "ScaledObject"),
        ({"contested": UNSURE}, "TargetContested", "Unknown", "AutoscalersUnreadable"),
        ({"assisted": "HorizontalPodAutoscaler/x"}, "ScalingActive", "True", "Assisting"),
    ],
)
def test_conditions(change: dict[str, Any], kind: str, holds: str, reason: str) -> None:
    found = condition(replace(FACTS, **change), kind)
    assert (found["status"], found["reason"]) == (holds, reason)
    assert found["message"]
    assert found["observedGeneration"] == 3


def test_the_lead_time_is_stable_until_a_release_changes_it() -> None:
    def stable(lead_times: LeadTimes, now: float) -> dict[str, Any]:
        built = status.build(FACTS, replace(MEMORY, lead_times=lead_times), {}, now)
        return next(c for c in built["conditions"] if c["type"] == "LeadTimeStable")

    assert stable(LeadTimes(), NOW)["reason"] == "NotMeasured"
    changed = replace(MEMORY.lead_times, change=Change(NOW, 60.0, 90.0))
    assert stable(changed, NOW + 100)["reason"] == "LeadTimeChanged"
    assert status.bad(stable(changed, NOW + 100))
    assert stable(changed, NOW + 86_400)["reason"] == "AsMeasured"


def test_observe_says_what_auto_would_refuse() -> None:
    found = condition(replace(FACTS, mode=Mode.OBSERVE, in_order="it starts in order"), "Ready")
    assert found["status"] == "True"
    facts = replace(FACTS, mode=Mode.OBSERVE, in_order="it starts in order")
    active = condition(facts, "ScalingActive")
    assert active["reason"] == "Observing"
    assert "In mode Auto it would not be scaled: it starts in order." in active["message"]


def test_a_transition_time_changes_with_the_status_and_not_with_the_reason() -> None:
    earlier = {**condition(FACTS, "Ready"), "lastTransitionTime": "2020-01-01T00:00:00Z"}
    before = {"conditions": [earlier]}
    assert condition(FACTS, "Ready", before)["lastTransitionTime"] == "2020-01-01T00:00:00Z"
    broken = replace(FACTS, problem=PROBLEM)
    assert condition(broken, "Ready", before)["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    failed = {"conditions": [{**earlier, "status": "False"}]}
    assert condition(broken, "Ready", failed)["lastTransitionTime"] == "2020-01-01T00:00:00Z"


def test_a_status_is_written_when_it_says_something_new() -> None:
    written = status.build(FACTS, MEMORY, {}, NOW)

    def worth(facts: Facts = FACTS, memory: Memory = MEMORY, since: float = 5) -> bool:
        return status.must_write(status.build(facts, memory, written, NOW + 5), written, since)

    assert not worth()
    assert not worth(replace(FACTS, rate=32.0))
    assert worth(replace(FACTS, rate=32.0), since=60)
    assert worth(replace(FACTS, current=8))
    assert worth(replace(FACTS, problem=PROBLEM))
    assert worth(memory=replace(MEMORY, contest=Contest("uid", 9)))
    # That the same was wanted once more, later, is nothing new.
    later = BehaviorMemory((Sample(NOW + 5, 7),), (Sample(NOW, 1),))
    assert not worth(memory=replace(MEMORY, behavior=later))
    assert not worth(since=60)


def test_what_is_unknown_is_removed() -> None:
    built = status.build(replace(FACTS, census=None, decision=None, rate=None), MEMORY, {}, NOW)
    assert built["readyReplicas"] is None
    assert built["requestRate"] is None


@pytest.mark.parametrize(("rate", "text"), [(0.0, "0"), (31.0, "31"), (0.12345, "0.123")])
def test_rates_are_quantities(rate: float, text: str) -> None:
    assert status.format_rate(rate) == text


@pytest.mark.parametrize(
    ("kind", "before", "after", "told"),
    [
        ("PolicyTrusted", "False", "True", True),
        ("WithinBudget", "False", "True", True),
        ("PolicyTrusted", "Unknown", "True", False),
        ("PolicyTrusted", "False", "Unknown", False),
        # Ready tells it.
        ("RateAvailable", "False", "True", False),
    ],
)
def test_who_was_warned_is_told_that_it_is_over(
    kind: str, before: str, after: str, *, told: bool
) -> None:
    previous = {"conditions": [{"type": kind, "status": before}]}
    assert status.relieved({"type": kind, "status": after}, previous) is told
    assert not status.relieved({"type": kind, "status": after}, {})

"""A policy's status in words."""

from __future__ import annotations

from typing import Any

import pytest

from headstart_operator.explain import words


def a_policy(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Write a policy as the API server shows it."""
    return {
        "metadata": {"namespace": "shop", "name": "checkout"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "checkout"},
            "maxReplicas": 60,
            "capacity": {"requestsPerSecond": "5"},
            **spec,
        },
        **({"status": status} if status else {}),
    }


def a_condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    """Write a condition."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def test_a_policy_that_nobody_serves_says_so() -> None:
    assert words.headline(a_policy()) == (
        "Observe of Deployment checkout, policy no artefact: is not served by an operator yet"
    )
    assert words.last_decision(a_policy()) == []
    assert words.notable(a_policy()) == []


@pytest.mark.parametrize(
    ("ready", "state"),
    [
        (a_condition("Ready", "True", "Deciding"), "works"),
        (a_condition("Ready", "False", "TargetNotFound"), "has a problem: TargetNotFound"),
    ],
)
def test_the_headline_says_whether_it_works(ready: dict[str, Any], state: str) -> None:
    status = {"conditions": [ready], "policyDigest": "sha256:0123456789abcdef"}
    line = words.headline(a_policy(status, mode="Auto"))
    assert line == f"Auto of Deployment checkout, policy 0123456789ab: {state}"


@pytest.mark.parametrize(
    ("status", "name", "text"),
    [
        ({"requestRate": "52.1"}, "rate", "52.1 requests/s; one replica serves 5"),
        (
            {"readyReplicas": 9, "warmingReplicas": 3, "currentReplicas": 12},
            "replicas",
            "9 ready, 3 warming, 12 asked for, ? desired (1 to 60 allowed)",
        ),
        (
            {
                "leadTimeSeconds": 80,
                "leadTime": {"p50Seconds": 60, "p90Seconds": 79, "samples": 12},
            },
            "lead time",
            "80 s planned with; half of 12 starts took 60 s, nine of ten 79 s",
        ),
        (
            {
                "comparison": {
                    "against": "HorizontalPodAutoscaler/checkout",
                    "since": "2026-11-23T10:00:00Z",
                    "savedDollars": "-12.5",
                    "violationMinutes": "0",
                    "theirViolationMinutes": "3",
                }
            },
            "compared",
            (
                "with HorizontalPodAutoscaler/checkout since 2026-11-23T10:00:00Z: "
                "would have spent 12.50 more dollars; 0 min of violation, theirs 3"
            ),
        ),
        (
            {
                "budget": {
                    "slo": "99.9",
                    "remainingRatio": "0.4",
                    "spentMinutes": "26",
                    "hedge": "1.5",
                }
            },
            "error budget",
            (
                "40% left of 99.9 %, 26 min spent; "
                "a violation is priced at 1.5 times what the spec says"
            ),
        ),
        (
            {"violations": {"since": "now", "predictedMinutes": "2", "measuredMinutes": "3"}},
            "violations",
            "2 min predicted, 3 min measured since now",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_figures(status: dict[str, Any], name: str, text: str) -> None:
    assert dict(words.figures(a_policy(status)))[name] == text


def test_a_decision_is_told_step_by_step() -> None:
    decision = {
        "time": "2026-11-23T10:00:00Z",
        "recommendation": 20,
        "desired": 18,
        "reason": "the load needs 10.4 replicas, network asks for 20; bounds 20 -> 18 (most)",
        "limits": [{"guardrail": "bounds", "from": 20, "to": 18, "reason": "maxReplicas = 18"}],
    }
    assert words.last_decision(a_policy({"lastDecision": decision})) == [
        "2026-11-23T10:00:00Z: the load needs 10.4 replicas, network asks for 20",
        "bounds: 20 -> 18, maxReplicas = 18",
        "desired: 18",
    ]


def test_notable_are_faults_and_what_holds_scaling_back() -> None:
    conditions = [
        a_condition("ScalingLimited", "True", "Bounds"),
        a_condition("InEnvelope", "True", "InsideEnvelope"),
        a_condition("RateAvailable", "False", "NoSeries"),
        a_condition("ScalingActive", "False", "Observing"),
    ]
    policy = a_policy({"conditions": conditions})
    assert [c["type"] for c in words.notable(policy)] == [
        "RateAvailable",
        "ScalingActive",
        "ScalingLimited",
    ]
    assert words.troubles(policy) == "NoSeries"


def test_events_are_told_in_a_line() -> None:
    line = words.happened("10:00", 3, "Scaled", "2 -> 3: network x 1.1 (so much less) asks for 3")
    assert line == "10:00 Scaled (x 3): 2 -> 3: network x 1.1 asks for 3"

"""The status has its own door, and people see it in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.crd.policies import RefusedError, changed, sample

if TYPE_CHECKING:
    from tests.cluster import Cluster
    from tests.integration.crd.policies import Policies

_TIME = "2026-01-01T00:00:00Z"


def _condition(**changes: Any) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Deciding",
        "message": "It decides.",
        "lastTransitionTime": _TIME,
    }
    return {**condition, **changes}


STATUS = {
    "observedGeneration": 1,
    "conditions": [
        _condition(),
        _condition(type="RateAvailable", reason="Read"),
        _condition(type="ScalingActive", status="False", reason="Observing"),
        _condition(type="ScalingLimited", reason="ReactiveFloor"),
        _condition(type="InEnvelope", status="Unknown", reason="NoHistory"),
        _condition(type="TargetContested", status="False", reason="OnlyUs"),
    ],
    "requestRate": "42500m",
    "readyReplicas": 8,
    "warmingReplicas": 2,
    "currentReplicas": 10,
    "desiredReplicas": 12,
    "leadTimeSeconds": 312,
    "policyDigest": "sha256:" + "ab" * 32,
    "lastScaleTime": _TIME,
    "memory": {"version": 1, "text": '{"scores":{"network":[0.5,1]}}'},
    "lastDecision": {
        "time": _TIME,
        "candidate": "network",
        "recommendation": 9,
        "limits": [
            {"guardrail": "reactiveFloor", "from": 9, "to": 12, "reason": "the rate needs 12"}
        ],
        "desired": 12,
        "reason": "The network asks for 9; the reactive floor raises it to 12.",
    },
}


@pytest.fixture
def name(policies: Policies, namespace: str) -> str:
    """Name of a policy without a status."""
    policy = sample("observe")
    policies.create(namespace, policy)
    name: str = policy["metadata"]["name"]
    return name


def test_whole_status_is_kept(policies: Policies, namespace: str, name: str) -> None:
    """No field of it is pruned, nor anything within the memory."""
    stored = policies.patch(namespace, name, {"status": STATUS}, "status")
    assert stored["status"] == STATUS


def test_status_is_written_through_its_subresource_only(
    policies: Policies, namespace: str, name: str
) -> None:
    """Who may write policies cannot fake what the operator saw, and the operator no spec."""
    both = {"status": {"desiredReplicas": 7}, "spec": {"maxReplicas": 7}}
    stored = policies.patch(namespace, name, both)
    assert "status" not in stored
    assert stored["spec"]["maxReplicas"] == 7

    both["spec"]["maxReplicas"] = 8
    stored = policies.patch(namespace, name, both, "status")
    assert stored["status"] == {"desiredReplicas": 7}
    assert stored["spec"]["maxReplicas"] == 7


def test_status_of_a_new_policy_is_dropped(policies: Policies, namespace: str) -> None:
    """A policy that was exported with its status does not come back with it."""
    policy = changed(sample("observe"), "status.desiredReplicas", 7)
    stored = policies.create(namespace, policy)
    assert "status" not in stored


def test_there_is_no_scale_subresource(policies: Policies, namespace: str, name: str) -> None:
    """An autoscaler that is pointed at a policy fails at once."""
    with pytest.raises(RefusedError) as error:
        policies.get(namespace, name, "scale")
    assert error.value.status == 404


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [_condition(type="Happy")]},
        {"conditions": [_condition(status="Yes")]},
        {"conditions": [_condition(reason="two words")]},
        {"conditions": [_condition(), _condition()]},
        {"memory": {"text": "{}"}},
        {"memory": {"version": 1, "scores": []}},
        {"desiredReplicas": -1},
        {"desired": 3},
    ],
    ids=[
        "unknown-condition",
        "status-that-is-none",
        "reason-of-two-words",
        "condition-twice",
        "memory-without-version",
        "memory-of-another-shape",
        "negative-replicas",
        "unknown-field",
    ],
)
def test_wrong_status_is_refused(
    policies: Policies, namespace: str, name: str, status: dict[str, Any]
) -> None:
    """An operator with a fault learns so, instead of showing nonsense."""
    with pytest.raises(RefusedError) as error:
        policies.patch(namespace, name, {"status": status}, "status")
    assert error.value.status in {400, 422}


def test_columns_show_what_a_person_asks_first(
    cluster: Cluster, policies: Policies, namespace: str, name: str
) -> None:
    """Also by the short name, and among `all`."""
    policies.patch(namespace, name, {"status": STATUS}, "status")
    head, row = cluster.kubectl("get", "sp", "-n", namespace).stdout.splitlines()
    titles = [
        "NAME",
        "MODE",
        "TARGET",
        "RATE",
        "READY REPLICAS",
        "DESIRED",
        "READY",
        "REASON",
        "AGE",
    ]
    assert " ".join(head.split()) == " ".join(titles)
    assert row.split()[:-1] == [name, "Observe", name, "42500m", "8", "12", "True", "Deciding"]
    assert name in cluster.kubectl("get", "all", "-n", namespace).stdout


def test_wide_columns_add_the_rest(
    cluster: Cluster, policies: Policies, namespace: str, name: str
) -> None:
    """Kind, capacity, warming replicas, bounds and the message."""
    policies.patch(namespace, name, {"status": STATUS}, "status")
    head, row = cluster.kubectl("get", "sp", "-n", namespace, "-o", "wide").stdout.splitlines()
    assert {"KIND", "CAPACITY", "WARMING", "MIN", "MAX", "MESSAGE"} <= set(head.split())
    assert "It decides." in row

"""What a workload says of its own pods."""

from __future__ import annotations

from typing import Any

import pytest

from headstart_operator.workloads.rollouts import Ordering, Rollout, read, starts_in_order


def a_deployment(*conditions: tuple[str, str, str]) -> dict[str, Any]:
    """Describe a Deployment by its conditions: type, status, message."""
    keys = ("type", "status", "message")
    found = [dict(zip(keys, condition, strict=True)) for condition in conditions]
    return {"kind": "Deployment", "metadata": {"name": "x"}, "status": {"conditions": found}}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), Rollout()),
        ((("Available", "True", "fine"), ("Progressing", "True", "done")), Rollout()),
        ((("ReplicaFailure", "True", "exceeded quota"),), Rollout(refused="exceeded quota")),
        ((("ReplicaFailure", "False", "exceeded quota"),), Rollout()),
        ((("Progressing", "False", "timed out"),), Rollout(late="timed out")),
    ],
)
def test_conditions_of_a_deployment(conditions: Any, expected: Rollout) -> None:
    assert read(a_deployment(*conditions)) == expected


def test_a_workload_that_says_nothing() -> None:
    assert read({"kind": "Widget", "metadata": {"name": "x"}}) == Rollout()
    assert starts_in_order({"kind": "Widget", "metadata": {"name": "x"}}) is None


def test_stateful_sets_that_start_in_order_are_refused_with_a_way_out() -> None:
    stateful_set = {"kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {}}
    message = starts_in_order(stateful_set)
    assert message is not None
    assert "kubectl delete statefulset db --cascade=orphan" in message
    parallel = {**stateful_set, "spec": {"podManagementPolicy": "Parallel"}}
    assert starts_in_order(parallel) is None


def test_a_workload_is_looked_at_once() -> None:
    stateful_set = {"kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {}}
    assert Ordering().concerns("StatefulSet", "u")
    assert not Ordering().concerns("Deployment", "u")
    seen = Ordering.of(stateful_set, "u")
    assert seen.message
    assert not seen.concerns("StatefulSet", "u")
    assert seen.concerns("StatefulSet", "recreated")

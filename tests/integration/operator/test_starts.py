"""Starts of real pods: measured, changed by a release, refused, one after the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import APPS, wait_until
from tests.integration.operator.world import LEAD_TIME, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Prometheus
    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import Operator

DELAY = "pod-ready.stage.kwok.x-k8s.io/delay"
# 26 requests/s at 5 each need 5.2 replicas; the policy asks for half as many again.
LOAD, REPLICAS = 26, 8
SLOW = 15


@pytest.fixture(scope="module", autouse=True)
def operator(world: World, load: Exporter, monitoring: Prometheus) -> Iterator[Operator]:
    """Set all up at once, and start one operator."""
    for name in ("released", "refused", "in-order", "shown", "parallel"):
        load.set(name, LOAD)
    world.deployment("released")
    world.policy("released")
    # A quota would do too, but the operator leaves room for those.
    world.deployment("refused", serviceAccountName="nobody")
    world.policy("refused")
    for name, management in (("in-order", None), ("shown", None), ("parallel", "Parallel")):
        a_stateful_set(world, name, management)
        mode = "Observe" if name == "shown" else "Auto"
        world.policy(name, mode=mode, scaleTargetRef={"kind": "StatefulSet", "name": name})
    with world.start_operator(monitoring.url) as running:
        yield running


def a_stateful_set(world: World, name: str, management: str | None) -> None:
    """Create a StatefulSet of two."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels, "annotations": {DELAY: f"{LEAD_TIME}s"}},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    spec = {
        "replicas": 2,
        "serviceName": name,
        "selector": {"matchLabels": labels},
        "template": template,
        **({"podManagementPolicy": management} if management else {}),
    }
    metadata = {"name": name, "namespace": world.namespace}
    world.cluster.apply(
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec}
    )


def stateful_replicas(world: World, name: str) -> int:
    """``spec.replicas`` of a StatefulSet."""
    path = f"{APPS}/namespaces/{world.namespace}/statefulsets/{name}"
    replicas: int = world.cluster.api.get(path)["spec"]["replicas"]
    return replicas


def test_starts_are_measured_by_their_stages(world: World) -> None:
    world.wait_replicas("released", REPLICAS, REPLICAS)

    def measured() -> dict[str, Any] | None:
        lead_time = world.status("released").get("leadTime") or {}
        return lead_time if lead_time.get("samples", 0) >= REPLICAS - 2 else None

    lead_time = wait_until("all starts to be measured", measured)
    assert lead_time is not None
    # Timestamps of pods are whole seconds, and this machine is busy.
    assert LEAD_TIME - 1 <= lead_time["p50Seconds"] <= lead_time["p90Seconds"] <= LEAD_TIME + 6
    stages = ("schedulingSeconds", "startSeconds", "readinessSeconds")
    assert abs(sum(lead_time[stage] for stage in stages) - lead_time["p50Seconds"]) <= 2
    world.wait_condition("released", "LeadTimeStable", "True", "AsMeasured")


def test_a_release_that_starts_slower_is_told_and_its_surge_is_no_capacity(world: World) -> None:
    change = {
        "spec": {
            "strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
            "template": {"metadata": {"annotations": {DELAY: f"{SLOW}s"}}},
        }
    }
    patch = ("patch", "deployment", "released", "-p", json.dumps(change))
    world.cluster.kubectl("-n", world.namespace, *patch)
    most = 0

    def changed() -> bool:
        nonlocal most
        status = world.status("released")
        most = max(most, status["readyReplicas"] + status["warmingReplicas"])
        conditions = {c["type"]: c["reason"] for c in status["conditions"]}
        return bool(conditions["LeadTimeStable"] == "LeadTimeChanged")

    wait_until("the change to be noticed", changed, timeout=60)
    # There were 16 pods for a while.
    assert most == REPLICAS
    event = world.wait_event("released", "LeadTimeChanged")
    assert event["type"] == "Warning"
    assert "of the one before" in event["message"]
    wait_until(
        "the plan to follow", lambda: world.status("released")["leadTimeSeconds"] >= SLOW - 1
    )
    assert world.replicas("released") == REPLICAS


def test_replicas_that_may_not_be_created_are_counted_and_named(world: World) -> None:
    world.wait_replicas("refused", REPLICAS, REPLICAS)
    world.wait_condition("refused", "Ready", "False", "ReplicasNotStarting")
    wait_until(
        "all of them to be named",
        lambda: f"{REPLICAS} x FailedCreate" in world.condition("refused", "Ready")["message"],
    )
    assert "nobody" in world.condition("refused", "Ready")["message"]
    world.wait_event("refused", "ReplicasNotStarting")
    status = world.status("refused")
    assert (status["readyReplicas"], status["warmingReplicas"]) == (0, 0)
    assert world.replicas("refused") == REPLICAS


def test_a_stateful_set_that_starts_in_order_is_refused(world: World) -> None:
    condition = world.wait_condition("in-order", "ScalingActive", "False", "StartsInOrder")
    assert "podManagementPolicy = OrderedReady" in condition["message"]
    assert "--cascade=orphan" in condition["message"]
    assert world.condition("in-order", "Ready")["reason"] == "StartsInOrder"
    world.wait_event("in-order", "StartsInOrder")
    assert stateful_replicas(world, "in-order") == 2


def test_observe_shows_that_it_would_be_refused(world: World) -> None:
    condition = world.wait_condition("shown", "ScalingActive", "False", "Observing")
    wait_until(
        "the refusal to be shown",
        lambda: "OrderedReady" in world.condition("shown", "ScalingActive")["message"],
    )
    assert condition["status"] == "False"
    world.wait_condition("shown", "Ready", "True", "Deciding")
    assert world.status("shown")["desiredReplicas"] == REPLICAS


def test_a_stateful_set_that_starts_in_parallel_is_scaled(world: World) -> None:
    wait_until("it to be scaled", lambda: stateful_replicas(world, "parallel") == REPLICAS)
    world.wait_condition("parallel", "ScalingActive", "True")

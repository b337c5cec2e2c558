"""The local control plane is a real one: workloads, lead times, RBAC, pinned tools."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.cluster import APPS, CORE, wait_until
from tests.cluster.recipes import RECIPES

if TYPE_CHECKING:
    from tests.cluster import Cluster

LEAD_TIME_SECONDS = 6
VERSIONS = {recipe.name: recipe.version for recipe in RECIPES}


def deployment(name: str, replicas: int, annotations: dict[str, str]) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {"containers": [{"name": "main", "image": "none"}]},
            },
        },
    }


def ready_seconds(pod: dict[str, Any]) -> float | None:
    """Time from a pod's creation to its readiness."""
    for condition in pod["status"].get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            since = datetime.fromisoformat(condition["lastTransitionTime"])
            created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
            return (since - created).total_seconds()
    return None


def test_pods_become_ready_after_the_lead_time_of_their_template(
    cluster: Cluster, namespace: str
) -> None:
    annotations = {"pod-ready.stage.kwok.x-k8s.io/delay": f"{LEAD_TIME_SECONDS}s"}
    slow = deployment("slow", 3, annotations)
    cluster.api.create(f"{APPS}/namespaces/{namespace}/deployments", slow)

    def measured() -> list[float]:
        pods = cluster.api.get(f"{CORE}/namespaces/{namespace}/pods")["items"]
        times = [time for pod in pods if (time := ready_seconds(pod)) is not None]
        return times if len(times) == 3 else []

    for seconds in wait_until("three ready pods", measured):
        # Both ends are whole seconds, and scheduling comes on top.
        assert LEAD_TIME_SECONDS - 1 <= seconds <= LEAD_TIME_SECONDS + 3

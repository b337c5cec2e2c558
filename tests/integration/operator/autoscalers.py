"""HPAs, a stand-in for KEDA's ScaledObjects, and those who rewrite what others have set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cluster import wait_until
from tests.integration.baselines.metrics import Script, Target

if TYPE_CHECKING:
    from tests.integration.operator.world import World

HPAS = "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers/{}"
KEDA = "scaledobjects.keda.sh"
# Group, version, names and scope are KEDA's own; of its schema only what Headstart reads.
SCALED_OBJECTS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": KEDA},
    "spec": {
        "group": "keda.sh",
        "names": {
            "kind": "ScaledObject",
            "listKind": "ScaledObjectList",
            "plural": "scaledobjects",
            "shortNames": ["so"],
            "singular": "scaledobject",
        },
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}


class Dial(Script):
    """A figure that a test sets, for as many syncs as there are."""

    def __init__(self, figure: float) -> None:
        """Begin with ``figure`` [requests/s]."""
        super().__init__([], 0.0, _nobody)
        self.figure = figure

    def next(self) -> float | None:
        """Tell the figure."""
        return self.figure


def _nobody() -> Target:
    raise AssertionError("a dial asks nobody")


def an_hpa(name: str, least: int = 2, most: int = 9, **metadata: Any) -> dict[str, Any]:
    """Write an HPA on the external metric of its own name, 3.5 requests/s a replica."""
    metric = {"metric": {"name": name}, "target": {"type": "AverageValue", "averageValue": "3500m"}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, **metadata},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": least,
            "maxReplicas": most,
            "metrics": [{"type": "External", "external": metric}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
    }


def a_scaled_object(name: str) -> dict[str, Any]:
    """Write a ScaledObject that leaves to KEDA's defaults what it can."""
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": {"name": name}, "triggers": []},
    }


class Autoscalers:
    """What else scales the workloads of a world."""

    def __init__(self, world: World) -> None:
        """Look at the world's namespace."""
        self._world = world

    def apply(self, document: dict[str, Any], manager: str = "kubectl") -> None:
        """Apply an object on the server side, as someone, who forces it."""
        arguments = ("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}")
        self._kubectl(*arguments, "-f", "-", stdin=json.dumps(document))

    def patch_hpa(self, name: str, **spec: Any) -> None:
        """Change an HPA's spec by hand."""
        self._kubectl("patch", "hpa", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def annotate(self, kind: str, name: str, annotation: str) -> None:
        """Annotate one by hand."""
        self._kubectl("annotate", "--overwrite", kind, name, annotation)

    def hpa(self, name: str) -> dict[str, Any]:
        """Read an HPA."""
        path = HPAS.format(self._world.namespace, name)
        document: dict[str, Any] = self._world.cluster.api.get(path)
        return document

    def floor(self, name: str) -> int:
        """``minReplicas`` of an HPA."""
        least: int = self.hpa(name)["spec"]["minReplicas"]
        return least

    def note(self, name: str) -> dict[str, Any]:
        """What Headstart wrote beside it; empty: nothing."""
        annotations = self.hpa(name)["metadata"].get("annotations", {})
        note: dict[str, Any] = json.loads(annotations.get("headstart.dev/assist", "{}"))
        return note

    def wait_floor(self, name: str, least: int, seconds: float = 30) -> None:
        """Wait for an HPA's ``minReplicas``."""
        wait_until(
            f"{name}: minReplicas = {least}", lambda: self.floor(name) == least, timeout=seconds
        )

    def replicas_of(self, name: str, replicas: int, **annotations: str) -> dict[str, Any]:
        """Write what a GitOps tool applies: a Deployment's replicas, and its own marks."""
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"replicas": replicas},
        }

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> None:
        self._world.cluster.kubectl("-n", self._world.namespace, *arguments, stdin=stdin)

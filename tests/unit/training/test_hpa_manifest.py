"""A user's HorizontalPodAutoscaler, read as a contender or refused with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from headstart_policy.behavior import Behavior, Policy, Rules, Select
from headstart_training.baselines.hpa import HPA, standard
from headstart_training.baselines.hpa_manifest import ManifestError, from_manifest

CPU = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}"
RATE = "{type: External, external: {metric: {name: rps}, target: {averageValue: 3500m}}}"


def _manifest(metrics: str, rest: str = "") -> dict[str, Any]:
    text = f"""
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {{name: checkout}}
        spec:
          scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: checkout}}
          maxReplicas: 20
          metrics: [{metrics}]
          {rest}
        """
    document: dict[str, Any] = yaml.safe_load(text)
    return document


@pytest.mark.parametrize(
    ("metrics", "target", "note"),
    [
        (CPU, 0.6, "CPU request"),
        (CPU.replace("Resource,", "ContainerResource,").replace("resource:", "containerResource:"),
         0.6, "CPU request"),
        (RATE, 0.7, "requests/s"),
        (RATE.replace("External", "Object").replace("external", "object"), 0.7, "requests/s"),
        (RATE.replace("External", "Pods").replace("external", "pods"), 0.7, "requests/s"),
        (RATE.replace("3500m", "1k"), 200.0, "requests/s"),
        (f"{CPU}, {RATE}", 0.6, "CPU request"),
        ("", 0.8, "CPU request"),
    ],
)  # fmt: skip
def test_a_metric_becomes_a_rate_per_replica(metrics: str, target: float, note: str) -> None:
    read = from_manifest(_manifest(metrics), 5.0)
    assert read.target == pytest.approx(target)
    assert replace(read, target=0.5) == HPA(0.5, 1, 20)
    assert note in read.note
    assert read.note in str(read)


def test_the_first_version_is_read_as_well() -> None:
    spec = {"maxReplicas": 5, "minReplicas": 2, "targetCPUUtilizationPercentage": 45}
    document = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "spec": spec}
    assert from_manifest(document, 5.0) == HPA(0.45, 2, 5)


@pytest.mark.parametrize(
    ("behavior", "expected", "tolerances"),
    [
        ("{}", standard(), (0.1, 0.1)),
        ("{scaleDown: {stabilizationWindowSeconds: 0}}", standard(0.0), (0.1, 0.1)),
        (
            (
                "{scaleUp: {selectPolicy: Min, tolerance: 50m}, scaleDown: {selectPolicy: Disabled,"
                " policies: [{type: Pods, value: 2, periodSeconds: 60}]}}"
            ),
            Behavior(
                up=replace(standard().up, select=Select.MIN),
                down=Rules(300.0, (Policy("Pods", 2, 60.0),), Select.DISABLED),
            ),
            (0.1, 0.05),
        ),
    ],
)
def test_a_behavior_is_filled_in_as_kubernetes_does(
    behavior: str, expected: Behavior, tolerances: tuple[float, float]
) -> None:
    read = from_manifest(_manifest(RATE, f"behavior: {behavior}"), 5.0)
    assert read.behavior == expected
    assert (read.down_tolerance, read.up_tolerance) == tolerances


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"apiVersion": "v1", "kind": "Pod"}, "apiVersion, kind = v1, Pod: must be a Horizontal"),
        ({**_manifest(CPU), "spec": None}, "spec = None, must be a mapping"),
        (_manifest(CPU.replace("cpu", "memory")), r"spec.metrics\[0\]: Resource memory .* says no"),
        (
            _manifest(CPU.replace("averageUtilization: 60", "averageValue: 100m")),
            "averageValue = 100m says nothing of the rate",
        ),
        (
            _manifest(f"{CPU}, {RATE.replace('averageValue', 'value')}"),
            r"spec.metrics\[1\]: External with value = 3500m cannot be played",
        ),
        (_manifest(RATE.replace("3500m", "'0'")), "averageValue = 0, must be greater than 0"),
        (_manifest(RATE.replace("3500m", "many")), "averageValue = many, must be a quantity"),
        (_manifest("{type: Wishes}"), r"spec.metrics\[0\].type = 'Wishes', must be External"),
        (_manifest(CPU, "minReplicas: 0"), "spec.minReplicas = 0, must be .* alpha"),
        (_manifest(CPU, "minReplicas: 30"), "spec.maxReplicas = 20, must be at least minReplicas"),
        (
            _manifest(CPU, "behavior: {scaleUp: {selectPolicy: Most}}"),
            "spec.behavior.scaleUp.selectPolicy = 'Most', must be Max, Min or Disabled",
        ),
        (
            _manifest(CPU, "behavior: {scaleUp: {policies: [{type: Pods, value: 2}]}}"),
            r"spec.behavior.scaleUp.policies\[0\] has no periodSeconds",
        ),
        (
            _manifest(CPU, "behavior: {scaleDown: {policies: [{type: Dogs, value: 2,"
                           " periodSeconds: 3}]}}"),
            r"scaleDown.policies\[0\]: policies\[\].type = 'Dogs'",
        ),
        (_manifest(CPU, "behavior: {scaleDown: {tolerance: x}}"), "scaleDown.tolerance = x, must"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        from_manifest(document, 5.0)

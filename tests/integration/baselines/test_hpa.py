"""The HPA that is played in backtests decides as the real kube-controller-manager does.

Real HPAs, each with a Deployment of its own, follow scripted figures; what
each sync decided has to be what :mod:`headstart_training.baselines.hpa` says of the same manifest.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from headstart_policy.behavior import Behavior, Memory
from headstart_policy.decision import Recommendation, decide, remember
from headstart_policy.guardrails import Guardrails
from headstart_training.baselines.hpa_manifest import from_manifest
from tests.cluster import APPS, wait_until
from tests.integration.baselines.metrics import MetricsApi, Script, Sync, Target
from tests.unit.policy.build import a_situation
from tests.unit.training.plain import a_world

if TYPE_CHECKING:
    from headstart_training.baselines.hpa import HPA
    from tests.cluster import Cluster

CAPACITY = 5.0
# Slower than the controller's own syncs. The windows below, of 1 and 5 s, hold no earlier sync and
# two of them, even where one comes half a second early or a whole one late.
BEAT = 1.75
MARGIN = 0.3
# A sync's decision is dated a moment after it got its figure.
EARLY = 0.1
TRIES = 2

UP = [3.5, 17.5, 17.5, 49.0, 49.0]
# Of a target of 49: within 10 %, just within, over; then of one of 56: just within, under.
CALM = [53.0, 53.9, 54.0, 50.4, 50.0]
DOWN = [45.0, 24.5, 35.0, 24.5, 3.5, 3.5, 3.5, 0.0, 0.0]
FIGURES = [*UP, *CALM, *DOWN]
# Of a target of 3.5 these are whole replicas: what an HPA would see of a policy's recommendations
# at a target of 1. Of 14, 15 is within 10 % and 16 is not; 13 is, and 12 is not.
WISHES = [1, 5, 5, 14, 14, 15, 16, 16, 15, 14, 13, 12, 7, 10, 7, 1, 1, 0, 0]

BEHAVIORS = {
    "none": "null",
    "windows": """
        scaleUp:
          stabilizationWindowSeconds: 5
          policies:
          - {type: Percent, value: 100, periodSeconds: 1}
        scaleDown: {stabilizationWindowSeconds: 5}
    """,
    "standard": """
        scaleUp:
          policies:
          - {type: Pods, value: 4, periodSeconds: 1}
          - {type: Percent, value: 100, periodSeconds: 1}
        scaleDown: {stabilizationWindowSeconds: 0}
    """,
    "policies": """
        scaleUp:
          policies:
          - {type: Pods, value: 3, periodSeconds: 5}
          - {type: Percent, value: 50, periodSeconds: 1}
        scaleDown:
          stabilizationWindowSeconds: 5
          policies:
          - {type: Pods, value: 5, periodSeconds: 5}
          - {type: Percent, value: 30, periodSeconds: 1}
    """,
    "cautious": """
        scaleUp:
          selectPolicy: Min
          policies:
          - {type: Pods, value: 3, periodSeconds: 1}
          - {type: Percent, value: 100, periodSeconds: 5}
        scaleDown:
          selectPolicy: Min
          stabilizationWindowSeconds: 0
          policies:
          - {type: Pods, value: 3, periodSeconds: 1}
          - {type: Percent, value: 40, periodSeconds: 5}
    """,
    "tolerant": """
        scaleUp:
          tolerance: 250m
          policies:
          - {type: Percent, value: 900, periodSeconds: 1}
        scaleDown: {tolerance: 0, stabilizationWindowSeconds: 0}
    """,
    "upward": """
        scaleUp:
          policies:
          - {type: Percent, value: 900, periodSeconds: 1}
        scaleDown: {selectPolicy: Disabled}
    """,
}

WHOLE = "whole-"
BEHAVIORS |= {f"{WHOLE}{name}": BEHAVIORS[name] for name in ("policies", "cautious", "tolerant")}


def _figures(name: str) -> list[float]:
    return [3.5 * wish for wish in WISHES] if name.startswith(WHOLE) else FIGURES


def _manifest(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(f"""
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {{name: {name}}}
        spec:
          scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
          minReplicas: 2
          maxReplicas: 18
          metrics:
          - type: External
            external:
              metric: {{name: {name}}}
              target: {{type: AverageValue, averageValue: 3500m}}
        """)
    document["spec"]["behavior"] = yaml.safe_load(BEHAVIORS[name.rpartition("-")[0]])
    return document


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    return {
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }


def _start(cluster: Cluster, namespace: str, metrics: MetricsApi, name: str) -> Script:
    deployments = f"{APPS}/namespaces/{namespace}/deployments"
    scale = f"{deployments}/{name}/scale"
    cluster.api.create(deployments, _deployment(name))
    wait_until("two pods", lambda: cluster.api.get(scale)["status"]["replicas"] == 2)
    hpas = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
    metrics.scripts[name] = Script(
        _figures(name),
        BEAT,
        lambda: Target(cluster.api.get(f"{hpas}/{name}"), cluster.api.get(scale)),
    )
    cluster.api.create(hpas, _manifest(name))
    return metrics.scripts[name]


def _disturbed(script: Script, name: str) -> list[str]:
    """Say where a busy machine moved syncs out of a window, or let one count other pods."""
    windows = {int(n) for n in re.findall(r"Seconds: (\d+)", BEHAVIORS[name])} - {0}
    times = [sync.time for sync in script.syncs]
    moved = [
        f"{times[k] - times[k - ago]:.1f} s from sync {k - ago} to {k}"
        for window in windows
        for ago in range(1, math.ceil(window / BEAT) + 1)
        for k in range(ago, len(times))
        if _moved(times[k] - times[k - ago], window, ago, played=not name.startswith(WHOLE))
    ]
    setting = from_manifest(_manifest(f"{name}-0"), CAPACITY)
    syncs = list(zip(script.syncs, _figures(name), strict=False))
    miscounted = [k for k, (sync, figure) in enumerate(syncs) if _miscounts(setting, sync, figure)]
    return moved + [f"sync {k} counted other pods" for k in miscounted]


def _moved(passed: float, window: int, ago: int, *, played: bool) -> bool:
    """Whether the sync ``ago`` syncs ago is not in a window as it should be, or only just.

    What is ``played`` counts in syncs. What is decided again at the times of the real ones, counts
    in seconds; there it must be clear on which side of the window a sync was.
    """
    if not played:
        return abs(passed - window) < EARLY
    within = ago * BEAT < window
    return passed >= window - MARGIN if within else passed <= window + EARLY


def _miscounts(setting: HPA, sync: Sync, figure: float) -> bool:
    """Whether a sync may have wanted something else because pods were still coming or going.

    The replicas that there are decide whether the figure is within the tolerance, and are what is
    wanted then. Beyond it, only the figure counts.
    """
    if figure == 0:
        return False
    there = round(figure / sync.average) if sync.average and sync.average > 0 else math.nan
    if there == sync.replicas:
        return False
    usages = [figure / (setting.target * CAPACITY * count) for count in (there, sync.replicas)]
    return not all(u < 1 - setting.down_tolerance or u > 1 + setting.up_tolerance for u in usages)


@pytest.fixture(scope="module")
def scripts(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Script, list[str]]]:
    """Play all scripts side by side; those that a busy machine disturbed, again."""
    played: dict[str, tuple[Script, list[str]]] = {}
    with (
        cluster.namespace("hpa") as namespace,
        MetricsApi(cluster, namespace, tmp_path_factory.mktemp("metrics")) as metrics,
    ):
        wait_until("the metrics API", lambda: metrics.available)
        for number in range(TRIES):
            disturbed = [name for name in BEHAVIORS if name not in played or played[name][1]]
            running = {
                name: _start(cluster, namespace, metrics, f"{name}-{number}") for name in disturbed
            }
            for name, script in running.items():
                wait_until(f"the script of {name}", script.is_over, timeout=90)
                played[name] = (script, _disturbed(script, name))
    return played


@pytest.mark.parametrize("name", [name for name in BEHAVIORS if not name.startswith(WHOLE)])
def test_each_sync_decides_what_is_played(
    scripts: dict[str, tuple[Script, list[str]]], name: str
) -> None:
    script, disturbed = scripts[name]
    if disturbed:
        pytest.skip(f"this machine is too busy for a sync each {BEAT:g} s: {disturbed}")
    setting = replace(from_manifest(_manifest(f"{name}-0"), CAPACITY), sync=BEAT)
    world = a_world([*_figures(name), 0.0], initial=2, interval=BEAT, lead=2 * BEAT)
    # The decision of a sync is found at the next one.
    decided = [sync.replicas for sync in script.syncs[1:]]
    np.testing.assert_array_equal(decided, setting.path(world)[0])
    assert max(decided) > 2, "nothing was ever scaled"


@pytest.mark.parametrize("name", [name for name in BEHAVIORS if name.startswith(WHOLE)])
def test_the_guardrail_limits_what_a_policy_wants_as_the_hpa_does(
    scripts: dict[str, tuple[Script, list[str]]], name: str
) -> None:
    """Fed with what is wanted, at the times of the real syncs, it decides what they decided."""
    script, disturbed = scripts[name]
    if disturbed:
        pytest.skip(f"this machine is too busy for a sync each {BEAT:g} s: {disturbed}")
    hpa = from_manifest(_manifest(f"{name}-0"), CAPACITY)
    assert hpa.behavior is not None
    rules = Behavior(
        replace(hpa.behavior.up, tolerance=hpa.up_tolerance),
        replace(hpa.behavior.down, tolerance=hpa.down_tolerance),
    )
    memory, limits = Memory(), Guardrails(hpa.most, hpa.least, behavior=rules)
    current, decided = 2, []
    for sync, wish in zip(script.syncs[:-1], WISHES, strict=False):
        at = a_situation(
            now=np.array([sync.time]),
            current=np.array([current]),
            rate=np.array([0.0]),
            limits=[limits],
            memories=[memory],
        )
        asked = Recommendation(["network"], np.array([wish]), np.array([np.nan]), [None])
        (decision,) = decide(asked, at)
        memory = remember(decision, at, 0)
        current = decision.desired
        decided.append(current)
    assert decided == [sync.replicas for sync in script.syncs[1:]]

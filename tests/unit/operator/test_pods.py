"""Pod objects as the API server shows them: what counts as warming, and how long starts take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headstart_operator.pods import Pod, Stopwatch, count, parse

CREATED = "2026-01-01T00:00:00Z"
T0 = 1_767_225_600.0


def a_pod(ready: str | None = None, **status: Any) -> dict[str, Any]:
    """Describe a pod that was created at ``T0`` and is ready since ``ready``."""
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": ready or CREATED,
    }
    return {
        "metadata": {"uid": "u", "creationTimestamp": CREATED},
        "status": {"conditions": [condition], **status},
    }


def waiting(reason: str, kind: str = "containerStatuses") -> dict[str, Any]:
    """Describe the status of a container that waits."""
    return {kind: [{"state": {"waiting": {"reason": reason}}}]}


def unschedulable() -> dict[str, Any]:
    """Describe a pod that no node takes."""
    return {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
    }


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (a_pod("2026-01-01T00:00:42Z"), Pod("u", T0, T0 + 42, None)),
        (a_pod(), Pod("u", T0, None, None)),
        (a_pod(**waiting("ContainerCreating")), Pod("u", T0, None, None)),
        (a_pod(**waiting("CrashLoopBackOff")), Pod("u", T0, None, "CrashLoopBackOff")),
        (a_pod(**waiting("ImagePullBackOff")), Pod("u", T0, None, "ImagePullBackOff")),
        (a_pod(**waiting("ErrImagePull")), Pod("u", T0, None, "ErrImagePull")),
        (
            a_pod(**waiting("CreateContainerConfigError", "initContainerStatuses")),
            Pod("u", T0, None, "CreateContainerConfigError"),
        ),
        (a_pod(**unschedulable()), Pod("u", T0, None, "Unschedulable")),
        ({"metadata": {"uid": "u", "creationTimestamp": CREATED}}, Pod("u", T0, None, None)),
    ],
)
def test_a_pod_is_reduced_to_what_matters(pod: dict[str, Any], expected: Pod) -> None:
    assert parse(pod) == expected


def warming(age: float) -> Pod:
    """Describe a pod that was created ``age`` seconds before ``T0``."""
    return Pod(f"warming-{age}", T0 - age, None, None)


def serving(created: float, ready: float) -> Pod:
    """Describe a pod that serves."""
    return Pod(f"serving-{created}", created, ready, None)


def test_warming_replicas_are_told_apart_by_what_remains() -> None:
    pods = [warming(10), warming(40), warming(60), warming(90), warming(300), serving(0, 9)]
    census = count(pods, asked=8, now=T0, lead_time=100, asked_at=None)
    assert census.ready == 1
    # Two have no pod yet. The overdue one is among those about to come.
    np.testing.assert_array_equal(census.warming, [2, 1, 1, 3])
    assert census.message == ""


def test_replicas_that_will_not_come_do_not_warm() -> None:
    stuck = [Pod(str(k), T0, None, "Unschedulable") for k in range(3)]
    census = count(stuck, asked=5, now=T0, lead_time=100, asked_at=T0 - 101)
    assert census.warming.sum() == 0
    assert census.message == "2 x NotCreated, 3 x Unschedulable"
    # Pods need a moment to be created.
    assert count(stuck, 5, T0, 100, T0 - 99).warming.sum() == 2


def test_starts_are_measured_once_and_only_of_pods_that_we_saw_coming() -> None:
    watch = Stopwatch(since=100)
    old, young, slow = serving(50, 200), serving(110, 152), Pod("slow", 120, None, None)
    assert watch.measure([old, young, slow]) == [42]
    assert watch.measure([old, young, slow]) == []
    assert watch.measure([young, slow._replace(ready_since=180.0)]) == [60]
    assert watch.measure([young, slow._replace(ready_since=500.0)]) == []

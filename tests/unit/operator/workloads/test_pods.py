"""Pod objects as the API server shows them, and what counts as ready, warming or stuck."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_operator.workloads.pods import Pod, count, parse
from headstart_operator.workloads.rollouts import Rollout

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
        (a_pod(), Pod("u", T0, None, None, unready_since=T0)),
        (a_pod(**waiting("ContainerCreating")), Pod("u", T0, None, None, unready_since=T0)),
        (
            a_pod(**waiting("CrashLoopBackOff")),
            Pod("u", T0, None, "CrashLoopBackOff", unready_since=T0),
        ),
        (
            a_pod(**waiting("ImagePullBackOff")),
            Pod("u", T0, None, "ImagePullBackOff", unready_since=T0),
        ),
        (a_pod(**waiting("ErrImagePull")), Pod("u", T0, None, "ErrImagePull", unready_since=T0)),
        (
            a_pod(**waiting("CreateContainerConfigError", "initContainerStatuses")),
            Pod("u", T0, None, "CreateContainerConfigError", unready_since=T0),
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
    stuck = [Pod(str(k), T0, None, "ImagePullBackOff") for k in range(3)]
    census = count(stuck, asked=5, now=T0, lead_time=100, asked_at=T0 - 101)
    assert census.warming.sum() == 0
    assert census.message == "3 x ImagePullBackOff, 2 x NotCreated"
    assert census.blocked
    # Pods need a moment to be created.
    assert count(stuck, 5, T0, 100, T0 - 99).warming.sum() == 2


def test_a_pod_may_wait_a_lead_time_for_a_node() -> None:
    pods = [Pod("u", T0 - 90, None, "Unschedulable")]
    assert count(pods, 1, T0, 100, None).warming.tolist() == [1, 0, 0, 0]
    assert count(pods, 1, T0 + 11, 100, None).stuck == {"Unschedulable": 1}


def test_a_pod_that_does_not_get_ready_ceases_to_warm() -> None:
    pods = [warming(301)]
    assert count(pods, 1, T0 - 1, 100, None).stuck == {}
    assert count(pods, 1, T0, 100, None).stuck == {"NotReady": 1}
    # Its lead time is planned too short: a minute is no reason to give it up.
    assert count([warming(59)], 1, T0, 5, None).stuck == {}
    # One that has lost its readiness is about to come back, until it does not.
    unready = warming(9000)._replace(unready_since=T0 - 30)
    assert count([unready], 1, T0, 100, None).warming.tolist() == [1, 0, 0, 0]
    assert count([unready], 1, T0 + 271, 100, None).stuck == {"NotReady": 1}


@pytest.mark.parametrize(
    ("old", "new_ready", "new_warming", "ready", "coming"),
    [(4, 0, 1, 4, 0), (3, 0, 2, 3, 1), (3, 1, 1, 4, 0), (4, 1, 0, 4, 0), (2, 0, 1, 2, 2)],
)
def test_surge_pods_are_not_capacity_twice(
    old: int, new_ready: int, new_warming: int, ready: int, coming: int
) -> None:
    """A Deployment of 4 rolls out: maxSurge and maxUnavailable are 25 %."""
    pods = [
        *(serving(k, 9) for k in range(old)),
        *(serving(100 + k, 200) for k in range(new_ready)),
        *(warming(10 + k) for k in range(new_warming)),
    ]
    census = count(pods, asked=4, now=T0, lead_time=100, asked_at=None)
    assert (census.ready, census.warming.sum()) == (ready, coming)
    assert not census.blocked


def test_of_the_surge_the_first_to_be_ready_counts() -> None:
    pods = [*(serving(k, 9) for k in range(3)), warming(10), warming(90)]
    assert count(pods, 4, T0, 100, None).warming.tolist() == [1, 0, 0, 0]


def test_a_release_that_does_not_start_takes_nothing_from_the_policy() -> None:
    pods = [*(serving(k, 9) for k in range(4)), Pod("new", T0, None, "ImagePullBackOff")]
    census = count(pods, 4, T0, 100, None)
    assert (census.ready, census.message, census.blocked) == (4, "1 x ImagePullBackOff", False)
    # With maxUnavailable one of the old ones is gone.
    assert count(pods[1:], 4, T0, 100, None).blocked


def test_what_the_workload_says_of_missing_and_late_pods() -> None:
    refused = Rollout(refused="exceeded quota: pods=4")
    census = count([serving(0, 9)], 3, T0, 100, T0, refused)
    assert census.message == "2 x FailedCreate (exceeded quota: pods=4)"
    assert census.blocked
    late = Rollout(late="has timed out progressing")
    pods = [serving(0, 9), warming(110), warming(50)]
    census = count(pods, 3, T0, 100, None, late)
    assert census.stuck == {"ProgressDeadlineExceeded": 1}
    assert census.warming.sum() == 1


def test_only_doubt_is_worth_a_look_at_the_workload() -> None:
    assert not count([serving(0, 9), warming(50)], 2, T0, 100, None).doubtful
    for pods in ([serving(0, 9)], [serving(0, 9), warming(101)]):
        assert count(pods, 2, T0, 100, None).doubtful


@given(
    ready=st.integers(0, 9),
    ages=st.lists(st.floats(0, 1000), max_size=9),
    stuck=st.integers(0, 9),
    asked=st.integers(0, 20),
)
def test_never_more_than_was_asked_for(
    ready: int, ages: list[float], stuck: int, asked: int
) -> None:
    pods = [
        *(serving(k, 9) for k in range(ready)),
        *(warming(age) for age in ages),
        *(Pod(f"stuck-{k}", T0, None, "CrashLoopBackOff") for k in range(stuck)),
    ]
    census = count(pods, asked, T0, 100, None)
    assert census.ready + census.warming.sum() <= asked
    assert census.ready == min(ready, asked)


def test_times_and_template_of_a_start() -> None:
    pod = a_pod("2026-01-01T00:00:42Z")
    pod["metadata"]["labels"] = {"pod-template-hash": "5d9f", "app": "x"}
    scheduled = {"lastTransitionTime": "2026-01-01T00:00:03Z", "type": "PodScheduled"}
    pod["status"]["conditions"].append({**scheduled, "status": "True"})
    pod["status"]["containerStatuses"] = [
        {"state": {"running": {"startedAt": f"2026-01-01T00:00:{second}Z"}}} for second in (20, 12)
    ]
    assert parse(pod) == Pod("u", T0, T0 + 42, None, "5d9f", T0 + 3, T0 + 20)
    pod["status"]["containerStatuses"].append({"state": {"waiting": {}}})
    assert parse(pod).running_since is None

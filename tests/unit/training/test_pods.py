"""Explicit pods: deleted as a ReplicaSet does, started as a StatefulSet does."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_training.pods import (
    Node,
    Pod,
    ReplicaSet,
    StatefulSet,
    as_kubernetes,
    furthest_first,
    independent,
    with_retries,
)

NOW = 100


def _pod(age: int, *, waited: int | None = 0, lead: int = 10, uid: float = 0.5) -> Pod:
    """A pod that was asked for ``age`` steps ago and got its seat after ``waited`` of them."""
    created = NOW - age
    return Pod(created, uid, seated=None if waited is None else created + waited, lead=lead)


def _crowded(pod: Pod, neighbours: int) -> Pod:
    pod.node = Node(due=0, seats=9, pods=[pod] * neighbours)
    return pod


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (_pod(50, waited=None), _pod(2)),
        (_pod(4), _pod(6)),
        (_pod(9), _pod(20)),
        (_crowded(_pod(40), 3), _crowded(_pod(20), 2)),
        (_pod(12), _pod(50)),
        (_pod(1), _pod(3)),
        (_pod(3, uid=0.1), _pod(4, uid=0.9)),
        (_pod(4, uid=0.1), _pod(3, uid=0.9)),
    ],
    ids=[
        "unassigned before assigned",
        "pending before running",
        "not ready before ready",
        "crowded before lonely, even if older",
        "ready for a short time before ready for long",
        "young before old",
        "at random within a power of two",
        "at random within a power of two, the other way round",
    ],
)
def test_a_replica_set_deletes_in_this_order(first: Pod, second: Pod) -> None:
    assert as_kubernetes(first, NOW, 60.0) < as_kubernetes(second, NOW, 60.0)


def test_the_fast_physics_delete_what_is_furthest_from_serving() -> None:
    pods = [_pod(50), _pod(2, lead=3), _pod(3, lead=9), _pod(9, waited=None)]
    in_order = sorted(pods, key=lambda pod: furthest_first(pod, NOW, 60.0))
    assert in_order == [pods[3], pods[2], pods[1], pods[0]]


def test_pods_without_a_seat_wait_for_a_node() -> None:
    pods = ReplicaSet(2, lambda count, _: [1] * count, per_node=2, node_steps=3)
    served = [pods.step(t, 3)[1] for t in range(6)]
    # Two sit on the node that is there; the third's comes in step 3, and it warms for one more.
    assert served == [2, 2, 2, 2, 3, 3]
    assert pods.step(6, 2) == (2, 2)
    assert len(pods.nodes) == 1


def test_a_stateful_set_starts_one_pod_after_the_other() -> None:
    pods = StatefulSet(1, lambda count, _: [2] * count)
    assert [pods.step(t, 3) for t in range(5)] == [(2, 1), (2, 1), (3, 2), (3, 2), (3, 3)]
    assert pods.step(5, 1) == (1, 1)


def test_lead_times_of_their_own_have_the_shares_asked_for() -> None:
    leads = independent(np.random.default_rng(0), np.array([0.0, 0.2, 0.7, 1.0]))
    counts = np.bincount(list(leads(20_000, 0)))
    np.testing.assert_allclose(counts / 20_000, np.array([0.0, 0.2, 0.5, 0.3]), atol=0.01)


def test_what_is_not_served_comes_again() -> None:
    load = with_retries(np.array([[10.0, 10.0, 10.0]]), np.array([[6.0, 20.0, 20.0]]), 0.5)
    assert load.tolist() == [[10.0, 12.0, 10.0]]

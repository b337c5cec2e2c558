"""Replicas that are no pods."""

from __future__ import annotations

from typing import Any

import pytest

from headstart_operator.workloads import podless
from headstart_operator.workloads.pods import OVERDUE

NOW, LEAD_TIME = 10_000.0, 300.0
MACHINES = "cluster.x-k8s.io/v1beta1"


def _workload(status: dict[str, int], api_version: str = MACHINES) -> dict[str, Any]:
    return {"apiVersion": api_version, "status": status}


@pytest.mark.parametrize(
    ("status", "asked_at", "ready", "warming", "stuck"),
    [
        ({"replicas": 5, "readyReplicas": 5}, None, 5, 0, {}),
        ({"replicas": 5}, None, 0, 5, {}),
        ({"replicas": 9, "readyReplicas": 3}, NOW - 60, 3, 2, {}),
        # It was asked to shrink: what is too many is not counted.
        ({"replicas": 9, "readyReplicas": 9}, NOW - 5, 5, 0, {}),
        ({"replicas": 5, "readyReplicas": 3}, NOW - 100 * LEAD_TIME, 3, 0, {OVERDUE: 2}),
    ],
)
def test_ready_is_what_the_controller_says(
    status: dict[str, int], asked_at: float | None, ready: int, warming: int, stuck: dict[str, int]
) -> None:
    """Of five that are asked for."""
    census = podless.count(_workload(status), 5, NOW, LEAD_TIME, asked_at)
    assert census is not None
    assert (census.ready, int(census.warming.sum()), census.stuck) == (ready, warming, stuck)
    assert census.blocked is bool(stuck)


@pytest.mark.parametrize(
    "workload",
    [
        _workload({"replicas": 5, "readyReplicas": 5}, "apps/v1"),
        _workload({"replicas": 0}),
        _workload({}),
        {"apiVersion": MACHINES},
        {},
    ],
)
def test_it_leaves_the_rest_to_the_pods(workload: dict[str, Any]) -> None:
    assert podless.count(workload, 5, NOW, LEAD_TIME, None) is None

"""Namespaces full of Deployments, and a ScalingPolicy for each."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tests.cluster import APPS, CORE, ApiError, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.cluster import Cluster

    Progress = Callable[[str, int, int], None]
    """Takes what is done, how much of it, and of how much."""

POLICIES = "/apis/headstart.dev/v1alpha1"
NAMESPACES = 10
# Requests to the API server in flight while the fleet is made.
WIDTH = 16
LEAD_SECONDS = 30
CAPACITY = 5.0
DAY = 86_400.0
PAST_STEP = 240.0


@dataclass(frozen=True)
class Fleet:
    """Workloads of some pods each, spread over namespaces.

    Attributes
    ----------
    size
        Deployments, each with a policy.
    pods
        Replicas of each at the start.
    interval
        Between two decisions, s.
    history_days
        Past of each in Prometheus.
    """

    size: int
    pods: int
    interval: int
    history_days: int = 0

    @property
    def names(self) -> list[str]:
        """Services, Deployments and policies are called so."""
        return [f"service-{k:05d}" for k in range(self.size)]

    @property
    def rate(self) -> float:
        """Mean rate of a service for which its replicas are about right, requests/s.

        Small services need spare ones: of three replicas, the default policy lets 1.65 be busy.
        """
        return 0.55 * self.pods * CAPACITY

    def place(self, name: str) -> str:
        """Namespace of a service."""
        return f"team-{int(name[-5:]) % NAMESPACES}"

    def past(self, end: float) -> dict[str, list[tuple[float, float]]]:
        """Rates of every service in the days before ``end``, s since the epoch: a daily wave."""
        count = round(self.history_days * DAY / PAST_STEP)
        times = [end - k * PAST_STEP for k in range(count, 0, -1)]
        wave = [self.rate * (1 + 0.3 * math.sin(2 * math.pi * time / DAY)) for time in times]
        points = list(zip(times, wave, strict=True))
        return {_past_of(name): points for name in self.names} if points else {}

    def create(self, cluster: Cluster, progress: Progress) -> None:
        """Make the namespaces and the Deployments, and wait until all pods are ready."""
        for k in range(NAMESPACES):
            with suppress(ApiError):
                cluster.api.create(f"{CORE}/namespaces", {"metadata": {"name": f"team-{k}"}})
        for k in range(NAMESPACES):
            path = f"{CORE}/namespaces/team-{k}/serviceaccounts/default"
            wait_until(path, lambda path=path: cluster.api.get(path), ignoring=(ApiError,))  # type: ignore[misc]
        wide(
            "creating Deployments",
            [
                (f"{APPS}/namespaces/{self.place(n)}/deployments", self._workload(n))
                for n in self.names
            ],
            cluster.api.create,
            progress,
        )
        wanted = self.size * self.pods

        def all_ready() -> bool:
            ready = _ready(cluster)
            progress("waiting for pods", ready, wanted)
            return ready >= wanted

        wait_until(f"{wanted} ready pods", all_ready, timeout=900, every=10.0)

    def create_policies(self, cluster: Cluster, progress: Progress) -> None:
        """Make the policies, in mode Auto."""
        documents = [
            (f"{POLICIES}/namespaces/{self.place(n)}/scalingpolicies", self._policy(n))
            for n in self.names
        ]
        wide("creating policies", documents, cluster.api.create, progress)

    def _query(self, name: str) -> str:
        now = f'sum(rate(requests_total{{service="{name}"}}[30s]))'
        return f"{now} or sum({_past_of(name)})" if self.history_days else now

    def _workload(self, name: str) -> dict[str, Any]:
        labels = {"app": name}
        annotations = {"pod-ready.stage.kwok.x-k8s.io/delay": f"{LEAD_SECONDS}s"}
        return {
            "metadata": {"name": name},
            "spec": {
                "replicas": self.pods,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": annotations},
                    "spec": {"containers": [{"name": "main", "image": "none"}]},
                },
            },
        }

    def _policy(self, name: str) -> dict[str, Any]:
        return {
            "apiVersion": "headstart.dev/v1alpha1",
            "kind": "ScalingPolicy",
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"name": name},
                "maxReplicas": 2 * self.pods,
                "mode": "Auto",
                "interval": f"{self.interval}s",
                "rate": {"prometheus": {"query": self._query(name)}},
                "capacity": {"requestsPerSecond": f"{CAPACITY:g}"},
                "leadTime": {"default": "5m"},
            },
        }


def _past_of(name: str) -> str:
    """Series of a past rate: few samples, each of which Prometheus takes for five minutes."""
    return f'requests_per_second{{service="{name}"}}'


def wide(
    what: str,
    calls: Sequence[tuple[str, dict[str, Any]]],
    call: Callable[[str, dict[str, Any]], object],
    progress: Progress,
) -> None:
    """Make many calls, some at a time.

    Raises
    ------
    ApiError
        One was refused for another reason than that it was done already.
    """

    def once(arguments: tuple[str, dict[str, Any]]) -> None:
        try:
            call(*arguments)
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise

    with ThreadPoolExecutor(WIDTH) as pool:
        for done, _ in enumerate(pool.map(once, calls), 1):
            progress(what, done, len(calls))


def _ready(cluster: Cluster) -> int:
    """Count ready replicas; a table of Deployments is a tenth of their documents."""
    lines = cluster.kubectl(
        "get", "deployments", "-A", "-o", "custom-columns=R:.status.readyReplicas", "--no-headers"
    ).stdout.split()
    return sum(int(line) for line in lines if line.isdecimal())

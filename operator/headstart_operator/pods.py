"""Pods of one workload: which serve, which warm, which will not come, and how long starts take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import warming_by_remaining

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_operator.kube import Api, Document
    from headstart_policy.types import Ints

# A container that waits for one of these does not warm: it waits for a person.
STUCK = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
}
UNSCHEDULABLE = "Unschedulable"
MISSING = "NotCreated"
# The pods of 1,000 workloads are listed every few seconds; a list from the API server's cache may
# be a little old, and costs etcd nothing.
FROM_CACHE = "0"


class Pod(NamedTuple):
    """What matters of a pod; times in seconds since the epoch."""

    uid: str
    created: float
    ready_since: float | None
    stuck: str | None
    """Why it will not become ready without help."""


@dataclass(frozen=True)
class Census:
    """The replicas of one workload at one instant.

    Attributes
    ----------
    ready
        Replicas that serve.
    warming
        By remaining share of the lead time, as in an observation, shape (4,).
    stuck
        Replicas that were asked for and will not come: reason -> count.
    """

    ready: int
    warming: Ints
    stuck: dict[str, int]

    @property
    def message(self) -> str:
        """The replicas that will not come, in a sentence; nothing where all come."""
        return ", ".join(f"{count} x {reason}" for reason, count in sorted(self.stuck.items()))


def list_pods(api: Api, namespace: str, selector: str) -> list[Pod]:
    """List the pods of a selector that live.

    Raises
    ------
    ApiError
        Refused, or the API server is away.
    """
    found = api.get(
        f"/api/v1/namespaces/{namespace}/pods",
        labelSelector=selector,
        resourceVersion=FROM_CACHE,
    )
    return [parse(pod) for pod in found["items"] if _lives(pod)]


def parse(pod: Document) -> Pod:
    """Reduce a pod to what matters."""
    status = pod.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    ready = conditions.get("Ready", {})
    return Pod(
        uid=pod["metadata"]["uid"],
        created=_seconds(pod["metadata"]["creationTimestamp"]),
        ready_since=(
            _seconds(ready["lastTransitionTime"]) if ready.get("status") == "True" else None
        ),
        stuck=_stuck(status, conditions.get("PodScheduled", {})),
    )


def count(
    pods: Sequence[Pod], asked: int, now: float, lead_time: float, asked_at: float | None
) -> Census:
    """Sort the replicas that were asked for.

    Parameters
    ----------
    pods
        Those that live.
    asked
        ``spec.replicas``: more than there are pods, for a moment, after each growth.
    now
        Seconds since the epoch.
    lead_time
        Planned, s.
    asked_at
        When the replicas were last changed; pods that are still missing a lead time later are
        refused by a quota or an admission webhook, and do not come.
    """
    serving = [pod for pod in pods if pod.ready_since is not None]
    stuck = Counter(pod.stuck for pod in pods if pod.ready_since is None and pod.stuck)
    waiting = [pod for pod in pods if pod.ready_since is None and not pod.stuck]
    remaining = [1.0 - (now - pod.created) / lead_time for pod in waiting]
    missing = max(0, asked - len(pods))
    if missing and asked_at is not None and now - asked_at > lead_time:
        stuck[MISSING] += missing
        missing = 0
    shares = np.array([*remaining, *([1.0] * missing)], dtype=np.float64)
    return Census(len(serving), warming_by_remaining(shares), dict(stuck))


@dataclass
class Stopwatch:
    """Measures starts: from a pod's creation to the first time that it is ready, s.

    Only of pods created since it looks: an older pod's Ready condition may tell of a restart.
    """

    since: float
    _done: set[str] = field(default_factory=set)

    def measure(self, pods: Sequence[Pod]) -> list[float]:
        """Lead times of the pods that have become ready since the last look."""
        young = [pod for pod in pods if pod.created >= self.since and pod.uid not in self._done]
        fresh = [pod for pod in young if pod.ready_since is not None]
        self._done = {pod.uid for pod in pods} & (self._done | {pod.uid for pod in fresh})
        return [max(0.0, (pod.ready_since or pod.created) - pod.created) for pod in fresh]


def _lives(pod: Document) -> bool:
    ended = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
    return not ended and "deletionTimestamp" not in pod["metadata"]


def _stuck(status: Document, scheduled: Document) -> str | None:
    if scheduled.get("status") == "False" and scheduled.get("reason") == UNSCHEDULABLE:
        return UNSCHEDULABLE
    containers = [
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    ]
    waits = (c.get("state", {}).get("waiting", {}).get("reason") for c in containers)
    return next((reason for reason in waits if reason in STUCK), None)


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()

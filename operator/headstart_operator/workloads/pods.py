"""Pods of one workload: which serve, which warm, and which will not come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_operator.workloads.rollouts import Rollout
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
REFUSED = "FailedCreate"
OVERDUE = "NotReady"
LATE = "ProgressDeadlineExceeded"
# A pod that is not ready after so many lead times, and after a minute at the least, does not warm:
# its readiness probe fails. The default lead time may be short of the truth by as much.
OVERDUE_LEAD_TIMES = 3.0
LEAST_OVERDUE = 60.0
# Labels by which a controller tells pods of one template from those of another: a ReplicaSet's, and
# that of StatefulSets.
TEMPLATES = ("pod-template-hash", "controller-revision-hash")
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
    template: str = ""
    """Hash of its template, empty where its controller keeps none."""
    scheduled: float | None = None
    """When a node was found."""
    running_since: float | None = None
    """Since when all of its containers run."""
    unready_since: float | None = None
    """Since when it has not been ready: later than its creation where it was, once."""

    def waits(self, now: float) -> float:
        """Tell for how long it has been waited for, s: since it was created, or lost readiness."""
        return now - max(self.created, self.unready_since or self.created)


@dataclass(frozen=True)
class Census:
    """The replicas of one workload at one instant.

    Ready and warming ones are never more than were asked for: while a rolling update has pods of
    two templates, those beyond are about to go, and are not capacity twice.

    Attributes
    ----------
    ready
        Replicas that serve.
    warming
        By remaining share of the lead time, as in an observation, shape (4,).
    stuck
        Replicas that were asked for and will not come: reason -> count.
    blocked
        Whether fewer are ready or warming than were asked for, because some will not come: what
        is missing then is not the policy's doing.
    doubtful
        Whether some are late or missing, so that the workload's own conditions are worth a look.
    detail
        What the workload's controller says of it; empty: nothing.
    """

    ready: int
    warming: Ints
    stuck: dict[str, int]
    blocked: bool = False
    doubtful: bool = False
    detail: str = ""

    @property
    def message(self) -> str:
        """The replicas that will not come, in a sentence; nothing where all come."""
        counts = ", ".join(f"{count} x {reason}" for reason, count in sorted(self.stuck.items()))
        return f"{counts} ({self.detail})" if counts and self.detail else counts


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
    return [parse(pod) for pod in found["items"] if lives(pod)]


def parse(pod: Document) -> Pod:
    """Reduce a pod to what matters."""
    metadata, status = pod["metadata"], pod.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    ready = conditions.get("Ready", {})
    scheduled = conditions.get("PodScheduled", {})
    labels = metadata.get("labels") or {}
    is_ready = ready.get("status") == "True"
    return Pod(
        uid=metadata["uid"],
        created=_seconds(metadata["creationTimestamp"]),
        ready_since=_since(ready) if is_ready else None,
        stuck=_stuck(status, scheduled),
        template=next((labels[key] for key in TEMPLATES if key in labels), ""),
        scheduled=_since(scheduled) if scheduled.get("status") == "True" else None,
        running_since=_running_since(status),
        unready_since=None if is_ready else _since(ready),
    )


def count(
    pods: Sequence[Pod],
    asked: int,
    now: float,
    lead_time: float,
    asked_at: float | None,
    rollout: Rollout | None = None,
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
    rollout
        What the workload's controller says; ``None``: it was not asked.
    """
    said = rollout or Rollout()
    waiting = [pod for pod in pods if pod.ready_since is None]
    troubles = [_trouble(pod, now, lead_time, said) for pod in waiting]
    stuck = Counter(trouble for trouble in troubles if trouble)
    warming = [
        # One that was ready once comes back sooner: it is the first of those about to come.
        1.0 - (now - pod.created) / lead_time
        for pod, trouble in zip(waiting, troubles, strict=True)
        if not trouble
    ]
    missing = max(0, asked - len(pods))
    doubtful = bool(stuck) or missing > 0 or any(pod.waits(now) > lead_time for pod in waiting)
    if missing and said.refused:
        stuck[REFUSED] += missing
        missing = 0
    elif missing and asked_at is not None and now - asked_at > lead_time:
        stuck[MISSING] += missing
        missing = 0
    ready = min(len(pods) - len(waiting), asked)
    # Of those that warm, the first to be ready take the places that are left.
    coming = sorted([*warming, *([1.0] * missing)])[: asked - ready]
    return Census(
        ready,
        warming_by_remaining(np.array(coming, dtype=np.float64)),
        dict(stuck),
        blocked=bool(stuck) and ready + len(coming) < asked,
        doubtful=doubtful,
        detail=said.refused or said.late or "",
    )


def _trouble(pod: Pod, now: float, lead_time: float, rollout: Rollout) -> str | None:
    """Say why a pod that is not ready will not come; ``None``: it warms."""
    waits = pod.waits(now)
    # Where a cluster autoscaler adds nodes, to find none at first is a part of the start.
    if pod.stuck is not None and (pod.stuck != UNSCHEDULABLE or waits > lead_time):
        return pod.stuck
    if rollout.late and waits > lead_time:
        return LATE
    return OVERDUE if waits > max(OVERDUE_LEAD_TIMES * lead_time, LEAST_OVERDUE) else None


def lives(pod: Document) -> bool:
    """Whether a pod has neither ended nor been told to."""
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


def _running_since(status: Document) -> float | None:
    """Return when the last container started; ``None``: not all of them run."""
    started = [
        container.get("state", {}).get("running", {}).get("startedAt")
        for container in status.get("containerStatuses", ())
    ]
    return max(map(_seconds, started)) if started and all(started) else None


def _since(condition: Document) -> float | None:
    time = condition.get("lastTransitionTime")
    return _seconds(time) if time else None


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()

"""What a workload says of its own pods: that they are refused, late, or start one by one.

Pure functions on the workload's document; kinds that say nothing of the sort say nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from headstart_operator.kube import Document

IN_ORDER = "StartsInOrder"


class Rollout(NamedTuple):
    """What the workload's controller says of pods that are missing or late; ``None``: nothing."""

    refused: str | None = None
    """Why pods cannot be created: a quota, an admission webhook, a missing ServiceAccount."""
    late: str | None = None
    """That a rollout has made no progress for ``progressDeadlineSeconds``."""


class Ordering(NamedTuple):
    """Whether a workload starts its pods one by one: looked up once, since it cannot be changed."""

    uid: str = ""
    """Of the workload that was looked at; empty: none was."""
    message: str | None = None
    """Why it cannot be scaled ahead, and what to do; ``None``: it can."""

    def concerns(self, kind: str, uid: str) -> bool:
        """Whether a workload is still to be looked at."""
        return kind == "StatefulSet" and uid != self.uid

    @classmethod
    def of(cls, workload: Document, uid: str) -> Ordering:
        """Look at a workload."""
        return cls(uid, starts_in_order(workload))


def read(workload: Document) -> Rollout:
    """Read a Deployment's conditions ReplicaFailure and Progressing."""
    conditions = {c["type"]: c for c in workload.get("status", {}).get("conditions") or ()}
    failure = conditions.get("ReplicaFailure", {})
    progress = conditions.get("Progressing", {})
    return Rollout(
        refused=_words(failure) if failure.get("status") == "True" else None,
        late=_words(progress) if progress.get("status") == "False" else None,
    )


def starts_in_order(workload: Document) -> str | None:
    """Say why a StatefulSet cannot be scaled ahead, and what to do; ``None``: it can.

    With ``podManagementPolicy: OrderedReady``, the default, each pod waits until the one before is
    ready: ten more replicas take ten lead times, where a policy was trained for one.
    """
    if workload.get("kind") != "StatefulSet":
        return None
    if workload.get("spec", {}).get("podManagementPolicy", "OrderedReady") != "OrderedReady":
        return None
    name = workload["metadata"]["name"]
    return (
        f"StatefulSet {name} starts its pods one after the other (podManagementPolicy = "
        "OrderedReady): n more replicas take n lead times, and cannot be had ahead of the load. "
        "The field is immutable: set it to Parallel in the manifest, then "
        f"`kubectl delete statefulset {name} --cascade=orphan` (pods keep running) and apply it"
    )


def _words(condition: Document) -> str:
    return str(condition.get("message") or condition.get("reason") or condition["type"])

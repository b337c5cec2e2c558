"""Replicas that are no pods, such as Cluster API's machines: what their controller says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_operator.workloads.pods import LEAST_OVERDUE, OVERDUE, OVERDUE_LEAD_TIMES, Census
from headstart_policy.observation import warming_by_remaining

if TYPE_CHECKING:
    from headstart_operator.kube import Document


def count(
    workload: Document, asked: int, now: float, lead_time: float, asked_at: float | None
) -> Census | None:
    """Count what ``status.readyReplicas`` tells; ``None``: the replicas are pods, or none is told.

    Without it a pool of ready machines would look as if none had ever come: nothing ready, all
    overdue, and so never fewer replicas.

    Parameters
    ----------
    workload
        Of any kind but those of ``apps``, whose replicas are pods.
    asked
        ``spec.replicas``.
    now
        Seconds since the epoch.
    lead_time
        Planned, s.
    asked_at
        When the replicas were last changed, s since the epoch: of single ones no age is known.
    """
    status = workload.get("status") or {}
    if workload.get("apiVersion", "").startswith("apps/") or not status.get("replicas"):
        return None
    ready = min(int(status.get("readyReplicas") or 0), asked)
    waited = 0.0 if asked_at is None else now - asked_at
    coming, stuck = asked - ready, {}
    if coming and waited > max(OVERDUE_LEAD_TIMES * lead_time, LEAST_OVERDUE):
        coming, stuck = 0, {OVERDUE: coming}
    shares = np.full(coming, 1.0 - waited / lead_time)
    return Census(ready, warming_by_remaining(shares), stuck, blocked=bool(stuck))

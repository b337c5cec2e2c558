"""Replicas over time as a ReplicaSet keeps them, for N services at once.

Growth enters a pipeline; shrinking cancels the youngest warming replicas first, then ready ones.
A replica asked for in step k serves from step k + lead on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.observation import WARMING_BINS

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints


@dataclass(frozen=True)
class Fleet:
    """The replicas of N services between two steps.

    Attributes
    ----------
    ready
        Replicas that serve, shape (N,).
    warming
        Replicas that do not serve yet, shape (N, W): column k holds those that begin to serve in
        the k-th step from now, 0 being the step that comes next. The last column is always 0
        between steps; it takes what the next decision asks for.
    """

    ready: Ints
    warming: Ints

    @classmethod
    def all_ready(cls, replicas: Ints, longest_lead: int) -> Fleet:
        """Begin with ``replicas``, shape (N,), that serve, and room for leads up to the longest."""
        warming = np.zeros((len(replicas), longest_lead + 1), dtype=np.int64)
        return cls(np.asarray(replicas, dtype=np.int64), warming)

    @property
    def current(self) -> Ints:
        """Replicas asked for, ready or not, shape (N,)."""
        total: Ints = self.ready + self.warming.sum(axis=1)
        return total


def advance(fleet: Fleet, desired: Ints, lead_steps: Ints) -> Fleet:
    """Carry out a decision and let one step pass.

    Parameters
    ----------
    fleet
        Before the step.
    desired
        Replicas asked for from this step on, shape (N,), at least 0.
    lead_steps
        Whole steps from asking to serving, shape (N,), at most the fleet's W - 1.

    Returns
    -------
    Fleet
        As it serves during the step; ``ready + warming`` is ``desired``.
    """
    growth = np.maximum(desired - fleet.current, 0)
    ready = np.minimum(fleet.ready, desired)
    # What may keep warming goes to the oldest, which are the first columns.
    kept = np.minimum(np.cumsum(fleet.warming, axis=1), (desired - ready)[:, None])
    warming = np.diff(kept, axis=1, prepend=0)
    warming[np.arange(len(growth)), lead_steps] += growth
    after = np.zeros_like(warming)
    after[:, :-1] = warming[:, 1:]
    return Fleet(ready + warming[:, 0], after)


def remaining_bins(lead_steps: Ints, columns: int) -> Ints:
    """Sort pipeline columns into the bins of ``Observation.warming``, shape (N, 4, W), as 0 and 1.

    Column k has ``k / lead`` of its lead time left; what is due in the step that comes counts as
    overdue, as a pod does whose readiness has not been noticed yet.
    """
    share: Floats = np.arange(columns) / lead_steps[:, None]
    bins = np.clip(np.ceil(share * WARMING_BINS).astype(np.int64) - 1, 0, WARMING_BINS - 1)
    sorted_in: Ints = (bins[:, None, :] == np.arange(WARMING_BINS)[:, None]).astype(np.int64)
    return sorted_in

"""Replicas over time as a ReplicaSet and its cluster keep them, for N services at once.

A decision goes through three hands: what limits its ramp, the nodes that it needs, and the pods'
own lead times. Loops are in :mod:`headstart_training.kernels.fleets`;
:mod:`headstart_training.pods` is the slow truth that they are tested against.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import WARMING_BINS
from headstart_policy.physics import normal_cdf
from headstart_training.frictions import Frictions

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

# Lead times beyond this quantile come at it.
_LONGEST_SIGMAS = 3.0


class Rules(NamedTuple):
    """What a fleet obeys; shape (N,) where nothing else is said."""

    most_up: Ints
    most_down: Ints
    """Replicas added and removed in a step at most."""
    per_node: Ints
    """Replicas that a node holds; 0: nodes are always there."""
    node_arrivals: Floats
    """Share of nodes that come within k steps, shape (N, V)."""
    node_columns: Ints
    """Columns k of the above that are in use."""
    arrivals: Floats
    """Share of replicas that serve within k steps once they have a node, shape (N, W)."""
    columns: Ints
    """Columns k of the above that are in use."""


class Fleet(NamedTuple):
    """The replicas of N services between two steps; it changes in place."""

    asked: Ints
    """Replicas asked for after ramp limits (``spec.replicas``), shape (N,)."""
    ready: Ints
    """Replicas that serve, shape (N,)."""
    seated: Ints
    """Replicas that have a node, shape (N,)."""
    warming: Ints
    """Replicas with a node that do not serve yet, shape (N, W): column k holds those that begin to
    serve in the k-th step from now, 0 being the step that comes next."""
    nodes: Ints
    """Nodes that are there, shape (N,)."""
    booting: Ints
    """Nodes that are not there yet, by the step in which they come, shape (N, V)."""

    @property
    def current(self) -> Ints:
        """Replicas asked for, ready or not, shape (N,)."""
        return self.asked

    @classmethod
    def all_ready(cls, replicas: Ints, rules: Rules) -> Fleet:
        """Begin with ``replicas``, shape (N,), that serve."""
        initial = np.array(replicas, dtype=np.int64)
        return cls(
            asked=initial,
            ready=initial.copy(),
            seated=initial.copy(),
            warming=np.zeros(rules.arrivals.shape, dtype=np.int64),
            nodes=-(-initial // np.maximum(rules.per_node, 1)),
            booting=np.zeros(rules.node_arrivals.shape, dtype=np.int64),
        )


def rules_of(lead_steps: Ints, frictions: Frictions | None = None) -> Rules:
    """Make the rules of N services from their lead times and what else stands in the way."""
    frictions = frictions or Frictions.none(len(lead_steps), 0)
    node_arrivals = arrivals(frictions.node_steps, np.zeros(len(lead_steps)))
    replica_arrivals = arrivals(lead_steps, frictions.lead_spread)
    return Rules(
        most_up=frictions.most_up,
        most_down=frictions.most_down,
        per_node=frictions.per_node,
        node_arrivals=node_arrivals,
        node_columns=np.argmax(node_arrivals >= 1, axis=1) + 1,
        arrivals=replica_arrivals,
        columns=np.argmax(replica_arrivals >= 1, axis=1) + 1,
    )


def arrivals(mean: Ints, spread: Floats) -> Floats:
    """Share of lead times that are at most k steps, shape (N, longest + 1).

    Parameters
    ----------
    mean
        Lead time in steps, shape (N,), at least 0.
    spread
        Standard deviation over the mean, shape (N,), at least 0.

    Notes
    -----
    Lead times are log-normal, as what is multiplied up from image size, start-up work and a busy
    node tends to be; rounded to whole steps, of which one at least where the mean has one.
    """
    scale = np.sqrt(np.log1p(spread**2))[:, None]
    with np.errstate(divide="ignore"):
        centre = np.log(mean)[:, None] - scale**2 / 2
    longest = np.where(spread > 0, np.exp(centre + _LONGEST_SIGMAS * scale)[:, 0], mean)
    steps = np.arange(int(np.ceil(longest.max())) + 1)
    certain = scale <= 0
    with np.errstate(divide="ignore"):
        z = (np.log(steps + 0.5) - centre) / np.where(certain, 1.0, scale)
    share = np.where(certain, steps >= mean[:, None], normal_cdf(np.clip(z, -30.0, 30.0)))
    share[(steps == 0) & (mean[:, None] > 0)] = 0.0
    share[steps >= np.ceil(longest)[:, None]] = 1.0
    return share


def remaining_bins(lead_steps: Ints, columns: int) -> Ints:
    """Bin of ``Observation.warming`` that each pipeline column belongs to, shape (N, W).

    Column k has ``k / lead`` of its lead time left; what is due in the step that comes counts as
    overdue, as a pod does whose readiness has not been noticed yet.
    """
    share: Floats = np.arange(columns) / lead_steps[:, None]
    bins: Ints = np.clip(np.ceil(share * WARMING_BINS).astype(np.int64) - 1, 0, WARMING_BINS - 1)
    return bins

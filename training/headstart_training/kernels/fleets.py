"""Replicas over time: what becomes of a decision, for one step and for whole paths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints
    from headstart_training.fleet import Fleet, Rules


@compiled
def ready_paths(
    start: int, stop: int, desired: Ints, lead_steps: Ints, initial: Ints, ready: Ints
) -> None:
    """Reduce paths of desired replicas to ready ones, shape (N, T), as physics.ready_path does."""
    steps = desired.shape[1]
    for i in range(start, stop):
        lead = lead_steps[i]
        least = np.empty(lead + steps, dtype=np.int64)
        least[:lead] = initial[i]
        least[lead:] = desired[i]
        width, length = 1, lead + steps
        while width <= lead:
            shift = min(width, lead + 1 - width)
            length -= shift
            for t in range(length):
                least[t] = min(least[t], least[t + shift])
            width += shift
        ready[i] = least[:steps]


@compiled
def advance(ready: int, warming: Ints, desired: int, arrivals: Floats, luck: float) -> int:
    """Let one step pass for the replicas of one service, which are to be ``desired``.

    Shrinking cancels the warming replicas that are furthest from ready first, then ready ones. Of
    a growth by g, ``floor(g * arrivals[k] + luck)`` replicas serve in the k-th step from now at
    the latest, 0 being this one: the g lead times are quantiles as far apart as can be.

    Parameters
    ----------
    ready
        Replicas that served before.
    warming
        By the step in which they begin to serve, 0 being this one; shape (W,). Changes in place.
    desired
        Replicas that there are to be from this step on.
    arrivals
        Share of replicas whose lead time is at most k steps, shape (W,); the last is 1.
    luck
        In [0, 1): where in its share of the distribution each lead time lies.

    Returns
    -------
    int
        Replicas that serve in this step.
    """
    current = ready + warming.sum()
    growth = max(desired - current, 0)
    ready = min(ready, desired)
    if current > desired:
        left = desired - ready
        for k in range(len(warming)):
            warming[k] = min(warming[k], left)
            left -= warming[k]
    if growth > 0:
        before = 0
        for k in range(len(warming)):
            so_far = math.floor(growth * arrivals[k] + luck)
            warming[k] += so_far - before
            before = so_far
    ready += warming[0]
    warming[:-1] = warming[1:]
    warming[-1] = 0
    return ready


@compiled
def carry_out(i: int, desired: int, luck: float, fleet: Fleet, rules: Rules) -> None:
    """Carry out the decision for service i and let one step pass; ``fleet`` changes in place."""
    least, most = fleet.asked[i] - rules.most_down[i], fleet.asked[i] + rules.most_up[i]
    asked = min(max(desired, least, 0), most)
    fleet.asked[i] = asked
    seats = asked
    if rules.per_node[i] > 0:
        wanted = -(-asked // rules.per_node[i])
        fleet.nodes[i] = advance(
            fleet.nodes[i], fleet.booting[i], wanted, rules.node_arrivals[i], 0.0
        )
        seats = min(asked, fleet.nodes[i] * rules.per_node[i])
    fleet.ready[i] = advance(fleet.ready[i], fleet.warming[i], seats, rules.arrivals[i], luck)


@compiled
def carry_out_all(
    start: int, stop: int, desired: Ints, luck: Floats, fleet: Fleet, rules: Rules
) -> None:
    """:func:`carry_out` for the services from start to stop; ``desired``, ``luck`` (N,)."""
    for i in range(start, stop):
        carry_out(i, desired[i], luck[i], fleet, rules)


@compiled
def carry_out_paths(
    start: int,
    stop: int,
    desired: Ints,
    luck: Floats,
    fleet: Fleet,
    rules: Rules,
    asked: Ints,
    ready: Ints,
) -> None:
    """:func:`carry_out` step after step, into ``asked`` and ``ready``, shape (N, T)."""
    for i in range(start, stop):
        for t in range(desired.shape[1]):
            carry_out(i, desired[i, t], luck[i, t], fleet, rules)
            asked[i, t], ready[i, t] = fleet.asked[i], fleet.ready[i]


@compiled
def count_warming(start: int, stop: int, fleet: Fleet, bins: Ints, warming: Ints) -> None:
    """Count what warms by remaining time, into ``warming`` (N, B); ``bins`` (N, W) tells where.

    Who waits for a node has the whole lead time left.
    """
    for i in range(start, stop):
        warming[i] = 0
        waiting = fleet.asked[i] - fleet.ready[i]
        for k in range(bins.shape[1]):
            warming[i, bins[i, k]] += fleet.warming[i, k]
            waiting -= fleet.warming[i, k]
        warming[i, -1] += waiting

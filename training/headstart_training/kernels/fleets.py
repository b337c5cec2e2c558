"""Replicas over time: what becomes of a decision, for one step and for whole paths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled, inlined

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


@inlined
def advance(
    i: int,
    columns: int,
    before: int,
    ready: int,
    warming: Ints,
    desired: int,
    arrivals: Floats,
    luck: float,
) -> int:
    """Let one step pass for the replicas of service i, which are to be ``desired``.

    Shrinking cancels the warming replicas that are furthest from ready first, then ready ones. Of
    a growth by g, ``floor(g * arrivals[k] + luck)`` replicas serve in the k-th step from now at
    the latest, 0 being this one: the g lead times are quantiles as far apart as can be.

    Parameters
    ----------
    i, columns
        Service, and columns of its pipeline that are in use.
    before, ready
        Replicas that there were, and those of them that served.
    warming
        By the step in which they begin to serve, 0 being this one; shape (N, W). Changes in place.
    desired
        Replicas that there are to be from this step on.
    arrivals
        Share of replicas whose lead time is at most k steps, shape (N, W).
    luck
        In [0, 1): where in its share of the distribution each lead time lies.

    Returns
    -------
    int
        Replicas that serve in this step.
    """
    last = columns - 1
    excess = before - desired
    k = last
    while excess > 0 and k >= 0:
        cancelled = min(warming[i, k], excess)
        warming[i, k] -= cancelled
        excess -= cancelled
        k -= 1
    growth = desired - before
    if growth > 0 and (last == 0 or arrivals[i, last - 1] <= 0):
        # One lead time for all, which most services have.
        warming[i, last] += growth
    elif growth > 0:
        served = 0
        for k in range(columns):
            so_far = math.floor(growth * arrivals[i, k] + luck)
            warming[i, k] += so_far - served
            served = so_far
    now: int = min(ready, desired) + warming[i, 0]
    for k in range(last):
        warming[i, k] = warming[i, k + 1]
    warming[i, last] = 0
    return now


@compiled
def carry_out(
    start: int,
    stop: int,
    desired: Ints,
    luck: Floats,
    fleet: Fleet,
    rules: Rules,
    asked: Ints,
    ready: Ints,
) -> None:
    """Carry out decisions, one step after the other, for the services from start to stop.

    Parameters
    ----------
    start, stop
        Services.
    desired, luck
        Replicas to ask for, and draws of :func:`advance`, shape (N, T).
    fleet, rules
        The fleet changes in place.
    asked, ready
        Take what was asked for after ramp limits, and what serves, shape (N, T).
    """
    # Taken apart once: in the loop, numba would count references at every access.
    asked_now, ready_now, seated, warming, nodes, booting = fleet
    most_up, most_down, per_node, node_arrivals, node_columns, arrivals, columns = rules
    for i in range(start, stop):
        for t in range(desired.shape[1]):
            before = asked_now[i]
            wanted = min(max(desired[i, t], before - most_down[i], 0), before + most_up[i])
            seats = wanted
            if per_node[i] > 0:
                nodes[i] = advance(
                    i,
                    node_columns[i],
                    -(-before // per_node[i]),
                    nodes[i],
                    booting,
                    -(-wanted // per_node[i]),
                    node_arrivals,
                    0.0,
                )
                seats = min(wanted, nodes[i] * per_node[i])
            ready_now[i] = advance(
                i, columns[i], seated[i], ready_now[i], warming, seats, arrivals, luck[i, t]
            )
            asked_now[i], seated[i] = wanted, seats
            asked[i, t], ready[i, t] = wanted, ready_now[i]


@compiled
def count_warming(fleet: Fleet, columns: Ints, bins: Ints, warming: Ints) -> None:
    """Count what warms by remaining time, into ``warming`` (N, B); ``bins`` (N, W) tells where.

    Who waits for a node has the whole lead time left.
    """
    for i in range(len(columns)):
        warming[i] = 0
        for k in range(columns[i]):
            warming[i, bins[i, k]] += fleet.warming[i, k]
        warming[i, -1] += fleet.asked[i] - fleet.seated[i]

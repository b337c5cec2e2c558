"""The dynamic program of :mod:`headstart_training.clairvoyant`, and totals of fleets that stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled, inlined
from headstart_training.kernels.money import drawn, expected, fleet_spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headstart_policy.types import Floats, Ints
    from headstart_training.kernels.money import Terms

    Moves = NDArray[np.uint8]

# How the best path goes on from a replica count: whether its own value beats those of all smaller
# counts, or those of all larger ones less the price of getting there, and whether to go up.
_HIGHEST, _CHEAPEST, _GROW = 1, 2, 4


@inlined
def _earned(terms: Terms, i: int, rate: float, draw: float, n: float) -> float:
    """Dollars that n replicas of service i earn in a step, before they are paid for."""
    mean, spread = n * terms.capacity[i], fleet_spread(n, terms.sigma[i], terms.common[i])
    if np.isnan(draw):
        served, missed = expected(rate, mean, spread, terms.slo[i])
    else:
        served, missed = drawn(rate, mean, spread, terms.slo[i], draw)
    dollars: float = served * terms.value[i] - missed * terms.violation[i]
    return dollars


@compiled
def most_useful(
    start: int, stop: int, terms: Terms, rates: Floats, noise: Floats | None, hard: Ints, most: Ints
) -> None:
    """Raise ``most``, shape (N,), to the replicas that no best path of at most ``hard`` exceeds.

    Let a step with n replicas earn less than one with any number by at most the price of one
    replica. A path with more than n loses nothing by coming down to n in that step: it saves a
    replica at the least. If that holds for n in every step, the path may be cut at n everywhere,
    and cutting never adds a replica that was not added before.
    """
    for i in range(start, stop):
        top, largest = most[i], hard[i]
        for t in range(rates.shape[1]):
            rate = rates[i, t]
            draw = np.nan if noise is None else noise[i, t]
            # What the largest fleet earns is the most, since more capacity never earns less.
            aim = _earned(terms, i, rate, draw, float(largest)) - terms.replica[i]
            low, high = top - 1, largest
            # Most steps are served by what an earlier one needs: look there first.
            middle = top
            while high - low > 1:
                if _earned(terms, i, rate, draw, float(middle)) >= aim:
                    high = middle
                else:
                    low = middle
                middle = (low + high) // 2
            top = max(top, high)
        most[i] = top


@compiled
def best_paths(
    start: int,
    stop: int,
    terms: Terms,
    rates: Floats,
    noise: Floats | None,
    lead_steps: Ints,
    initial: Ints,
    most: Ints,
    stride: Ints,
    path: Ints,
) -> None:
    """Find the ready replicas that earn the most, into ``path``, shape (N, T).

    Considered are 0, the initial replicas, and what is a multiple of ``stride`` away from them, up
    to ``most``; the others have shape (N,).
    """
    steps = rates.shape[1]
    for i in range(start, stop):
        # The smallest count on the grid of the initial replicas; 0 is there besides.
        least = initial[i] % stride[i]
        extra = 1 if least > 0 else 0
        counts = extra + 1 + (most[i] - least) // stride[i]
        n = np.arange(-extra, counts - extra).astype(np.float64) * stride[i] + least
        n[0] = 0.0
        spread = np.empty(counts)
        for k in range(counts):
            spread[k] = fleet_spread(n[k], terms.sigma[i], terms.common[i])
        worth, down = np.zeros(counts), np.empty(counts)
        moves = np.empty((steps, counts), dtype=np.uint8)
        for t in range(steps - 1, -1, -1):
            draw = np.nan if noise is None else noise[i, t]
            _earn(terms, i, rates[i, t], draw, n, spread, worth)
            _go_down(worth, down, moves[t])
            # Nothing can be ready within the first lead time that was not asked for before.
            if t < lead_steps[i]:
                worth[:] = down
            else:
                _go_up(worth, down, moves[t], terms.replica[i] * lead_steps[i] * n)
        now = extra + initial[i] // stride[i]
        for t in range(steps):
            now = _follow(moves[t], now)
            path[i, t] = int(n[now])


@compiled
def _earn(
    terms: Terms, i: int, rate: float, draw: float, n: Floats, spread: Floats, worth: Floats
) -> None:
    """Add to ``worth`` what a step of service i brings with n replicas; no draw is NaN."""
    capacity, slo, replica = terms.capacity[i], terms.slo[i], terms.replica[i]
    value, violation = terms.value[i], terms.violation[i]
    if np.isnan(draw):
        for k in range(len(n)):
            served, missed = expected(rate, n[k] * capacity, spread[k], slo)
            worth[k] += served * value - missed * violation - n[k] * replica
    else:
        for k in range(len(n)):
            served, missed = drawn(rate, n[k] * capacity, spread[k], slo, draw)
            worth[k] += served * value - missed * violation - n[k] * replica


@compiled
def _go_down(worth: Floats, down: Floats, move: Moves) -> None:
    """Best ``worth`` of all counts up to each: going down costs nothing."""
    best = -np.inf
    for k in range(len(worth)):
        highest = worth[k] >= best
        best = worth[k] if highest else best
        move[k] = _HIGHEST if highest else 0
        down[k] = best


@compiled
def _go_up(worth: Floats, down: Floats, move: Moves, ramp: Floats) -> None:
    """Best ``worth`` of all counts from each on, less what it costs to get there, or ``down``."""
    best = -np.inf
    for k in range(len(worth) - 1, -1, -1):
        there = worth[k] - ramp[k]
        cheapest = there >= best
        best = there if cheapest else best
        up = best + ramp[k]
        grow = up > down[k]
        move[k] |= (_CHEAPEST if cheapest else 0) | (_GROW if grow else 0)
        worth[k] = up if grow else down[k]


@compiled
def _follow(move: Moves, now: int) -> int:
    """Go where the best path goes from count ``now``."""
    if move[now] & _GROW:
        while not move[now] & _CHEAPEST:
            now += 1
    else:
        while not move[now] & _HIGHEST:
            now -= 1
    return now


@compiled
def static_totals(
    start: int, stop: int, terms: Terms, rates: Floats, noise: Floats | None, totals: Floats
) -> None:
    """Add up what a fleet that never changes earns, by its size: ``totals`` (N, most + 1)."""
    for i in range(start, stop):
        n = np.arange(totals.shape[1]).astype(np.float64)
        spread = np.empty(len(n))
        for k in range(len(n)):
            spread[k] = fleet_spread(n[k], terms.sigma[i], terms.common[i])
        totals[i] = 0.0
        for t in range(rates.shape[1]):
            draw = np.nan if noise is None else noise[i, t]
            _earn(terms, i, rates[i, t], draw, n, spread, totals[i])

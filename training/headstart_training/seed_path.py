"""Whole paths of the seed's game at once: two levels -> fleets -> dollars, and the best path.

The load of the game is exogenous, so whoever looks at nothing but the load can say at once, for
every minute, up to which level they order and down to which they discard; what the game's queue
makes of that is one pass over the minutes, and has a gradient. Tests pin these passes to
:func:`headstart_training.seed_game.step`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.kernels.compiled import compiled
from headstart_training.seed_game import MAX_MACHINE_DELTA, expected_reward
from headstart_training.threads import over_rows

if TYPE_CHECKING:
    from headstart_training.seed_game import Bools, Floats, Ints, Rules

MINUTES_PER_DAY = 1440
# No path is worth more machines than its highest load needs, times this: five deviations of the
# capacity draw are 2.0, and a violation is not worth more than that.
_MOST_OVER_DEMAND = 2.5


class Fleets(NamedTuple):
    """What two levels came to in each minute; each of shape (N, T)."""

    active: Floats
    """Machines that serve."""
    warming: Floats
    """Machines in the queue."""
    ordered: Bools
    """Whether the order of this minute follows its level: neither nothing nor all that is allowed.
    """
    discarded: Bools
    """Whether the discard does."""


def fleets(rules: Rules, order_up_to: Floats, discard_down_to: Floats, active: Floats) -> Fleets:
    """Play N games in which each minute discards and orders by its two levels.

    Machines that serve beyond ``discard_down_to``, those that come on in this minute included, go
    off; what then serves and warms up is filled up to ``order_up_to``. Both changes stay within the
    game's limit of 10 machines a minute. Levels that are not whole make fleets that are not whole:
    the path of which :func:`gradient` is the gradient.

    Parameters
    ----------
    rules
        The game's numbers.
    order_up_to, discard_down_to
        Machines, shape (N, T).
    active
        Machines that serve before the first minute, shape (N,); the queue is empty.
    """
    shape = order_up_to.shape
    made = Fleets(
        np.empty(shape), np.empty(shape), np.empty(shape, np.bool_), np.empty(shape, np.bool_)
    )
    arguments = (
        np.asarray(order_up_to, dtype=np.float64),
        np.asarray(discard_down_to, dtype=np.float64),
        np.asarray(active, dtype=np.float64),
        rules.warmup_latency,
        float(rules.max_machines),
        *made,
    )
    over_rows(shape[0], order_up_to.size * 5, lambda i, j: _fleets(i, j, *arguments))
    return made


def gradient(
    rules: Rules, made: Fleets, by_active: Floats, by_warming: Floats
) -> tuple[Floats, Floats]:
    """Pull a gradient back through :func:`fleets`, from its fleets to its two levels.

    A machine that goes off because all do, fewer than 10, is taken to stay: no fleet is that small.

    Parameters
    ----------
    rules, made
        What :func:`fleets` was given and returned.
    by_active, by_warming
        Gradient by what serves and what warms up in each minute, shape (N, T).

    Returns
    -------
    Gradient by ``order_up_to`` and by ``discard_down_to``, each of shape (N, T).
    """
    levels = np.zeros_like(made.active), np.zeros_like(made.active)
    arguments = (
        np.asarray(by_active, dtype=np.float64),
        np.asarray(by_warming, dtype=np.float64),
        made.ordered,
        made.discarded,
        rules.warmup_latency,
        *levels,
    )
    over_rows(len(by_active), by_active.size * 5, lambda i, j: _gradient(i, j, *arguments))
    return levels


def dollars(rules: Rules, made: Fleets, load: Ints) -> Floats:
    """Reward of each minute in the mean over its capacity draw, shape (N, T) [$]."""
    reward: Floats = expected_reward(rules, made.active, load)
    if rules.bill_warming:
        reward = reward - rules.machine_cost * made.warming
    return reward


def clairvoyant(rules: Rules, load: Ints) -> Floats:
    """Earn the most that can be earned with the load known, the capacity draws not; shape (N,) [$].

    An order comes on when it is due, whatever happens meanwhile, so what serves is all there is to
    know: a dynamic program over it, in which a machine more costs its minutes in the queue, where
    they are billed, and in which nothing can come on before the first order is due.
    """
    earned = np.empty(len(load))
    queued = rules.machine_cost * rules.warmup_latency if rules.bill_warming else 0.0
    for game, of_game in enumerate(load):
        needed = int(_MOST_OVER_DEMAND * of_game.max() / rules.tpm_per_machine) + 1
        most = min(max(needed, rules.initial_machines), rules.max_machines)
        by_machines = expected_reward(rules, np.arange(most + 1), of_game[:, None])
        earned[game] = _best(by_machines, queued, rules.warmup_latency, rules.initial_machines)
    return earned


@compiled
def _fleets(
    start: int,
    stop: int,
    order_up_to: Floats,
    discard_down_to: Floats,
    first: Floats,
    latency: int,
    most: float,
    active: Floats,
    warming: Floats,
    ordered: Bools,
    discarded: Bools,
) -> None:
    for game in range(start, stop):
        serving, queue, queued = first[game], np.zeros(latency), 0.0
        for t in range(order_up_to.shape[1]):
            due = t % latency  # The queue is a ring: what is due now makes room for what is new.
            able = serving
            serving += queue[due]
            queued -= queue[due]
            excess = serving - discard_down_to[game, t]
            largest = min(able, MAX_MACHINE_DELTA)
            discarded[game, t] = 0.0 < excess <= largest
            serving = min(serving - min(max(excess, 0.0), largest), most)
            lacking = order_up_to[game, t] - serving - queued
            ordered[game, t] = 0.0 < lacking <= MAX_MACHINE_DELTA
            queue[due] = min(max(lacking, 0.0), MAX_MACHINE_DELTA)
            queued += queue[due]
            active[game, t], warming[game, t] = serving, queued


@compiled
def _gradient(
    start: int,
    stop: int,
    by_active: Floats,
    by_warming: Floats,
    ordered: Bools,
    discarded: Bools,
    latency: int,
    by_order_level: Floats,
    by_discard_level: Floats,
) -> None:
    for game in range(start, stop):
        # What one machine more is worth from here on: serving, and at each place of the ring.
        serving, queue = 0.0, np.zeros(latency)
        for t in range(by_active.shape[1] - 1, -1, -1):
            due = t % latency
            serving += by_active[game, t]
            queue += by_warming[game, t]
            if ordered[game, t]:
                # The order fills up: a machine more elsewhere is one less in it.
                worth = queue[due]
                by_order_level[game, t] = worth
                serving -= worth
                queue -= worth
            if discarded[game, t]:
                by_discard_level[game, t] = serving
                serving = 0.0
            queue[due] = serving


@compiled
def _best(by_machines: Floats, queued: float, latency: int, first: int) -> float:
    steps, counts = by_machines.shape
    value, earlier = np.zeros(counts), np.empty(counts)
    for t in range(steps - 1, -1, -1):
        value += by_machines[t]
        for now in range(counts):
            best = -np.inf
            for then in range(max(0, now - MAX_MACHINE_DELTA), now + 1):
                best = max(best, value[then])
            if t >= latency:
                for then in range(now + 1, min(counts, now + MAX_MACHINE_DELTA + 1)):
                    best = max(best, value[then] - queued * (then - now))
            earlier[now] = best
        value[:] = earlier
    best_of_all: float = value[first]
    return best_of_all

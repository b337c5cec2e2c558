"""The optimum with the future known: the limit that every table is measured against.

Replicas are billed from creation, so a ready replica that is added costs its lead time on top, and
a dip shorter than the lead time never pays. What remains is a dynamic program over the number of
ready replicas alone::

    V[t](n) = dollars[t](n) + max over m of (V[t + 1](m) - lead * price * max(0, m - n))

Within the first ``lead`` steps nothing can be added, since nothing was asked for before.

Replicas are billed from creation in the plan, whatever the world does: where warming is free, the
best path earns a little more than this one. What else stands between asking and being ready
(:mod:`headstart_training.frictions`) is not planned for: it can only cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.physics import ready_path
from headstart_training.threads import over_rows

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats, Ints
    from headstart_training.contest import Moment
    from headstart_training.simulator import World

# Cells of time x replicas of one service up to which every count is considered: a byte each, and
# some nanoseconds. Beyond, counts are a few thousandths apart.
MOST_CELLS = 2**28
# Fleets that are looked at: so many times the highest demand, where capacity comes to its
# expectation and where it is drawn, and some more for the smallest.
_EXPECTED_TIMES, _DRAWN_TIMES, _SPARE = 8.0, 64.0, 16


class Clairvoyant:
    """Follow the best path of replicas for a world.

    Parameters
    ----------
    world
        Whose loads, and capacity draws where it has them, are known in advance.
    """

    def __init__(self, world: World) -> None:
        self.ready = best_ready(world)
        self.desired = to_desired(self.ready, world.lead_steps)
        self._t = 0

    def decide(self, observation: Observation, moment: Moment) -> Ints:  # noqa: ARG002
        """Replicas to ask for, shape (N,)."""
        self._t += 1
        asked: Ints = self.desired[:, self._t - 1]
        return asked


def path(world: World) -> Ints:
    """Desired replicas of the best path, shape (N, T)."""
    return to_desired(best_ready(world), world.lead_steps)


def best_ready(world: World) -> Ints:
    """Ready replicas of the best path, shape (N, T).

    Notes
    -----
    Time and memory go with T times the largest fleet that can pay, of each service: 20,160 steps of
    60 replicas take hundredths of a second, of 3,000 replicas less than a second. Above
    :data:`MOST_CELLS` only every second, third, ... count is considered.
    """
    from headstart_training.kernels import optimum  # noqa: PLC0415  # Numba loads slowly.

    services, steps = world.rates.shape
    terms, noise = world.terms, world.noise
    most = most_useful(world)
    stride = -(-steps * (most + 1) // MOST_CELLS)
    ready = np.empty((services, steps), dtype=np.int64)
    over_rows(
        services,
        float(steps) * float((most // stride).sum()),
        lambda start, stop: optimum.best_paths(
            start,
            stop,
            terms,
            world.rates,
            noise,
            world.lead_steps,
            world.initial,
            most,
            stride,
            ready,
        ),
    )
    return ready


def most_useful(world: World) -> Ints:
    """Replicas that no best path exceeds, shape (N,)."""
    from headstart_training.kernels import optimum  # noqa: PLC0415  # Numba loads slowly.

    terms, noise = world.terms, world.noise
    times = _EXPECTED_TIMES if world.noise is None else _DRAWN_TIMES
    hard = np.ceil(times * world.rates.max(axis=1) / world.profiles.capacity) + _SPARE
    most: Ints = world.initial.astype(np.int64)
    hard = np.maximum(hard.astype(np.int64), most)
    over_rows(
        len(most),
        4.0 * world.rates.size,
        lambda start, stop: optimum.most_useful(start, stop, terms, world.rates, noise, hard, most),
    )
    return most


def static_totals(world: World, most: int) -> Floats:
    """Dollars over all steps with 0 to ``most`` ready and billed replicas, shape (N, most + 1)."""
    from headstart_training.kernels import optimum  # noqa: PLC0415  # Numba loads slowly.

    totals = np.empty((len(world.rates), most + 1))
    terms, noise = world.terms, world.noise
    over_rows(
        len(totals),
        float(world.rates.size) * (most + 1),
        lambda start, stop: optimum.static_totals(start, stop, terms, world.rates, noise, totals),
    )
    return totals


def to_desired(ready: Ints, lead_steps: Ints) -> Ints:
    """Ask one lead time ahead for what is to be ready: the moving maximum of the steps to come."""
    desired = np.empty_like(ready)
    for lead in np.unique(lead_steps):
        rows = lead_steps == lead
        # Backwards, and with the signs turned, it is the moving minimum that readiness is.
        backwards = -ready[rows, ::-1]
        desired[rows] = -ready_path(backwards, int(lead), backwards[:, 0])[:, ::-1]
    return desired

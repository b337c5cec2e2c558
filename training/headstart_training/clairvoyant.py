"""The optimum with the future known: the limit that every table is measured against.

Replicas are billed from creation, so a ready replica that is added costs its lead time on top, and
a dip shorter than the lead time never pays. What remains is a dynamic program over the number of
ready replicas alone::

    V[t](n) = dollars[t](n) + max over m of (V[t + 1](m) - lead * price * max(0, m - n))

Within the first ``lead`` steps nothing can be added, since nothing was asked for before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.simulator import serve, take_profiles

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats, Ints
    from headstart_training.contest import Moment
    from headstart_training.simulator import World


class Clairvoyant:
    """Follow the best path of replicas for a world.

    Parameters
    ----------
    world
        Whose loads, and capacity draws where it has them, are known in advance. Replicas are billed
        from creation in the plan, whatever the world does.
    most
        Replicas considered, at most.
    dollars
        What :func:`dollars_by_replicas` returned for the two, if it is at hand.

    Raises
    ------
    ValueError
        ``most`` is below the initial replicas.
    """

    def __init__(self, world: World, most: int, dollars: Floats | None = None) -> None:
        if most < world.initial.max():
            raise ValueError(f"most = {most}, must be at least {world.initial.max()}, the initial")
        dollars = dollars_by_replicas(world, most) if dollars is None else dollars
        self.ready = best_ready(world, dollars)
        self.desired = to_desired(self.ready, world.lead_steps)
        self._t = 0

    def decide(self, observation: Observation, moment: Moment) -> Ints:  # noqa: ARG002
        """Replicas to ask for, shape (N,)."""
        self._t += 1
        asked: Ints = self.desired[:, self._t - 1]
        return asked


def dollars_by_replicas(world: World, most: int) -> Floats:
    """Dollars of each step with 0 to ``most`` ready and billed replicas, shape (N, T, most + 1)."""
    services, steps = world.rates.shape
    table = np.empty((services, steps, most + 1))
    # Every replica count is a service of its own, so that physics prices them all in one call.
    rows = np.repeat(np.arange(services), most + 1)
    profiles, common = take_profiles(world.profiles, rows), world.common[rows]
    ready = np.tile(np.arange(most + 1), services)
    for t in range(steps):
        noise = None if world.noise is None else world.noise[rows, t]
        dollars = serve(profiles, common, world.rates[rows, t], noise, ready, ready).dollars
        table[:, t] = dollars.reshape(services, most + 1)
    return table


def best_ready(world: World, dollars: Floats) -> Ints:
    """Ready replicas of the best path, shape (N, T), for the table of dollars by replicas."""
    services, steps, counted = dollars.shape
    counts, most = np.arange(counted), counted - 1
    price = world.profiles.replica_cost * world.profiles.interval * world.lead_steps
    ramp = price[:, None] * counts
    choice = np.empty((steps, services, most + 1), dtype=np.int32)
    value: Floats = np.zeros((services, most + 1))
    for t in range(steps - 1, -1, -1):
        value = value + dollars[:, t]
        # The best of going down to any m <= n, and of going up to any m >= n at its price.
        down, down_at = _running_best(value)
        up, up_at = _running_best((value - ramp)[:, ::-1])
        up, up_at = up[:, ::-1] + ramp, most - up_at[:, ::-1]
        can_grow = (t >= world.lead_steps)[:, None]
        grow = can_grow & (up > down)
        choice[t] = np.where(grow, up_at, down_at)
        value = np.where(grow, up, down)
    path = np.empty((services, steps), dtype=np.int64)
    now, rows = world.initial, np.arange(services)
    for t in range(steps):
        now = choice[t][rows, now].astype(np.int64)
        path[:, t] = now
    return path


def to_desired(ready: Ints, lead_steps: Ints) -> Ints:
    """Ask one lead time ahead for what is to be ready: the moving maximum of the steps to come."""
    desired = ready.copy()
    for ahead in range(1, int(lead_steps.max()) + 1):
        rows = lead_steps >= ahead
        desired[rows, :-ahead] = np.maximum(desired[rows, :-ahead], ready[rows, ahead:])
    return desired


def _running_best(value: Floats) -> tuple[Floats, Ints]:
    """Largest value so far along the last axis, and the latest place where it was reached."""
    best = np.maximum.accumulate(value, axis=1)
    at = np.where(value == best, np.arange(value.shape[1]), 0)
    return best, np.maximum.accumulate(at, axis=1)

"""What really ran, priced as everybody else, and where it may have hidden a larger load."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.contest import Result
from headstart_training.loads.capacity import saturated as cut_off
from headstart_training.simulator import serve, take_profiles

if TYPE_CHECKING:
    from headstart_policy.types import Bools, Floats, Ints
    from headstart_training.backtest.services import Service
    from headstart_training.simulator import World


def ran(service: Service, world: World) -> Result | None:
    """Price what really ran over the test half; ``None`` where it is not known.

    In a gap of the recording the last known replicas stand.
    """
    test = slice(service.half, None)
    if service.actual is None or not all(np.isfinite(p[test]).any() for p in service.actual):
        return None
    billed, ready = (_held(part[test])[None] for part in service.actual)
    # One service at T steps is priced as T services at one.
    each = np.zeros(world.steps, dtype=np.int64)
    came = serve(
        take_profiles(world.profiles, each),
        world.common[each],
        world.rates[0],
        None,
        ready[0],
        billed[0],
    )
    return Result(
        dollars=came.dollars[None],
        violations=np.asarray(came.violation, dtype=np.float64)[None],
        billed=billed,
        desired=billed,
        ready=ready,
        interval=world.profiles.interval,
    )


def saturated(service: Service, capacity: float) -> Bools:
    """Whether a step's rate may have been cut off by what was ready, shape (T,).

    Nothing is flagged where it is unknown what was ready.
    """
    if service.actual is None:
        return np.zeros(len(service.rates), dtype=np.bool_)
    return cut_off(service.rates, service.actual.ready, capacity)


def censor(result: Result, actual: Result, flagged: Bools) -> Result:
    """Give whoever had fewer ready than what ran no more dollars than that in flagged steps.

    The rate there is what the real fleet served, so that a smaller one looks as if it would have
    served nearly all: replaying a lean HPA on min(load, capacity) hid a quarter of its violations.
    """
    leaner = flagged[None] & (result.ready < actual.ready)
    dollars = np.where(leaner, np.minimum(result.dollars, actual.dollars), result.dollars)
    return replace(result, dollars=dollars)


class Distance(NamedTuple):
    """How far a simulated HPA is from what ran."""

    mean_replicas: float
    """Mean of simulated less real replicas."""
    mean_absolute: float
    """Mean distance in replicas."""


def distance(simulated: Ints, real: Ints, counted: Bools) -> Distance:
    """Compare paths of desired replicas, shape (1, T), over the counted steps (T,)."""
    off = (simulated - real)[0][counted]
    return Distance(float(off.mean()), float(np.abs(off).mean()))


def _held(values: Floats) -> Ints:
    known = np.isfinite(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    first = int(np.argmax(known))
    return values[np.where(last >= 0, last, first)].astype(np.int64)

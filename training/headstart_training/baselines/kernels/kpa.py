"""Knative's pod autoscaler, tick by tick."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.baselines.kernels.windows import holds, largest, put, window
from headstart_training.kernels.compiled import compiled

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

_SLACK = 1e-9
_HAIR = 1e-9


class Rules(NamedTuple):
    """A revision's autoscaling annotations; windows in seconds, the delay in ticks."""

    target: float
    """Rate per replica, requests/s."""
    least: int
    most: int
    stable_window: float
    panic_threshold: float
    up_rate: float
    down_rate: float
    delay: int


@compiled
def kpa_path(
    rules: Rules,
    stable: Floats,
    panic: Floats,
    current: int,
    lead: int,
    interval: float,
    tick: float,
) -> Ints:
    """Desired replicas of each step, shape (T,).

    Parameters
    ----------
    rules
        The revision's.
    stable, panic
        Mean rates over the two windows, as known before each step, requests/s, shape (T,).
    current
        Ready replicas before the first step.
    lead
        Steps from asking for a replica to it being ready: the limits on the rate count those.
    interval, tick
        Length of a step, and the time between two decisions [s].
    """
    desired = np.empty(len(stable), dtype=np.int64)
    fewest, delayed = window(lead + 1), window(rules.delay)
    for t in range(-lead, 0):
        put(fewest, t, -current)
    # A new autoscaler panics where there is more than one pod, so that it keeps them.
    panicking, since, panic_pods, ticks = current > 1, 0.0, current, 0
    for t in range(len(stable)):
        # What was asked for all through the last lead time, and still is, is ready.
        longest_ready = -largest(fewest, lead + 1, t, -current)
        until = math.ceil(((t + 1) * interval - _HAIR) / tick)
        decided = False
        while ticks < until:
            if not decided and ticks * tick > t * interval + _HAIR:
                desired[t], decided = current, True
            now, before = ticks * tick, current
            ticks += 1
            if math.isnan(stable[t]) or math.isnan(panic[t]):
                continue
            ready = max(1, min(longest_ready, current))
            highest = math.ceil(rules.up_rate * ready)
            lowest = math.floor(ready / rules.down_rate)
            in_stable = math.ceil(stable[t] / rules.target - _SLACK)
            in_panic = math.ceil(panic[t] / rules.target - _SLACK)
            if in_panic / ready >= rules.panic_threshold:
                panicking, since = True, now
            elif panicking and now - since > rules.stable_window:
                panicking, panic_pods = False, 0
            wanted = min(max(in_stable, lowest), highest)
            if panicking:
                panic_pods = max(panic_pods, wanted, min(max(in_panic, lowest), highest))
                wanted = panic_pods
            held = wanted
            if rules.delay > 0:
                held = largest(delayed, rules.delay, ticks, wanted)
                put(delayed, ticks, wanted)
            current = min(max(held, rules.least), rules.most)
            # Ticks that see the same decide the same, but for the end of a panic or of a delay.
            if (
                not panicking
                and current == before
                and (rules.delay == 0 or holds(delayed, rules.delay, until + 1, wanted))
            ):
                if rules.delay > 0:
                    put(delayed, until, wanted)
                ticks = until
        if not decided:
            desired[t] = current
        put(fewest, t, -desired[t])
    return desired

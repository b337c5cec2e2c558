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
# Places in what is remembered of a panic.
_PANICKING, _SINCE, _PODS = 0, 1, 2


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
def _wanted(
    rules: Rules, stable: float, panic: float, ready: int, now: float, alarm: Floats
) -> int:
    """Decide once, before the delay; ``alarm``: whether, since when, with how many pods."""
    highest = math.ceil(rules.up_rate * ready)
    lowest = math.floor(ready / rules.down_rate)
    in_stable = math.ceil(stable / rules.target - _SLACK)
    in_panic = math.ceil(panic / rules.target - _SLACK)
    if in_panic / ready >= rules.panic_threshold:
        alarm[_PANICKING], alarm[_SINCE] = 1.0, now
    elif alarm[_PANICKING] > 0 and now - alarm[_SINCE] > rules.stable_window:
        alarm[_PANICKING], alarm[_PODS] = 0.0, 0.0
    wanted = min(max(in_stable, lowest), highest)
    if alarm[_PANICKING] > 0:
        wanted = max(int(alarm[_PODS]), wanted, min(max(in_panic, lowest), highest))
        alarm[_PODS] = wanted
    return wanted


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
    alarm = np.array([1.0 if current > 1 else 0.0, 0.0, current])
    ticks = 0
    for t in range(len(stable)):
        # What was asked for all through the last lead time, and still is, is ready.
        longest_ready = -largest(fewest, lead + 1, t, -current)
        first, until = ticks, math.ceil(((t + 1) * interval - _HAIR) / tick)
        desired[t] = current
        while ticks < until:
            if math.isnan(stable[t]) or math.isnan(panic[t]):
                ticks = until
                break
            before, ready = current, max(1, min(longest_ready, current))
            wanted = _wanted(rules, stable[t], panic[t], ready, ticks * tick, alarm)
            held = wanted
            if rules.delay > 0:
                held = largest(delayed, rules.delay, ticks, wanted)
                put(delayed, ticks, wanted)
            current = min(max(held, rules.least), rules.most)
            if ticks == first and ticks * tick <= t * interval + _HAIR:
                desired[t] = current
            ticks += 1
            # Ticks that see the same decide the same, but for the end of a panic or of a delay.
            if (
                alarm[_PANICKING] == 0
                and current == before
                and (rules.delay == 0 or holds(delayed, rules.delay, until, wanted))
            ):
                if rules.delay > 0:
                    put(delayed, until - 1, wanted)
                ticks = until
        put(fewest, t, -desired[t])
    return desired

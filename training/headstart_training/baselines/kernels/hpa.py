"""The HorizontalPodAutoscaler's syncs, one after the other, and KEDA's polls in between."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.baselines.kernels.windows import holds, largest, put, window
from headstart_training.kernels.compiled import compiled

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

# Kubernetes counts replicas in 32 bits.
_MOST_REPLICAS = 2**31 - 1
# Forgives float noise, as headstart_policy.reactive does.
_SLACK = 1e-9
_PODS, _MAX, _MIN, _DISABLED = 0, 0, 1, 2
# scaleUpLimitFactor and scaleUpLimitMinimum of horizontal.go.
_FACTOR, _MINIMUM = 2, 4
# One poll may come a hair before the step that it belongs to.
_HAIR = 1e-9


class Rules(NamedTuple):
    """An HPA in syncs: windows and periods are counted in them."""

    target: float
    """Rate per replica, requests/s."""
    least: int
    most: int
    down_tolerance: float
    up_tolerance: float
    plain: bool
    """Without ``behavior``: the controller's own limit on scaling up, none on scaling down."""
    up_window: int
    down_window: int
    up_select: int
    """0 Max, 1 Min, 2 Disabled."""
    down_select: int


@compiled
def _longest(up: Ints, down: Ints) -> int:
    """Longest period of the policies, whose rows are kind (0 Pods, 1 Percent), value, period."""
    longest = 1
    for row in range(len(up)):
        longest = max(longest, up[row, 2])
    for row in range(len(down)):
        longest = max(longest, down[row, 2])
    return longest


@compiled
def _wanted(rules: Rules, current: int, demand: float) -> int:
    """GetExternalPerPodMetricReplicas, the metric given in replicas at its target."""
    lowest = (1 - rules.down_tolerance - _SLACK) * current
    if lowest <= demand <= (1 + rules.up_tolerance + _SLACK) * current:
        return current
    return int(min(math.ceil(demand - _SLACK), _MOST_REPLICAS))


@compiled
def _limited(
    rules: Rules, up: Ints, down: Ints, changes: Ints, now: int, current: int, stable: int
) -> int:
    """convertDesiredReplicasWithBehaviorRate, after the windows."""
    if stable > current:
        limit = _up_limit(up, rules.up_select, changes, now, current)
        return min(stable, rules.most, max(limit, current))
    if stable < current:
        limit = _down_limit(down, rules.down_select, changes, now, current)
        return max(stable, rules.least, min(limit, current))
    return stable


@compiled
def _up_limit(policies: Ints, select: int, changes: Ints, now: int, current: int) -> int:
    if select == _DISABLED:
        return current
    chosen = -1 if select == _MAX else _MOST_REPLICAS
    for row in range(len(policies)):
        kind, value, period = policies[row, 0], policies[row, 1], policies[row, 2]
        start = current - _changed(changes, now, period)
        limit = start + value if kind == _PODS else math.ceil(start * (1 + value / 100))
        chosen = max(chosen, limit) if select == _MAX else min(chosen, limit)
    return chosen if len(policies) > 0 else _MOST_REPLICAS


@compiled
def _down_limit(policies: Ints, select: int, changes: Ints, now: int, current: int) -> int:
    if select == _DISABLED:
        return current
    chosen = _MOST_REPLICAS if select == _MAX else -1
    for row in range(len(policies)):
        kind, value, period = policies[row, 0], policies[row, 1], policies[row, 2]
        start = current - _changed(changes, now, period)
        limit = start - value if kind == _PODS else int(start * (1 - value / 100))
        chosen = min(chosen, limit) if select == _MAX else max(chosen, limit)
    return chosen if len(policies) > 0 else 0


@compiled
def _changed(changes: Ints, now: int, period: int) -> int:
    """Replicas added less removed within the period before this sync."""
    total = 0
    for ago in range(1, min(period, now + 1)):
        total += changes[(now - ago) % len(changes)]
    return total


@compiled
def _sync(
    rules: Rules,
    up: Ints,
    down: Ints,
    highs: Ints,
    lows: Ints,
    changes: Ints,
    now: int,
    current: int,
    demand: float,
) -> int:
    """Decide once; ``now`` counts the syncs, ``lows`` holds negated recommendations."""
    desired = current
    if current > rules.most:
        desired = rules.most
    elif current < rules.least:
        desired = rules.least
    elif not math.isnan(demand):
        wanted = _wanted(rules, current, demand)
        highest = largest(highs, rules.down_window, now, wanted)
        put(highs, now, wanted)
        if rules.plain:
            limit = min(rules.most, max(_FACTOR * current, _MINIMUM))
            desired = max(rules.least, min(highest, limit))
        else:
            lowest = wanted
            if rules.up_window > 0:
                lowest = -largest(lows, rules.up_window, now, -wanted)
                put(lows, now, -wanted)
            stable = min(max(current, lowest), highest)
            desired = _limited(rules, up, down, changes, now, current, stable)
    if len(changes) > 1:  # A period of one sync counts none but this one.
        changes[now % len(changes)] = desired - current
    return desired


@compiled
def hpa_path(
    rules: Rules,
    up: Ints,
    down: Ints,
    metric: Floats,
    current: int,
    interval: float,
    sync: float,
) -> Ints:
    """Desired replicas of each step, on what is known before each.

    Parameters
    ----------
    rules
        In syncs.
    up, down
        Policies of ``behavior``: rows of kind (0 Pods, 1 Percent), value and period; shape (P, 3).
    metric
        Requests/s, shape (T,); NaN: there is no metric, and nothing is changed.
    current
        Replicas before the first step.
    interval, sync
        Length of a step, and the time between two syncs [s].
    """
    desired = np.empty(len(metric), dtype=np.int64)
    highs, lows = window(rules.down_window), window(rules.up_window)
    changes = np.zeros(_longest(up, down), dtype=np.int64)
    put(highs, 0, current)  # recordInitialRecommendation
    put(lows, 0, -current)
    # Without policies that count over time, equal syncs decide equally until a want is forgotten.
    steady = rules.up_window == 0 and len(changes) == 1
    syncs = 0
    for t in range(len(metric)):
        demand = metric[t] / rules.target
        if syncs * sync <= t * interval + _HAIR:
            current = _sync(rules, up, down, highs, lows, changes, syncs, current, demand)
            syncs += 1
        desired[t] = current
        # The syncs that come before the next figure.
        until = math.ceil(((t + 1) * interval - _HAIR) / sync)
        while syncs < until:
            before = current
            current = _sync(rules, up, down, highs, lows, changes, syncs, current, demand)
            syncs += 1
            if steady and current == before and not math.isnan(demand):
                wanted = _wanted(rules, current, demand)
                if holds(highs, rules.down_window, until, wanted):
                    put(highs, until - 1, wanted)
                    syncs = until
    return desired


@compiled
def keda_path(
    rules: Rules,
    up: Ints,
    down: Ints,
    metric: Floats,
    current: int,
    interval: float,
    sync: float,
    polling: float,
    activation: float,
    cooldown: float,
) -> Ints:
    """As :func:`hpa_path`, with KEDA's operator between 0 replicas and ``rules.least``."""
    desired = np.empty(len(metric), dtype=np.int64)
    highs, lows = window(rules.down_window), window(rules.up_window)
    changes = np.zeros(_longest(up, down), dtype=np.int64)
    put(highs, 0, current)
    put(lows, 0, -current)
    syncs, polls, before, last_active = 0, 0, math.nan, 0.0
    for t in range(len(metric)):
        moment, newest = t * interval, metric[t] / rules.target
        while min(syncs * sync, polls * polling) <= moment + _HAIR:
            now = min(syncs * sync, polls * polling)
            known = newest if now >= moment - _HAIR else before
            if polls * polling <= now:
                polls += 1
                if known * rules.target > activation:
                    last_active = now
                    current = rules.least if current == 0 else current
                elif now - last_active > cooldown and not math.isnan(known):
                    current = 0
            if syncs * sync <= now:
                # At 0 replicas the controller says ScalingDisabled and computes nothing.
                if current > 0:
                    current = _sync(rules, up, down, highs, lows, changes, syncs, current, known)
                else:
                    changes[syncs % len(changes)] = 0
                syncs += 1
        desired[t], before = current, newest
    return desired

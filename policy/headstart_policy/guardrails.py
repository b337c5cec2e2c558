"""Recommendation -> desired replicas: one small function per guardrail, in a fixed order.

The order is that of :data:`ORDER`. A later guardrail may undercut an earlier one (``maxReplicas``
below the reactive floor); both verdicts stay visible.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy import behavior as behaviors
from headstart_policy.behavior import Behavior, Memory
from headstart_policy.reactive import reactive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headstart_policy.types import Bools, Floats, Ints

# A rate older than this many intervals is lost: one late scrape is not, a minute at 15 s is.
FRESH_INTERVALS = 4
# What decides where the policy must not: the utilisation most HPAs are set to.
FALLBACK_UTILIZATION = 0.7


class LossAction(StrEnum):
    """What to do when the rate stays lost."""

    HOLD = "Hold"
    REACTIVE = "Reactive"
    REPLICAS = "Replicas"


@dataclass(frozen=True)
class MetricLoss:
    """After ``after`` seconds without a rate do ``action``; ``replicas`` belongs to Replicas."""

    after: float = 120.0
    action: LossAction = LossAction.HOLD
    replicas: int | None = None

    def __post_init__(self) -> None:
        """Refuse an action without its number."""
        if (self.action is LossAction.REPLICAS) != (self.replicas is not None):
            raise ValueError("onMetricLoss.replicas must be set exactly when action is 'Replicas'")


@dataclass(frozen=True)
class Guardrails:
    """The limits of one service.

    Raises
    ------
    ValueError
        ``min_replicas`` exceeds ``max_replicas``, or the floor's utilisation is not in (0, 1].
    """

    max_replicas: int
    min_replicas: int = 1
    floor_utilization: float = 0.9
    behavior: Behavior = field(default_factory=Behavior)
    metric_loss: MetricLoss = field(default_factory=MetricLoss)

    def __post_init__(self) -> None:
        """Refuse limits that contradict each other."""
        if not 0 <= self.min_replicas <= self.max_replicas:
            raise ValueError(
                f"minReplicas = {self.min_replicas}, must be in [0, {self.max_replicas}]"
            )
        if not 0.0 < self.floor_utilization <= 1.0:
            raise ValueError(
                f"reactiveFloor.utilization = {self.floor_utilization}, must be in (0, 1]"
            )


@dataclass(frozen=True)
class Situation:
    """What guardrails may look at, for N services at one instant.

    Attributes
    ----------
    now
        Seconds since the epoch, shape (N,).
    interval
        Between two decisions, s, shape (N,).
    current
        Replicas asked for at present, shape (N,).
    rate, rate_age
        Newest known rate, requests/s (NaN: never one), and its age in s; shape (N,).
    peak
        :func:`headstart_policy.observation.recent_peak`, shape (N,).
    capacity
        Requests/s per replica, shape (N,).
    history_loaded
        Whether all of the past that Prometheus has was read, shape (N,).
    outside
        Which bound of the envelope was left, ``None`` inside, for each service.
    limits
        The guardrails of each service.
    memories
        What ``behavior`` remembers of each service.
    raise_only
        Why a service may be raised but not lowered, ``None`` where it may; nothing means none.
    """

    now: Floats
    interval: Floats
    current: Ints
    rate: Floats
    rate_age: Floats
    peak: Floats
    capacity: Floats
    history_loaded: Bools
    outside: Sequence[str | None]
    limits: Sequence[Guardrails]
    memories: Sequence[Memory]
    raise_only: Sequence[str | None] = ()

    @cached_property
    def _distinct(self) -> tuple[list[Guardrails], Ints]:
        """Limits that are told apart, and which of them each service has: a path's rows share."""
        keys = list(map(id, self.limits))
        distinct = dict(zip(keys, self.limits, strict=True))
        order = {key: k for k, key in enumerate(distinct)}
        rows = np.fromiter(map(order.__getitem__, keys), dtype=np.int64, count=len(keys))
        return list(distinct.values()), rows

    def settings(self, read: Callable[[Guardrails], float]) -> Floats:
        """Read one number of every service's limits, shape (N,)."""
        distinct, rows = self._distinct
        return np.array([read(limit) for limit in distinct], dtype=np.float64)[rows]

    @property
    def reactive(self) -> Ints:
        """What the reactive formula wants, shape (N,)."""
        return reactive(np.fmax(self.rate, self.peak), self.capacity, FALLBACK_UTILIZATION)

    @property
    def floor(self) -> Ints:
        """What the newest rate needs right now, shape (N,)."""
        utilization = self.settings(lambda limit: limit.floor_utilization)
        return reactive(self.rate, self.capacity, utilization)

    @property
    def bounds(self) -> tuple[Ints, Ints]:
        """``minReplicas`` and ``maxReplicas``, each of shape (N,)."""
        least = self.settings(lambda limit: limit.min_replicas).astype(np.int64)
        return least, self.settings(lambda limit: limit.max_replicas).astype(np.int64)

    @property
    def lost(self) -> Bools:
        """Whether the rate is too old to decide on, shape (N,)."""
        return ~(self.rate_age <= FRESH_INTERVALS * self.interval)


class Verdict(NamedTuple):
    """What one guardrail made of N desired counts; ``reason(i)`` says why for service i."""

    guardrail: str
    before: Ints
    after: Ints
    reason: Callable[[int], str]


def metric_loss(desired: Ints, at: Situation) -> Verdict:
    """Hold while the rate is lost; after a while act, but never downwards.

    KEDA reads no data as zero by default, and its fallback replicas lowered fleets at their peak.
    """
    lost = at.lost
    long = lost & (at.rate_age > at.settings(lambda limit: limit.metric_loss.after))
    fixed = at.settings(lambda limit: limit.metric_loss.replicas or 0).astype(np.int64)
    formula = at.settings(lambda limit: limit.metric_loss.action is LossAction.REACTIVE) > 0
    # Those without a fixed number have 0 of them.
    target = np.where(long, np.where(formula, at.reactive, fixed), 0)
    after = np.where(lost, np.maximum(at.current, target), desired)

    def reason(i: int) -> str:
        if not np.isfinite(at.rate_age[i]):
            return "no rate is known yet: the replicas are held"
        what = at.limits[i].metric_loss.action if long[i] else LossAction.HOLD
        return f"the newest rate is {at.rate_age[i]:.0f} s old: {what}, never fewer"

    return Verdict("onMetricLoss", desired, after, reason)


def history(desired: Ints, at: Situation) -> Verdict:
    """Hold or raise until the past is loaded: half a history can look like a falling load."""
    after = np.where(at.history_loaded, desired, np.maximum(desired, at.current))
    return Verdict("history", desired, after, lambda _: "the history is still being loaded")


def envelope(desired: Ints, at: Situation) -> Verdict:
    """Outside of what the policy was trained for the reactive formula decides."""
    outside = np.array([reason is not None for reason in at.outside], dtype=bool)
    # While the rate is lost, the formula would work on a rate that is not there.
    after = np.where(outside & ~at.lost & at.history_loaded, at.reactive, desired)
    return Verdict(
        "envelope", desired, after, lambda i: f"{at.outside[i]}: the reactive formula decides"
    )


def reactive_floor(desired: Ints, at: Situation) -> Verdict:
    """Never ask for fewer than the newest rate needs right now."""
    utilization = at.settings(lambda limit: limit.floor_utilization)
    floor = at.floor
    return Verdict(
        "reactiveFloor",
        desired,
        np.maximum(desired, floor),
        lambda i: (
            f"{at.rate[i]:.4g} requests/s at {utilization[i]:.0%} of {at.capacity[i]:.4g} "
            f"each need {floor[i]}"
        ),
    )


def raise_only(desired: Ints, at: Situation) -> Verdict:
    """Never lower a service that the caller has a reason to be careful with.

    It comes after the envelope: the reactive formula may ask for fewer too.
    """
    reasons = at.raise_only or [None] * len(at.current)
    careful = np.array([reason is not None for reason in reasons], dtype=bool)
    after = np.where(careful, np.maximum(desired, at.current), desired)
    return Verdict("raiseOnly", desired, after, lambda i: str(reasons[i]))


def behavior(desired: Ints, at: Situation) -> Verdict:
    """Limit speed and eagerness as autoscaling/v2 does."""
    after = desired.copy()
    limited = at.settings(lambda limit: limit.behavior != _UNLIMITED)
    for i in np.flatnonzero(limited).tolist():
        after[i] = behaviors.apply(
            at.limits[i].behavior,
            at.memories[i],
            float(at.now[i]),
            int(at.current[i]),
            int(desired[i]),
        )
    return Verdict(
        "behavior",
        desired,
        after,
        lambda i: f"{'scaleUp' if desired[i] > after[i] else 'scaleDown'} rules",
    )


def bounds(desired: Ints, at: Situation) -> Verdict:
    """Stay within minReplicas and maxReplicas, whatever was decided before."""
    least, most = at.bounds
    return Verdict(
        "bounds",
        desired,
        np.clip(desired, least, most),
        lambda i: (
            f"maxReplicas = {most[i]}" if desired[i] > most[i] else f"minReplicas = {least[i]}"
        ),
    )


ORDER: tuple[Callable[[Ints, Situation], Verdict], ...] = (
    metric_loss,
    history,
    envelope,
    reactive_floor,
    raise_only,
    behavior,
    bounds,
)

_UNLIMITED = Behavior()


def allowed(desired: Ints, at: Situation) -> Ints:
    """What is left of each of C candidates' wishes, shape (N, C), by the rules without a memory.

    Holding, raising only and ``behavior`` depend on what ran before; all candidates meet them
    alike, so they do not tell one from another.
    """
    outside = np.array([reason is not None for reason in at.outside], dtype=bool)
    least, most = at.bounds
    inside = np.where(outside[:, None], at.reactive[:, None], desired)
    floored = np.maximum(inside, at.floor[:, None])
    limited: Ints = np.clip(floored, least[:, None], most[:, None])
    return limited


def guard(recommendation: Ints, at: Situation) -> list[Verdict]:
    """Pass N recommendations through every guardrail; the last verdict's ``after`` is desired."""
    verdicts: list[Verdict] = []
    desired = recommendation
    for guardrail in ORDER:
        verdict = guardrail(desired, at)
        verdicts.append(verdict)
        desired = verdict.after
    return verdicts

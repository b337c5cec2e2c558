"""Recommendation -> desired replicas: one small function per guardrail, in a fixed order.

The order is that of :data:`ORDER`. A later guardrail may undercut an earlier one (``maxReplicas``
below the reactive floor); both verdicts stay visible, and the later one says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy import behavior as behaviors
from headstart_policy.behavior import NO_LIMIT, Behavior, Memory
from headstart_policy.pins import Block
from headstart_policy.reactive import reactive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headstart_policy.activation import Activation
    from headstart_policy.known_events import Floor
    from headstart_policy.pins import Pause
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


class Headroom(NamedTuple):
    """At most so many replicas fit, and why."""

    replicas: int
    reason: str


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
    demoted
        Why the policy has lost its say, ``None`` where it has it; nothing means none.
    events
        What known events ask for, ``None`` where there is none; nothing means none.
    pauses
        The order that is in force now, ``None`` where there is none; nothing means none.
    quotas
        What the namespace's quotas leave room for, ``None``: all; nothing means none.
    activations
        Of services that may sleep, ``None`` where they may not; nothing means none.
    watched
        For how long the rate has been asked for, s, shape (N,): one that has no age is lost for as
        long. ``None``: for ever.
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
    demoted: Sequence[str | None] = ()
    events: Sequence[Floor | None] = ()
    pauses: Sequence[Pause | None] = ()
    quotas: Sequence[Headroom | None] = ()
    activations: Sequence[Activation | None] = ()
    watched: Floats | None = None

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

    @cached_property
    def reactive(self) -> Ints:
        """What the reactive formula wants, shape (N,)."""
        return reactive(np.fmax(self.rate, self.peak), self.capacity, FALLBACK_UTILIZATION)

    @cached_property
    def floor(self) -> Ints:
        """What the newest rate needs right now, shape (N,)."""
        utilization = self.settings(lambda limit: limit.floor_utilization)
        return reactive(self.rate, self.capacity, utilization)

    @cached_property
    def bounds(self) -> tuple[Ints, Ints]:
        """``minReplicas`` and ``maxReplicas``, each of shape (N,)."""
        least = self.settings(lambda limit: limit.min_replicas).astype(np.int64)
        return least, self.settings(lambda limit: limit.max_replicas).astype(np.int64)

    @cached_property
    def lost(self) -> Bools:
        """Whether the rate is too old to decide on, shape (N,)."""
        return ~(self.rate_age <= FRESH_INTERVALS * self.interval)

    @cached_property
    def long_lost(self) -> Bools:
        """Whether the rate is lost for longer than ``onMetricLoss.after``, shape (N,)."""
        after = self.settings(lambda limit: limit.metric_loss.after)
        watched = np.inf if self.watched is None else self.watched
        # Prometheus may be away when an operator starts: that is no loss since ever.
        lost_for = np.where(np.isfinite(self.rate_age), self.rate_age, watched)
        return self.lost & ~(lost_for <= after)

    @property
    def event_floor(self) -> Ints:
        """What known events ask for; 0 where there is none, shape (N,)."""
        return np.array([e.replicas if e else 0 for e in self.events], dtype=np.int64)

    def blocked(self, *blocks: Block) -> Bools:
        """Whether an order without a pin holds back one of ``blocks``, shape (N,)."""
        return np.array([p is not None and p.block in blocks for p in self.pauses], dtype=bool)


class Verdict(NamedTuple):
    """What one guardrail made of N desired counts; ``reason(i)`` says why for service i.

    ``least`` and ``most`` are what it insists on whether or not it had to change anything, shape
    (N,); ``None``: nothing. A later guardrail that goes past them says so.
    """

    guardrail: str
    before: Ints
    after: Ints
    reason: Callable[[int], str]
    least: Ints | None = None
    most: Ints | None = None


def _given(values: Sequence[object | None]) -> Bools:
    """Whether there is a value, shape (N,)."""
    return np.array([value is not None for value in values], dtype=bool)


def _silent(guardrail: str, desired: Ints) -> Verdict:
    """Say nothing: nobody gave it anything to say, which is the usual case."""
    return Verdict(guardrail, desired, desired, str)


def metric_loss(desired: Ints, at: Situation) -> Verdict:
    """Hold while the rate is lost; after a while act, but never downwards.

    KEDA reads no data as zero by default, and its fallback replicas lowered fleets at their peak.
    """
    lost, long = at.lost, at.long_lost
    fixed = at.settings(lambda limit: limit.metric_loss.replicas or 0).astype(np.int64)
    formula = at.settings(lambda limit: limit.metric_loss.action is LossAction.REACTIVE) > 0
    # Those without a fixed number have 0 of them.
    target = np.where(long, np.where(formula, at.reactive, fixed), 0)
    held = np.maximum(at.current, target)

    def reason(i: int) -> str:
        what = at.limits[i].metric_loss.action if long[i] else LossAction.HOLD
        if not np.isfinite(at.rate_age[i]):
            holds = what is LossAction.HOLD
            return f"no rate is known yet: {'the replicas are held' if holds else what}"
        return f"the newest rate is {at.rate_age[i]:.0f} s old: {what}, never fewer"

    after = np.where(lost, held, desired)
    return Verdict("onMetricLoss", desired, after, reason, least=np.where(lost, held, 0))


def history(desired: Ints, at: Situation) -> Verdict:
    """Hold or raise until the past is loaded: half a history can look like a falling load."""
    least = np.where(at.history_loaded, 0, at.current)
    return Verdict(
        "history",
        desired,
        np.maximum(desired, least),
        lambda _: "the history is still being loaded",
        least=least,
    )


def envelope(desired: Ints, at: Situation) -> Verdict:
    """Outside of what the policy was trained for the reactive formula decides."""
    # While the rate is lost, the formula would work on a rate that is not there.
    outside = _given(at.outside) & ~at.lost & at.history_loaded
    return Verdict(
        "envelope",
        desired,
        np.where(outside, at.reactive, desired),
        lambda i: f"{at.outside[i]}: the reactive formula decides",
    )


def demotion(desired: Ints, at: Situation) -> Verdict:
    """Where the policy has cost more than the reactive formula would have, the formula decides."""
    if not at.demoted:
        return _silent("demotion", desired)
    demoted = _given(at.demoted) & ~at.lost & at.history_loaded
    return Verdict(
        "demotion",
        desired,
        np.where(demoted, at.reactive, desired),
        lambda i: f"{at.demoted[i]}: the reactive formula decides",
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
        least=floor,
    )


def events(desired: Ints, at: Situation) -> Verdict:
    """Never ask for fewer than people know that an event needs."""
    if not at.events:
        return _silent("events", desired)
    floor = at.event_floor
    return Verdict(
        "events",
        desired,
        np.maximum(desired, floor),
        lambda i: event.reason if (event := at.events[i]) else "",
        least=floor,
    )


def raise_only(desired: Ints, at: Situation) -> Verdict:
    """Never lower a service that the caller has a reason to be careful with.

    It comes after the envelope: the reactive formula may ask for fewer too.
    """
    if not at.raise_only:
        return _silent("raiseOnly", desired)
    least = np.where(_given(at.raise_only), at.current, 0)
    return Verdict(
        "raiseOnly",
        desired,
        np.maximum(desired, least),
        lambda i: str(at.raise_only[i]),
        least=least,
    )


def behavior(desired: Ints, at: Situation) -> Verdict:
    """Limit speed and eagerness as autoscaling/v2 does."""
    limited = np.flatnonzero(at.settings(lambda limit: limit.behavior.limits))
    if not limited.size:
        return _silent("behavior", desired)
    after = desired.copy()
    for i in limited.tolist():
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
        lambda i: behaviors.why(
            at.limits[i].behavior,
            at.memories[i],
            float(at.now[i]),
            int(at.current[i]),
            int(desired[i]),
        ),
    )


def block(desired: Ints, at: Situation) -> Verdict:
    """Hold back the direction that someone has blocked."""
    if not at.pauses:
        return _silent("block", desired)
    least = np.where(at.blocked(Block.DOWN), at.current, 0)
    most = np.where(at.blocked(Block.UP), at.current, NO_LIMIT)
    return Verdict(
        "block",
        desired,
        np.clip(desired, least, most),
        lambda i: f"{pause.block} blocked {pause.message}" if (pause := at.pauses[i]) else "",
        least=least,
        most=most,
    )


def quota(desired: Ints, at: Situation) -> Verdict:
    """Ask for no more than the namespace's quotas admit: such pods would not be created.

    Upward only: a quota that was lowered below what runs evicts nothing, and neither do we.
    """
    if not at.quotas:
        return _silent("quota", desired)
    room = np.array([q.replicas if q else NO_LIMIT for q in at.quotas], dtype=np.int64)
    most = np.maximum(room, at.current)
    return Verdict(
        "quota",
        desired,
        np.minimum(desired, most),
        lambda i: left.reason if (left := at.quotas[i]) else "",
        most=most,
    )


def activation(desired: Ints, at: Situation) -> Verdict:
    """Let a service that may sleep sleep, and wake it at once.

    It comes after ``behavior``: a stabilisation window of the way up would keep a service asleep
    while requests wait, one of the way down keep it awake for ``idleFor`` and longer.
    """
    if not at.activations:
        return _silent("activation", desired)
    after = desired.copy()
    reasons: dict[int, str] = {}
    long_lost, careful = at.long_lost, _careful(at)
    for i in np.flatnonzero(_given(at.activations)).tolist():
        one = at.activations[i]
        pause = at.pauses[i] if at.pauses else None
        if one is None or (pause and pause.block is Block.UP and not at.current[i]):
            continue
        if one.wanted or (at.events and at.events[i]):
            after[i], reasons[i] = max(1, desired[i]), one.reason if one.wanted else "a known event"
        elif long_lost[i]:
            after[i], reasons[i] = max(1, desired[i]), "without a rate nobody knows who waits"
        elif not careful[i] or not at.current[i]:
            rules, memory = at.limits[i].behavior, at.memories[i]
            lowest = behaviors.lowest(rules, memory, float(at.now[i]), int(at.current[i]))
            after[i], reasons[i] = min(lowest, desired[i]), one.reason
    return Verdict("activation", desired, after, lambda i: reasons.get(i, ""))


def _careful(at: Situation) -> Bools:
    """Whether something speaks against fewer replicas however idle a service is, shape (N,)."""
    careful = at.lost | ~at.history_loaded
    if at.raise_only:
        careful |= _given(at.raise_only)
    if at.pauses:
        careful |= at.blocked(Block.DOWN)
    return careful


def pin(desired: Ints, at: Situation) -> Verdict:
    """Do what someone has ordered until then, instead of all that was decided before."""
    if not at.pauses:
        return _silent("pin", desired)
    pins = np.array([-1 if p is None or p.replicas is None else p.replicas for p in at.pauses])
    ordered = np.where(pins < 0, at.current, pins)
    return Verdict(
        "pin",
        desired,
        np.where(at.blocked(Block.ALL), ordered, desired),
        lambda i: (
            f"{'paused' if pins[i] < 0 else 'pinned'} {pause.message}"
            if (pause := at.pauses[i])
            else ""
        ),
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
    demotion,
    reactive_floor,
    events,
    raise_only,
    behavior,
    block,
    quota,
    activation,
    pin,
    bounds,
)


def allowed(desired: Ints, at: Situation) -> Ints:
    """What is left of each of C candidates' wishes, shape (N, C), by the rules without a memory.

    Holding, raising only and ``behavior`` depend on what ran before; all candidates meet them
    alike, so they do not tell one from another. Nor do demotion, pauses, quotas and sleep: a
    candidate is judged by what it asks for while it is asked.
    """
    least, most = at.bounds
    inside = np.where(_given(at.outside)[:, None], at.reactive[:, None], desired)
    floor = np.maximum(at.floor, at.event_floor) if at.events else at.floor
    limited: Ints = np.clip(np.maximum(inside, floor[:, None]), least[:, None], most[:, None])
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


def undercut(verdicts: Sequence[Verdict], last: int, i: int) -> str:
    """Name what earlier guardrails insisted on and verdict ``last`` goes past, for service i.

    Nothing where it goes past nothing; else it begins with a comma, to follow a reason. What a
    verdict in between has gone past already is told there.
    """
    before, after = int(verdicts[last].before[i]), int(verdicts[last].after[i])
    passed = []
    for verdict in verdicts[:last]:
        whose = verdict.guardrail + ("'" if verdict.guardrail.endswith("s") else "'s")
        if verdict.least is not None and after < verdict.least[i] <= before:
            passed.append(f"under the {whose} {verdict.least[i]}")
        elif verdict.most is not None and before <= verdict.most[i] < after:
            passed.append(f"over the {whose} {verdict.most[i]}")
    return f", {' and '.join(passed)}" if passed else ""

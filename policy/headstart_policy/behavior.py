"""``spec.behavior`` of autoscaling/v2: how fast, and how eagerly, replicas may change.

Follows ``convertDesiredReplicasWithBehaviorRate`` of Kubernetes' podautoscaler controller
(https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/controller/podautoscaler/horizontal.go).
Unlike there, the default is no limit and no window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

# Kubernetes counts replicas in 32 bits.
NO_LIMIT = 2**31 - 1


class Select(StrEnum):
    """Which of several policies counts."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True)
class Policy:
    """At most ``value`` pods, or percent of the replicas, changed in ``period`` seconds."""

    kind: str
    value: int
    period: float

    def __post_init__(self) -> None:
        """Refuse a kind that autoscaling/v2 does not know."""
        if self.kind not in {"Pods", "Percent"}:
            raise ValueError(f"policies[].type = {self.kind!r}, must be 'Pods' or 'Percent'")


@dataclass(frozen=True)
class Rules:
    """Rules of one direction.

    Attributes
    ----------
    window
        The stabilisation window, s.
    policies, select
        How fast, and which of several limits counts.
    tolerance
        A change by no more than this share of the replicas is none. The HPA's is of its figure
        over the target; whole replicas are the figure here, at a target of 1.
    """

    window: float = 0.0
    policies: tuple[Policy, ...] = ()
    select: Select = Select.MAX
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a tolerance that is none."""
        if not self.tolerance >= 0.0:
            raise ValueError(f"behavior tolerance = {self.tolerance}, must be at least 0")


@dataclass(frozen=True)
class Behavior:
    """Rules for scaling up and for scaling down."""

    up: Rules = field(default_factory=Rules)
    down: Rules = field(default_factory=Rules)

    @cached_property
    def limits(self) -> bool:
        """Whether the rules ever change anything."""
        return self != Behavior()

    @property
    def horizon(self) -> float:
        """Seconds of the past that the rules look at."""
        periods = [policy.period for rules in (self.up, self.down) for policy in rules.policies]
        return max(self.up.window, self.down.window, *periods, 0.0)


class Sample(NamedTuple):
    """A number of replicas (or a change of them) and when it was."""

    time: float
    replicas: int


@dataclass(frozen=True)
class Memory:
    """What the rules need of the past, and Prometheus cannot give back.

    ``recommendations`` are what was wanted; ``changes`` are by how much the replicas were changed.
    """

    recommendations: tuple[Sample, ...] = ()
    changes: tuple[Sample, ...] = ()

    def after(self, now: float, wanted: int, change: int, horizon: float) -> Memory:
        """Add one decision and forget what no rule looks at any more."""
        if horizon <= 0:
            return Memory()
        changes = (*self.changes, Sample(now, change)) if change else self.changes
        return Memory(
            _between(now - horizon, now, _thin((*self.recommendations, Sample(now, wanted)))),
            _between(now - horizon, now, changes),
        )

    def to_json(self) -> dict[str, Any]:
        """Turn into plain lists; the inverse is :meth:`from_json`."""
        return {
            "recommendations": [list(sample) for sample in self.recommendations],
            "changes": [list(sample) for sample in self.changes],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Memory:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError, TypeError
            The document is not a memory.
        """
        return cls(
            *(
                tuple(Sample(float(time), int(count)) for time, count in document.get(key, ()))
                for key in ("recommendations", "changes")
            )
        )


def apply(behavior: Behavior, memory: Memory, now: float, current: int, wanted: int) -> int:
    """Limit a change from ``current`` to ``wanted`` replicas at ``now`` seconds."""
    wanted = tolerated(behavior, current, wanted)
    stable = _stabilize(behavior, memory, now, current, wanted)
    if stable > current:
        return min(stable, _up_limit(behavior.up, memory, now, current))
    if stable < current:
        return max(stable, _down_limit(behavior.down, memory, now, current))
    return stable


def tolerated(behavior: Behavior, current: int, wanted: int) -> int:
    """Want no change where it would be a small one; from 0 replicas every change is large."""
    if current == 0:
        return wanted
    ratio = wanted / current
    calm = 1.0 - behavior.down.tolerance <= ratio <= 1.0 + behavior.up.tolerance
    return current if calm else wanted


def why(behavior: Behavior, memory: Memory, now: float, current: int, wanted: int) -> str:
    """Say which rule kept :func:`apply` from going to ``wanted`` replicas, in the spec's words."""
    side = "scaleUp" if wanted > current else "scaleDown"
    rules = behavior.up if wanted > current else behavior.down
    if tolerated(behavior, current, wanted) != wanted:
        return f"{side}.tolerance = {rules.tolerance:g}: {wanted} instead of {current} is no change"
    stable = _stabilize(behavior, memory, now, current, wanted)
    if stable == apply(behavior, memory, now, current, wanted):
        which = "least" if wanted > current else "most"
        window = f"{side}.stabilizationWindowSeconds = {rules.window:g}"
        return f"{window}: the {which} that was wanted within it counts"
    if rules.select is Select.DISABLED:
        return f"{side}.selectPolicy = Disabled"
    return f"{side}.policies"


def lowest(behavior: Behavior, memory: Memory, now: float, current: int) -> int:
    """Go down as far as the policies allow, whatever was wanted in the window."""
    return _down_limit(behavior.down, memory, now, current)


def _stabilize(behavior: Behavior, memory: Memory, now: float, current: int, wanted: int) -> int:
    """Go up only to the least, down only to the most that was wanted in the window."""

    def within(window: float) -> list[int]:
        return [s.replicas for s in memory.recommendations if s.time > now - window]

    least = min([wanted, *within(behavior.up.window)])
    most = max([wanted, *within(behavior.down.window)])
    return min(max(current, least), most)


def _up_limit(rules: Rules, memory: Memory, now: float, current: int) -> int:
    if rules.select is Select.DISABLED:
        return current
    if not rules.policies:
        return NO_LIMIT
    limits = []
    for policy in rules.policies:
        start = current - _changed(memory, now - policy.period)
        if policy.kind == "Pods":
            limits.append(start + policy.value)
        else:
            # 100 % of 0 replicas would lock a service at zero; Kubernetes rounds up as well.
            limits.append(math.ceil(start * (1 + policy.value / 100)))
    chosen = max(limits) if rules.select is Select.MAX else min(limits)
    return max(chosen, current)


def _down_limit(rules: Rules, memory: Memory, now: float, current: int) -> int:
    if rules.select is Select.DISABLED:
        return current
    if not rules.policies:
        return 0
    limits = []
    for policy in rules.policies:
        start = current - _changed(memory, now - policy.period)
        if policy.kind == "Pods":
            limits.append(start - policy.value)
        else:
            limits.append(int(start * (1 - policy.value / 100)))
    chosen = min(limits) if rules.select is Select.MAX else max(limits)
    return min(chosen, current)


def _changed(memory: Memory, since: float) -> int:
    return sum(sample.replicas for sample in memory.changes if sample.time > since)


def _thin(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Keep of equal neighbours only the newest, so that a quiet hour is one sample, not 240."""
    if len(samples) > 1 and samples[-2].replicas == samples[-1].replicas:
        return (*samples[:-2], samples[-1])
    return samples


def _between(start: float, end: float, samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    # What is from the future was noted by a clock that was set back since: it would never be old.
    return tuple(sample for sample in samples if start < sample.time <= end)

"""How long starts of a workload really take, and the lead time to plan with."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_operator.workloads.starts import Start
from headstart_operator.workloads.survival import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

# Fewer starts than these say too little, more than those say what the service once was.
FEWEST_STARTS = 5
MOST_STARTS = 32
# Plan with a quantile: half of the replicas would be late for a plan with the median.
QUANTILE = 0.9
MEDIAN = 0.5
# Keep the plan until it is wrong by more than this: the history's grids hang on it. Pods tell
# whole seconds, so two timestamps are worth two.
TOLERANCE = 0.2
TIMESTAMP_ERROR = 2.0
# A release that changed the lead time is told of for so long, s: until whoever looks once a day
# has seen it.
CHANGE_LASTS = 86_400.0

# Kubernetes allows a label's value so many characters.
LONGEST_LABEL = 63
# Longer than this no start takes, s: a memory that says so was not written by us.
LONGEST = 1e7


class Change(NamedTuple):
    """A template whose starts take another time than those of the one before."""

    time: float
    """When it was found out, s since the epoch."""
    before: float
    after: float
    """The 90th percentiles, s."""


class Summary(NamedTuple):
    """What ``status.leadTime`` tells, s; the stages are medians."""

    p50: float
    p90: float
    samples: int
    scheduling: float
    starting: float
    readiness: float


@dataclass(frozen=True)
class LeadTimes:
    """Starts that were measured, and the lead time to plan with.

    Attributes
    ----------
    starts
        Oldest first, at most :data:`MOST_STARTS` that ended and as many that were cancelled.
    planned
        Lead time to plan with, s; 0: nothing was measured yet.
    template
        The newest one of which a start ended.
    newest
        When the newest pod of it that was measured had been created, s since the epoch.
    before
        90th percentile of the template before, s; 0: unknown.
    change
        ``None``: the template starts like the one before.
    """

    starts: tuple[Start, ...] = ()
    planned: float = 0.0
    template: str = ""
    newest: float = 0.0
    before: float = 0.0
    change: Change | None = None

    def plan(self, default: float) -> float:
        """Lead time to plan with, s: ``default`` until enough starts were measured."""
        return self.planned or default

    def add(self, starts: Sequence[Start], default: float) -> LeadTimes:
        """Take in newly measured starts; ``default`` is as for :meth:`plan`."""
        result = self
        for start in sorted(starts, key=lambda s: s.created + s.seconds):
            result = _with(result, start)
        percentile = _percentile(result)
        if percentile is None:
            return result
        # A measured 0 means less than a second; no plan can be shorter than one.
        percentile = max(1.0, math.ceil(percentile))
        wrong = _differ(percentile, result.plan(default))
        return replace(result, planned=percentile if wrong else result.planned)

    @property
    def summary(self) -> Summary | None:
        """What was measured, of the newest template where it has starts; ``None``: nothing."""
        chosen = self.of(self.template)
        ended = [start for start in chosen if not start.cancelled]
        if not ended:
            return None
        stages = np.median([(s.scheduling, s.starting, s.readiness) for s in ended], axis=0)
        middle, high = (_quantile(chosen, share) for share in (MEDIAN, QUANTILE))
        return Summary(middle, high, len(ended), *stages.tolist())

    def changed(self, now: float) -> str | None:
        """Say how a release changed the lead time; ``None``: it did not, or a day has passed."""
        if self.change is None or now >= self.change.time + CHANGE_LASTS:
            return None
        return (
            f"nine of ten starts of pod template {self.template} take up to "
            f"{self.change.after:.0f} s, of the one before {self.change.before:.0f} s: planned "
            f"with {self.planned:.0f} s"
        )

    def of(self, template: str) -> list[Start]:
        """Pick the starts of one template."""
        return [start for start in self.starts if start.template == template]

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        templates = list(dict.fromkeys(start.template for start in self.starts))
        return {
            "planned": self.planned,
            "template": self.template,
            "newest": self.newest,
            "before": self.before,
            "change": list(self.change) if self.change else None,
            # Hashes are long and starts are many: each names its template by its place.
            "templates": templates,
            "starts": [
                [templates.index(s.template), *s[1:5], int(s.cancelled)] for s in self.starts
            ],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> LeadTimes:
        """Read what :meth:`to_json` wrote; of older versions only the plan.

        Raises
        ------
        IndexError, TypeError, ValueError
            The document is none of ours.
        """
        templates = [str(name)[:LONGEST_LABEL] for name in document.get("templates", ())]
        starts = [
            Start(
                templates[int(place)],
                float(created),
                float(seconds),
                float(scheduling),
                float(starting),
                cancelled=bool(cancelled),
            )
            for place, created, seconds, scheduling, starting, cancelled in document.get(
                "starts", ()
            )
        ]
        change = document.get("change")
        result = cls(
            tuple(starts[-2 * MOST_STARTS :]),
            float(document.get("planned", 0.0)),
            str(document.get("template", ""))[:LONGEST_LABEL],
            float(document.get("newest", 0.0)),
            float(document.get("before", 0.0)),
            Change(*map(float, change)) if change else None,
        )
        durations = [result.planned, result.before, *(n for s in starts for n in s[2:5])]
        if not all(0.0 <= duration <= LONGEST for duration in durations):
            raise ValueError(f"memory.leadTimes: a duration is not in [0, {LONGEST:g}] s")
        instants = [result.newest, *(result.change or ()), *(s.created for s in starts)]
        if not all(map(math.isfinite, instants)):
            raise ValueError("memory.leadTimes: an instant is not finite")
        return result


def _with(times: LeadTimes, start: Start) -> LeadTimes:
    ended = [s for s in times.starts if not s.cancelled]
    cancelled = [s for s in times.starts if s.cancelled]
    (cancelled if start.cancelled else ended).append(start)
    starts = (*cancelled[-MOST_STARTS:], *ended[-MOST_STARTS:])
    if start.cancelled:
        return replace(times, starts=starts)
    if start.template == times.template:
        newest = max(times.newest, start.created)
        return _compared(replace(times, starts=starts, newest=newest), start)
    if start.created < times.newest:
        # A straggler of the old template, while the new one rolls out.
        return replace(times, starts=starts)
    own = times.of(times.template)
    return LeadTimes(
        starts,
        times.planned,
        start.template,
        start.created,
        before=_quantile(own, QUANTILE) if _enough(own) else 0.0,
    )


def _compared(times: LeadTimes, newest: Start) -> LeadTimes:
    own = times.of(times.template)
    if not times.before or not _enough(own):
        return times
    now = _quantile(own, QUANTILE)
    if not _differ(now, times.before):
        return replace(times, change=None)
    time = times.change.time if times.change else newest.created + newest.seconds
    return replace(times, change=Change(time, times.before, now))


def _percentile(times: LeadTimes) -> float | None:
    """Of the newest template; of all while it has too few starts; ``None``: still too few.

    A service of two replicas that is released each day never has five starts of one template.
    """
    own = times.of(times.template)
    chosen = own if _enough(own) else list(times.starts)
    return _quantile(chosen, QUANTILE) if _enough(chosen) else None


def _quantile(starts: Sequence[Start], share: float) -> float:
    ended = [start.seconds for start in starts if not start.cancelled]
    cut_short = [start.seconds for start in starts if start.cancelled]
    return quantile(ended, cut_short, share)


def _enough(starts: Sequence[Start]) -> bool:
    return sum(not start.cancelled for start in starts) >= FEWEST_STARTS


def _differ(measured: float, known: float) -> bool:
    return abs(measured - known) > max(TOLERANCE * known, TIMESTAMP_ERROR)

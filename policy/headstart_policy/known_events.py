"""Loads that people know ahead, as a floor that begins early enough to be ready in time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.reactive import reactive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Floor(NamedTuple):
    """Never fewer replicas than these, and why."""

    replicas: int
    reason: str


class Occurrence(NamedTuple):
    """One time that a known event takes place.

    Attributes
    ----------
    name
        Of the event.
    start, end
        Seconds since the epoch; at ``end`` it is over.
    factor
        Load during the event over the level before it; ``None``: ``replicas`` are given.
    replicas
        The least during the event; ``None``: ``factor`` is given.
    """

    name: str
    start: float
    end: float
    factor: float | None = None
    replicas: int | None = None


class Level(NamedTuple):
    """The load when an event's floor began.

    It is kept while the event lasts. A floor of ``factor`` times the present load would multiply
    what the event itself brings: twice 100 requests/s come, and the floor is four times 100.
    """

    until: float
    """End of the event, s since the epoch."""
    rate: float
    """Requests/s."""


def active(occurrences: Sequence[Occurrence], now: float, ahead: float) -> list[Occurrence]:
    """Choose those whose floor is in force.

    Parameters
    ----------
    occurrences
        Of one service.
    now
        Seconds since the epoch.
    ahead
        How long before its start a floor begins, s: a lead time, and an interval for the decision.
    """
    return [one for one in occurrences if one.start - ahead <= now < one.end]


def levels(
    before: Mapping[str, Level], lasting: Sequence[Occurrence], rate: float, now: float
) -> dict[str, Level]:
    """Keep the levels of events that go on, note those that begin, forget the others.

    Parameters
    ----------
    before
        As the last decision left them, by the event's name.
    lasting
        :func:`active` now.
    rate
        The present level, requests/s; NaN: unknown, then an event that begins waits for one.
    now
        Seconds since the epoch. A level whose event has ended is another occurrence's.
    """
    kept = {}
    for one in lasting:
        level = before.get(one.name)
        if level is not None and now < level.until:
            kept[one.name] = Level(max(one.end, level.until), level.rate)
        elif one.factor is not None and math.isfinite(rate):
            kept[one.name] = Level(one.end, rate)
    return kept


def floor(
    lasting: Sequence[Occurrence],
    known: Mapping[str, Level],
    capacity: float,
    utilization: float,
) -> Floor | None:
    """Say how many replicas the events that last ask for; the most of them counts.

    Parameters
    ----------
    lasting
        :func:`active` now.
    known
        Their :func:`levels`; an event with a factor and without a level asks for nothing.
    capacity
        Requests/s per replica.
    utilization
        Share of the capacity that the reactive floor uses, too.
    """
    floors = []
    for one in lasting:
        if one.replicas is not None:
            floors.append(Floor(one.replicas, f"{one.name}: minReplicas = {one.replicas}"))
        elif one.factor is not None and one.name in known:
            rate = known[one.name].rate
            expected = np.array([one.factor * rate])
            count = int(reactive(expected, np.array([capacity]), utilization)[0])
            reason = (
                f"{one.name}: {one.factor:g} x the {rate:.4g} requests/s before it "
                f"at {utilization:.0%} of {capacity:.4g} each need {count}"
            )
            floors.append(Floor(count, reason))
    return max(floors, key=lambda one: one.replicas, default=None)

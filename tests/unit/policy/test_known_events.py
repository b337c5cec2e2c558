"""A known event's floor begins a lead time early, ends with it, and does not feed on itself."""

from __future__ import annotations

import math

import pytest

from headstart_policy.known_events import Level, Occurrence, active, floor, levels

START, END, AHEAD = 1000.0, 1600.0, 315.0
SALE = Occurrence("sale", START, END, factor=2.0)
AD = Occurrence("ad", START, END, replicas=12)


@pytest.mark.parametrize(
    ("now", "holds"),
    [(684.0, False), (685.0, True), (1000.0, True), (1599.0, True), (1600.0, False)],
)
def test_the_floor_begins_ahead_and_ends_with_the_event(now: float, *, holds: bool) -> None:
    assert bool(active([SALE], now, AHEAD)) is holds


def test_the_level_is_that_of_when_the_floor_began() -> None:
    known = levels({}, [SALE], 40.0, 700.0)
    assert known == {"sale": Level(END, 40.0)}
    # The event brings twice as much: the floor is twice what was before it, not four times.
    known = levels(known, [SALE], 80.0, 1200.0)
    # 2 x 40 requests/s at 90 % of 5 each.
    found = floor([SALE], known, 5.0, 0.9)
    assert found is not None
    assert found.replicas == 18
    assert found.reason == "sale: 2 x the 40 requests/s before it at 90% of 5 each need 18"


def test_the_level_of_another_occurrence_is_forgotten() -> None:
    yesterday = {"sale": Level(END - 86_400, 5.0)}
    assert levels(yesterday, [SALE], 40.0, 700.0) == {"sale": Level(END, 40.0)}
    assert levels(yesterday, [], 40.0, 700.0) == {}


def test_an_occurrence_that_follows_without_a_pause_keeps_the_level() -> None:
    following = SALE._replace(start=END, end=END + 600)
    known = levels({"sale": Level(END, 40.0)}, [following], 80.0, END - AHEAD)
    assert known == {"sale": Level(END + 600, 40.0)}


def test_without_a_level_a_factor_waits_and_a_number_does_not() -> None:
    known = levels({}, [SALE, AD], math.nan, 700.0)
    assert known == {}
    found = floor([SALE, AD], known, 5.0, 0.9)
    assert found is not None
    assert (found.replicas, found.reason) == (12, "ad: minReplicas = 12")
    assert floor([SALE], known, 5.0, 0.9) is None


def test_of_two_events_the_larger_counts() -> None:
    found = floor([SALE, AD], {"sale": Level(END, 10.0)}, 5.0, 0.9)
    assert found is not None
    assert found.replicas == 12
    found = floor([SALE, AD], {"sale": Level(END, 40.0)}, 5.0, 0.9)
    assert found is not None
    assert found.replicas == 18

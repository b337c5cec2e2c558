"""Whether the wall clock can be believed."""

from __future__ import annotations

import pytest

from headstart_operator.leadership.clock import Jumps, ServerClock, tolerance

DATE = "Mon, 23 Nov 2026 10:00:00 GMT"
THEN = 1795428000.0


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 60.0])
def test_the_skew_is_known_between_answers_as_well(ahead: float) -> None:
    clock = ServerClock()
    clock.note(DATE, steady=100.0)
    assert clock.skew(THEN + 7 + ahead, steady=107.0) == pytest.approx(ahead)


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_an_answer_without_a_date_tells_nothing(date: str | None) -> None:
    clock = ServerClock()
    clock.note(date, steady=100.0)
    assert clock.skew(THEN, steady=0.0) == 0.0
    clock.note(DATE, steady=100.0)
    clock.note(date, steady=200.0)
    assert clock.skew(THEN, steady=100.0) == 0.0


def test_a_jump_is_told_once_and_a_drift_never() -> None:
    jumps = Jumps(THEN, 0.0)
    assert jumps.since(THEN + 10, 10.0) == 0.0
    assert jumps.since(THEN + 3620, 20.0) == 3600.0
    assert jumps.since(THEN + 3630, 30.0) == 0.0
    assert jumps.since(THEN + 40, 40.0) == -3600.0
    for second in range(1000):
        assert jumps.since(THEN + 40 + 1.01 * second, 40.0 + second) == 0.0


def test_a_short_interval_tolerates_what_an_answer_cannot_tell() -> None:
    assert tolerance(4.0) == 5.0
    assert tolerance(60.0) == 60.0

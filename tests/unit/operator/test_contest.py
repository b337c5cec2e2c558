"""Someone else sets the replicas: respected for a while, and for long who comes back."""

from __future__ import annotations

from headstart_operator.contest import Contest

LEAD = 10.0


def test_what_we_left_behind_is_not_contested() -> None:
    contest = Contest().accept("a", 5)
    assert not contest.differs("a", 5)
    assert contest.differs("a", 6)
    assert not Contest().differs("", 6)


def test_a_workload_that_was_created_again_has_no_past() -> None:
    contest = Contest().accept("a", 5).contested_by("kubectl", 0, 9)
    assert not contest.differs("b", 3)
    assert contest.accept("b", 3) == Contest("b", 3)


def test_a_change_is_respected_for_two_lead_times() -> None:
    contest = Contest().accept("a", 5).contested_by("kubectl", 100, 9)
    assert contest.expected == 9
    assert contest.until(LEAD) == 120
    assert contest.message == "kubectl set 9 replicas where Headstart had left 5"


def test_who_comes_back_is_a_second_controller() -> None:
    contest = Contest().accept("a", 5)
    for time in (100, 130, 160):
        contest = contest.contested_by("hpa", time, 9)
    assert contest.until(LEAD) == 160 + 240
    # Three times in a year is no controller.
    for time in (10_000, 20_000, 30_000):
        contest = contest.contested_by("kubectl", time, 9)
    assert contest.until(LEAD) == 30_020


def test_memory_survives() -> None:
    contest = Contest().accept("a", 5).contested_by("kubectl", 100, 9)
    assert Contest.from_json(contest.to_json()) == contest

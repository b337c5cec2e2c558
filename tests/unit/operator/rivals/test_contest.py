"""Someone else sets the replicas: respected for a while, and for long who comes back."""

from __future__ import annotations

import pytest

from headstart_operator.rivals import contest as contests
from headstart_operator.rivals.autoscalers import HPA, SCALED_OBJECT, Autoscaler, Found, Target
from headstart_operator.rivals.contest import Contest, Stand, strictest

LEAD = 10.0
TARGET = Target("shop", "apps", "Deployment", "checkout")
AWAKE = Autoscaler(HPA, "checkout", "u", TARGET, least=2, most=9)
ASLEEP = Autoscaler(HPA, "checkout", "u", TARGET, least=2, most=9, asleep=True)
KEDA = Autoscaler(SCALED_OBJECT, "so", "v", TARGET, least=0, most=100)


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


@pytest.mark.parametrize(("now", "until"), [(40, 60), (100, 120), (110, 120)])
def test_a_clock_that_was_set_back_prolongs_no_rest(now: float, until: float) -> None:
    """Changed at 100 by the clock of then: respected for two lead times from now, and no longer."""
    contest = Contest().accept("a", 5).contested_by("kubectl", 100, 9)
    assert contest.clamped(now).until(LEAD) == until


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


def test_once_is_a_person_and_thrice_is_left_alone() -> None:
    contest = Contest().accept("a", 5).contested_by("kubectl", 100, 9, "do this")
    stand = contest.stand(LEAD, 119)
    assert stand is not None
    assert not stand.hands_off
    assert stand.brief == "kubectl set 9 replicas where Headstart had left 5"
    assert stand.message.endswith("until it rests, replicas only grow. do this")
    assert contest.stand(LEAD, 120) is None
    for time in (110, 120):
        contest = contest.accept("a", 12).contested_by("argocd", time, 9)
    stand = contest.stand(LEAD, 359)
    assert stand is not None
    assert stand.hands_off
    assert "3 times now" in stand.message
    assert contest.stand(LEAD, 360) is None
    # Whoever changes the policy has had a look.
    assert contest.rest().stand(LEAD, 130) is None
    assert contest.rest().expected == 9


def test_a_floor_is_contested_and_what_the_replicas_are_stays() -> None:
    contest = Contest().accept("a", 5).floor_contested_by("kubectl", 100, (6, 3))
    assert contest.message == "kubectl set minReplicas = 3 where Headstart had left 6"
    assert contest.expected == 5


@pytest.mark.parametrize(
    ("found", "bounds", "reason", "says"),
    [
        (Found(), (1, 50), None, ""),
        (Found((AWAKE,)), (2, 9), HPA, "Use mode Assist"),
        (Found((AWAKE, KEDA)), (2, 9), SCALED_OBJECT, "ScaledObject/so scales this workload"),
        # It may scale in neither direction, but puts what leaves its bounds back into them.
        (Found((ASLEEP,)), (2, 9), None, ""),
        (Found((ASLEEP,)), (3, 8), None, ""),
        (Found((ASLEEP,)), (1, 9), HPA, "Set minReplicas = 1 and maxReplicas = 9"),
        (Found((ASLEEP,)), (2, 10), HPA, "asleep but enforces its bounds, 2 to 9 replicas"),
    ],
)
def test_an_autoscaler_is_given_way_to(
    found: Found, bounds: tuple[int, int], reason: str | None, says: str
) -> None:
    stand = contests.autoscaler(found, *bounds)
    if reason is None:
        assert stand is None
        return
    assert stand is not None
    assert stand.reason == reason
    assert stand.hands_off
    assert stand.certain
    assert says in stand.message


def test_who_cannot_see_does_not_lower() -> None:
    stand = contests.autoscaler(Found((), "HPAs cannot be listed: no"), 1, 9)
    assert stand is not None
    assert (stand.reason, stand.hands_off, stand.certain) == (contests.UNREADABLE, False, False)


def test_the_older_policy_acts() -> None:
    assert contests.other_policy("first", older=True).hands_off
    assert not contests.other_policy("second", older=False).hands_off


def test_the_strictest_stand_counts() -> None:
    unsure, grow = Stand("U", "", certain=False), Stand("G", "")
    off, later = Stand("O", "", hands_off=True), Stand("L", "", hands_off=True)
    assert strictest([None, unsure, grow]) == grow
    assert strictest([grow, off, later]) == off
    assert strictest([None]) is None

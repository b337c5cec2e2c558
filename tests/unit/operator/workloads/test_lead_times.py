"""The default until enough was measured; then a high quantile that does not twitch."""

from __future__ import annotations

import json

import pytest

from headstart_operator.workloads.lead_times import CHANGE_LASTS, MOST_STARTS, LeadTimes
from headstart_operator.workloads.starts import Start


def starts(*seconds: float, template: str = "a", since: float = 0.0) -> list[Start]:
    """Describe starts of one template that were created second by second."""
    return [Start(template, since + k, s, 1.0, s / 2) for k, s in enumerate(seconds)]


def cancelled(*ages: float, template: str = "a") -> list[Start]:
    """Describe starts that were cancelled."""
    return [Start(template, 0.0, age, cancelled=True) for age in ages]


def test_the_default_counts_until_enough_starts_were_measured() -> None:
    lead = LeadTimes().add(starts(60, 61, 62, 63), default=300)
    assert lead.plan(300) == 300
    assert lead.add(cancelled(90), default=300).plan(300) == 300
    assert lead.add(starts(64), default=300).plan(300) == 64


def test_the_plan_is_a_high_quantile() -> None:
    lead = LeadTimes().add(starts(*range(30, 60), 200, 200), default=300)
    assert 55 <= lead.plan(300) <= 60


def test_the_plan_stays_while_it_is_about_right() -> None:
    lead = LeadTimes().add(starts(*[60] * 10), default=300)
    assert lead.add(starts(*[70] * 32), default=300).plan(300) == 60
    assert lead.add(starts(*[80] * 32), default=300).plan(300) == 80
    # Two whole-second timestamps are worth two seconds: 5 and 7 may be the same start.
    assert LeadTimes().add(starts(*[7] * 9), default=5).plan(5) == 5


def test_cancelled_starts_count_as_longer_than_they_lasted() -> None:
    quick = LeadTimes().add(starts(*[30] * 6, *[60] * 2), default=300)
    assert quick.plan(300) == 60
    # Eight were given up at 40 s: the quick ones were the minority.
    assert quick.add([*cancelled(*[40] * 8), *starts(90, 90)], default=300).plan(300) == 90


def test_memory_is_bounded_and_survives() -> None:
    lead = LeadTimes().add([*starts(*[60] * 100), *cancelled(*[20] * 100)], default=300)
    lead = lead.add(starts(*[90] * 9, template="b", since=200), default=300)
    assert len(lead.starts) == 2 * MOST_STARTS
    document = json.dumps(lead.to_json())
    assert LeadTimes.from_json(json.loads(document)) == lead
    assert len(document) < 2500
    assert LeadTimes().add(starts(*[0.0] * 9), default=60).plan(60) == 1


def test_of_an_older_memory_the_plan_is_kept() -> None:
    assert LeadTimes.from_json({"measured": [60.0], "planned": 61.0}).plan(300) == 61


@pytest.mark.parametrize(
    "document",
    [
        {"planned": float("nan")},
        {"planned": -1},
        {"planned": 1e300},
        {"starts": [[3, 0, 1, 0, 0, 0]], "templates": ["a"]},
        {"starts": [[0, 1]], "templates": ["a"]},
        {"change": [1]},
        {"starts": 5},
    ],
)
def test_a_broken_memory_is_refused(document: dict[str, object]) -> None:
    with pytest.raises((LookupError, TypeError, ValueError)):
        LeadTimes.from_json(document)


def test_a_release_that_starts_slower_is_told_for_a_day_and_planned_with() -> None:
    lead = LeadTimes().add(starts(*[60] * 9), default=300)
    assert lead.changed(100) is None
    lead = lead.add(starts(*[90] * 4, template="b", since=1000), default=300)
    assert lead.changed(1100) is None
    lead = lead.add(starts(90, template="b", since=1010), default=300)
    assert lead.plan(300) == 90
    message = lead.changed(1100)
    assert message is not None
    assert "pod template b take up to 90 s, of the one before 60 s" in message
    assert lead.changed(1100 + CHANGE_LASTS) is None


def test_a_release_that_starts_alike_changes_nothing() -> None:
    lead = LeadTimes().add(starts(*[60] * 9), default=300)
    lead = lead.add(starts(*[65] * 9, template="b", since=1000), default=300)
    assert lead.changed(1100) is None
    assert lead.plan(300) == 60
    # A third is compared with the second.
    lead = lead.add(starts(*[80] * 9, template="c", since=2000), default=300)
    assert lead.changed(2100) is not None


def test_stragglers_of_the_old_template_do_not_turn_it_back() -> None:
    lead = LeadTimes().add(starts(*[60] * 9), default=300)
    lead = lead.add(starts(90, template="b", since=1000), default=300)
    lead = lead.add(starts(60, since=990), default=300)
    assert lead.template == "b"
    # A rollback does.
    assert lead.add(starts(60, since=1100), default=300).template == "a"


def test_small_services_that_are_released_often_are_measured_too() -> None:
    lead = LeadTimes()
    for k in range(3):
        lead = lead.add(starts(60, 60, template=str(k), since=1000.0 * k), default=300)
    assert lead.plan(300) == 60


def test_what_the_status_tells_is_of_the_newest_template() -> None:
    assert LeadTimes().summary is None
    assert LeadTimes().add(cancelled(5), 300).summary is None
    lead = LeadTimes().add(starts(*[60] * 9), default=300)
    lead = lead.add(starts(80, 80, 90, template="b", since=1000), default=300)
    summary = lead.summary
    assert summary is not None
    assert (summary.p50, summary.p90, summary.samples) == (80, 90, 3)
    assert (summary.scheduling, summary.starting, summary.readiness) == (1, 40, 39)

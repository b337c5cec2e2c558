"""The default until enough was measured; then a high quantile that does not twitch."""

from __future__ import annotations

from headstart_operator.lead_times import MOST_STARTS, LeadTimes


def test_the_default_counts_until_enough_starts_were_measured() -> None:
    lead = LeadTimes().add([60, 61, 62, 63], default=300)
    assert lead.plan(300) == 300
    assert lead.add([64], default=300).plan(300) == 64


def test_the_plan_is_a_high_quantile() -> None:
    lead = LeadTimes().add([*range(30, 60), 200, 200], default=300)
    assert 55 <= lead.plan(300) <= 60


def test_the_plan_stays_while_it_is_about_right() -> None:
    lead = LeadTimes().add([60] * 10, default=300)
    assert lead.add([70] * 32, default=300).plan(300) == 60
    assert lead.add([80] * 32, default=300).plan(300) == 80
    # Two whole-second timestamps are worth two seconds: 5 and 7 may be the same start.
    assert LeadTimes().add([7] * 9, default=5).plan(5) == 5


def test_memory_is_bounded_and_survives() -> None:
    lead = LeadTimes().add([60] * 100, default=300)
    assert len(lead.measured) == MOST_STARTS
    assert LeadTimes.from_json(lead.to_json()) == lead
    assert LeadTimes().add([0.0] * 9, default=60).plan(60) == 1

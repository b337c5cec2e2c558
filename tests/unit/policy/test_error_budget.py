"""Error budgets: counted in a window, priced by history, corrected slowly and within bounds."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy import artifact
from headstart_policy.error_budget import (
    AIM,
    BUCKETS,
    LEAST_REHEARSAL,
    MOST_CORRECTION,
    Budget,
    Goal,
    Price,
    Rehearsal,
    base_of,
    hedged,
    least_that_keeps,
    rehearse,
)
from headstart_policy.guardrails import Guardrails
from headstart_policy.profile import Objective
from tests.unit.policy.build import a_profile

DAY = 86_400.0
NOW = 1_767_225_600.0
# 99.9 % of 30 days: 43.2 minutes.
GOAL = Goal(0.999, 30 * DAY)
WIDE = Price(1.0, 0.1, 8.0)


def live(budget: Budget, days: float, bad_share: float, start: float = NOW) -> Budget:
    """Let time pass in which a share of it is bad, an hour at a time."""
    for hour in range(round(24 * days)):
        budget = budget.spend(start + 3600 * hour, 3600 * bad_share, 3600)
        budget = budget.correct(3600)
    return budget


def test_a_budget_is_the_bad_time_of_a_window() -> None:
    assert GOAL.seconds == pytest.approx(43.2 * 60)
    fresh = Budget(GOAL)
    assert (fresh.remaining, fresh.burn, fresh.fast_burn, fresh.burning) == (1.0, 0.0, 0.0, False)
    half = fresh.spend(NOW, GOAL.seconds / 2, 3600)
    assert half.remaining == pytest.approx(0.5)
    assert half.spend(NOW + 60, GOAL.seconds, 3600).remaining == pytest.approx(-0.5)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    spent = Budget(GOAL).spend(NOW, GOAL.seconds, 3600)
    later = live(spent, 29, 0.0, NOW + DAY / 2)
    assert later.remaining == pytest.approx(0.0)
    assert live(spent, 31, 0.0, NOW + DAY / 2).remaining == 1.0


@given(st.lists(st.tuples(st.floats(0, 1e8), st.floats(0, 60)), max_size=200))
def test_it_stays_small_and_survives_a_clock_that_jumps(moments: list[tuple[float, float]]) -> None:
    budget = Budget(GOAL)
    for time, bad in moments:
        budget = budget.spend(NOW + time, bad, 60.0).correct(60.0)
        assert len(budget.buckets) <= BUCKETS
        assert 1 / MOST_CORRECTION <= budget.correction <= MOST_CORRECTION
    again = Budget.from_json(json.loads(json.dumps(budget.to_json())))
    assert again.remaining == pytest.approx(budget.remaining, abs=1e-6)
    assert again.hedge == budget.hedge


def test_a_burst_burns_and_a_bad_second_does_not() -> None:
    calm = live(Budget(GOAL), 2, 0.0005)
    assert not calm.burning
    assert not Budget(GOAL).spend(NOW, 1.0, 15.0).burning
    # Six hours in which a twentieth of the budget goes.
    assert live(calm, 0.25, 0.02, NOW + 2 * DAY).burning


@pytest.mark.parametrize(
    ("days", "bad_share", "least", "most"),
    [
        # At the rate that is aimed at, the price stays.
        (10, 0.001 * AIM, 0.99, 1.01),
        # Up within days, down within weeks.
        (1, 0.01, 1.3, 1.45),
        (3, 0.01, 2.5, 2.8),
        (30, 0.01, MOST_CORRECTION, MOST_CORRECTION),
        (3, 0.0, 0.7, 0.8),
        (10, 0.0, 0.35, 0.4),
        (60, 0.0, 1 / MOST_CORRECTION, 1 / MOST_CORRECTION),
    ],
)
def test_what_came_corrects_the_price_slowly(
    days: float, bad_share: float, least: float, most: float
) -> None:
    hedge = live(Budget(GOAL, price=WIDE), days, bad_share).hedge
    assert least <= hedge * (1 + 1e-9)
    assert hedge <= most * (1 + 1e-9)


def test_a_first_hour_makes_no_violation_cheaper() -> None:
    assert live(Budget(GOAL, price=WIDE), 5 / 24, 0.0).hedge == 1.0


def test_a_hedge_never_leaves_what_the_policy_was_trained_for() -> None:
    high, low = Price(7.0, 0.1, 8.0), Price(0.11, 0.1, 8.0)
    assert live(Budget(GOAL, price=high), 30, 0.01).hedge == 8.0
    assert live(Budget(GOAL, price=low), 60, 0.0).hedge == 0.1


@pytest.mark.parametrize(
    ("allowed", "price"), [(1.0, 1.0), (0.5, 1.0), (0.2, 4.0), (0.1, 8.0), (0.001, 16.0)]
)
def test_the_least_price_that_keeps_to_the_budget_is_taken(allowed: float, price: float) -> None:
    prices = [1.0, 2.0, 4.0, 8.0, 16.0]
    assert least_that_keeps(allowed, prices, lambda p: 0.5 / p) == price


def a_rehearsal(kind: str = "spiky", steps: int = 4000, **changes: Any) -> Rehearsal:
    """Build minutes of a load of some 40 replicas, with spikes of a half more, or without."""
    rng = np.random.default_rng(0)
    rates = 200.0 * (1 + 0.5 * np.sin(2 * np.pi * np.arange(steps) / 1440))
    rates *= np.exp(0.05 * rng.normal(size=steps))
    if kind == "spiky":
        for start in rng.integers(steps // 2, steps - 10, 25).tolist():
            rates[start : start + 10] *= 1.5
    profile = a_profile(interval=15.0, seasons=(DAY,), objective=Objective())
    policy = artifact.builtin()
    return replace(Rehearsal(policy, profile, Guardrails(500), rates, 60.0), **changes)


def test_history_prices_violations_by_what_the_budget_allows() -> None:
    """A tight budget costs more on a spiky load, and next to nothing on a calm one."""
    spiky, calm = a_rehearsal(), a_rehearsal("calm")
    tight, loose = Goal(0.97, 30 * DAY), Goal(0.9, 30 * DAY)
    dear, cheap = rehearse(spiky, tight), rehearse(spiky, loose)
    assert dear is not None
    assert cheap is not None
    assert dear.multiple > 1 > cheap.multiple
    assert spiky.bad_share(dear.multiple) <= 0.03
    assert spiky.bad_share(dear.multiple / 4) > 0.03
    assert rehearse(calm, tight) == dear._replace(multiple=dear.least)


def test_every_price_that_is_tried_is_one_that_the_policy_knows() -> None:
    rehearsal = a_rehearsal(steps=300)
    goal = rehearsal.profile.objective
    for multiple in rehearsal.bounds:
        stake = 60 * hedged(rehearsal.profile, multiple).objective.violation_cost
        low, high = rehearsal.policy.envelope.stake
        assert low <= stake / goal.replica_cost <= high


def test_a_budget_needs_no_declared_price() -> None:
    free = Objective(violation_cost=0.0)
    assert base_of(free) == free.replica_cost
    rehearsal = a_rehearsal(steps=2200, profile=a_profile(objective=free))
    price = rehearse(rehearsal, Goal(0.99, DAY))
    assert price is not None
    assert price.least < price.most


def test_a_short_history_makes_no_violation_cheaper() -> None:
    price = rehearse(a_rehearsal("calm", steps=LEAST_REHEARSAL - 10), Goal(0.9, DAY))
    assert price is not None
    assert price.multiple == 1.0
    unknown = a_rehearsal(rates=np.full(100, np.nan))
    assert rehearse(unknown, GOAL) is None
    assert math.isnan(unknown.bad_share(1.0))


@pytest.mark.parametrize(
    "broken", [{"slo": 1.0}, {"window": -5}, {"buckets": [[1, 2]]}, {"fast": 3}]
)
def test_a_budget_that_was_edited_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Budget.from_json({**Budget(GOAL).to_json(), **broken})

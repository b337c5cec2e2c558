"""Demotion: past a budget of regret, by the clock, and back when it would have been better."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_policy import demotion
from headstart_policy.ledger import Accounts
from headstart_policy.profile import Objective, Profiles
from tests.unit.policy.build import a_profile

PROFILES = Profiles.stack([a_profile()])
NOW = 1_767_225_600.0
AWAY = demotion.AWAY_LEAD_TIMES * 300


def judge(regret: float, since: float = np.nan, now: float = NOW) -> demotion.Trust:
    """Judge one service whose budget is $100."""
    accounts = Accounts.begin(1, 5)._replace(regret=np.array([regret]))
    return demotion.judge(accounts, np.array([since]), np.array([100.0]), np.array([now]), PROFILES)


@pytest.mark.parametrize(
    ("regret", "since", "demoted"),
    [
        (0.0, np.nan, False),
        (100.0, np.nan, False),
        (100.01, np.nan, True),
        # It stays for an hour, however good it would be.
        (0.0, NOW - AWAY + 1, True),
        (0.0, NOW - AWAY, False),
        # And for as long as the regret is over half of the budget.
        (50.0, NOW - AWAY, False),
        (50.1, NOW - 10 * AWAY, True),
        # A clock that was set back must not demote for ever.
        (0.0, NOW + 3600, False),
    ],
)
def test_who_is_demoted(regret: float, since: float, *, demoted: bool) -> None:
    trust = judge(regret, since)
    assert bool(trust.demoted[0]) is demoted
    assert np.isfinite(trust.since[0]) == demoted
    if demoted:
        assert trust.since[0] == (NOW if np.isnan(since) else since)


def test_how_bad_it_was_at_its_worst_is_not_held_against_it() -> None:
    assert judge(5000.0).regret[0] == 100.0
    assert judge(30.0).regret[0] == 30.0


def test_the_budget_is_a_quarter_of_an_hour_of_violations_and_six_hours_of_the_fleet() -> None:
    """At $200 a minute and 10 replicas at $3 an hour: $3,000 and $180."""
    goal = Objective(replica_cost=3.0, violation_cost=200.0)
    profiles = Profiles.stack([a_profile(objective=goal)] * 2)
    accounts = Accounts.begin(2, 5)._replace(fleet=np.full(2, 500.0), weight=np.full(2, 50.0))
    budgets = demotion.budget(accounts, profiles, np.array([np.nan, 7.0]))
    assert budgets.tolist() == pytest.approx([3180.0, 7.0])


def test_a_new_policy_has_a_budget_too() -> None:
    assert demotion.budget(Accounts.begin(1, 5), PROFILES, np.array([np.nan]))[0] > 0

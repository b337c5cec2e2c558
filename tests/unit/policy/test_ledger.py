"""Accounts: the prices are the backtest's, and a saturated interval never speaks for fewer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy import ledger
from headstart_policy.ledger import ACTUAL, CHOICE, OWN, REACTIVE, Accounts
from headstart_policy.profile import Profiles
from headstart_policy.selector import Fleet
from headstart_training.contest import settle
from headstart_training.scenarios import draw
from tests.unit.policy.build import a_profile

PROFILES = Profiles.stack([a_profile()])
LEAD = PROFILES.lead_steps
NO, YES = np.array([False]), np.array([True])


def a_past(seed: int = 0, ready: int = 10) -> Accounts:
    """Draw what was asked for; so many were ready."""
    asked = np.random.default_rng(seed).integers(0, 40, (1, 3, 6))
    return Accounts.begin(1, 5)._replace(asked=asked, ready=np.array([ready]))


def spend(accounts: Accounts, rate: float, ready: int, current: int | None = None) -> Accounts:
    """Pass one interval in which so many were ready."""
    fleet = Fleet(np.array([ready]), np.array([ready if current is None else current]))
    step = ledger.price(accounts, np.array([rate]), fleet, PROFILES, LEAD)
    return ledger.enter(accounts, step, PROFILES)


@pytest.mark.parametrize("seed", range(4))
def test_the_accounts_are_what_the_backtest_settles(seed: int) -> None:
    """Each of three paths, and what really ran: the prices of settle on the same load."""
    rng = np.random.default_rng(seed)
    world = draw(rng, 8, 60, expected=True)
    services, steps = world.rates.shape
    demand = np.ceil(world.rates / world.profiles.capacity[:, None]).astype(np.int64)
    # Never saturated, where a live ledger knows less than a backtest.
    paths = demand[:, None] + rng.integers(2, 9, (services, 3, steps)) + demand[:, None] // 2
    paths[:, :, 0] = np.maximum(paths[:, :, 0], world.initial[:, None])
    fleet = demand.max(axis=1, initial=0) * 2 + 5
    accounts = Accounts.begin(services, int(world.lead_steps.max()))
    always, never = np.ones(services, dtype=bool), np.zeros(services, dtype=bool)
    # All of them begin with the fleet that runs.
    for t in range(steps):
        before = world.initial if t == 0 else fleet
        accounts = ledger.remember(accounts, paths[:, :, t], before, never, always)
        ran = Fleet(np.full(services, 1 << 20), np.full(services, 1 << 20))
        accounts = accounts._replace(ready=np.full(services, 1 << 20))
        step = ledger.price(accounts, world.rates[:, t], ran, world.profiles, world.lead_steps)
        accounts = ledger.enter(accounts, step, world.profiles)
    worth = (world.rates * world.profiles.request_value[:, None]).sum(axis=1)
    worth *= world.profiles.interval
    for k in (OWN, CHOICE, REACTIVE):
        result = settle(world, paths[:, k])
        np.testing.assert_allclose(
            accounts.dollars[:, k], worth - result.dollars.sum(axis=1), rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(
            accounts.violation[:, k],
            result.violations.sum(axis=1) * world.profiles.interval,
            rtol=1e-4,
            atol=1e-4,
        )
    np.testing.assert_allclose(accounts.seconds, steps * world.profiles.interval)


def test_the_actual_account_is_of_what_was_ready_and_asked_for() -> None:
    """10 ready, 12 asked for, at $3 an hour each: 12 x 60 s are 60 cents."""
    after = spend(a_past(ready=10), 20.0, ready=11, current=12)
    assert after.dollars[0, ACTUAL] == pytest.approx(0.60)
    assert after.violation[0, ACTUAL] == pytest.approx(0.0, abs=1e-9)
    # A replica that became ready at the end of the interval has not served in it.
    few = spend(a_past(ready=0), 20.0, ready=11, current=12)
    assert few.violation[0, ACTUAL] == pytest.approx(60.0)


@given(st.integers(0, 1000), st.integers(0, 30), st.floats(0.95, 3.0))
def test_a_saturated_interval_never_speaks_for_fewer_replicas(
    seed: int, ready: int, load: float
) -> None:
    past = a_past(seed, ready)
    step = ledger.price(
        past,
        np.array([load * ready * 5.0]),
        Fleet(np.array([ready]), np.array([ready + 2])),
        PROFILES,
        LEAD,
    )
    assert step.full[0]
    would = np.append(np.maximum(past.asked[0].min(axis=1), ready), ready)
    for few, fewer in zip(*np.nonzero(would[:, None] >= would), strict=True):
        assert step.dollars[0, few] <= step.dollars[0, fewer]


@given(st.integers(0, 1000), st.floats(0, 200))
def test_nothing_costs_less_than_nothing(seed: int, rate: float) -> None:
    after = spend(a_past(seed), rate, 10)
    assert (after.dollars >= -1e-12).all()
    assert (after.violation >= 0).all()


def test_an_unknown_rate_is_not_priced() -> None:
    past = a_past()
    after = spend(past, np.nan, 10)
    for one, other in zip(after, past, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_a_policy_earned_is_no_licence_to_waste_it() -> None:
    """The regret is at least 0, and grows by what the choice costs more, however much it saved."""
    lean, rich = np.full((1, 6), 8), np.full((1, 6), 12)
    good = Accounts.begin(1, 5)._replace(
        asked=np.stack([lean, lean, rich], axis=1), ready=np.array([8])
    )
    for _ in range(100):
        good = spend(good, 20.0, 8)
    assert good.regret[0] == 0
    bad = spend(good._replace(asked=np.stack([rich, rich, lean], axis=1)), 20.0, 8)
    assert bad.regret[0] == pytest.approx(4 * 3.0 / 60)


def test_a_restart_changes_nothing() -> None:
    past = spend(a_past(3), 31.0, 10)
    again = Accounts.from_json(json.loads(json.dumps(past.to_json())))
    for one, other in zip(again, past, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_longer_lead_time_looks_back_to_the_oldest_that_is_known() -> None:
    past = a_past()
    longer = past.one(0, 8)
    assert longer.asked.shape == (1, 3, 9)
    np.testing.assert_array_equal(longer.asked[..., 6:], past.asked[..., -1:].repeat(3, axis=2))
    both = Accounts.stack([past, longer])
    for one, other in zip(both.one(0, 5), past, strict=True):
        np.testing.assert_array_equal(one, other)


def test_half_a_history_is_not_noted() -> None:
    past = a_past()
    now = np.array([[1, 2, 3]])
    assert ledger.remember(past, now, np.array([4]), NO, NO).asked.tolist() == past.asked.tolist()
    noted = ledger.remember(past, now, np.array([4]), NO, YES)
    assert noted.asked[0, :, 0].tolist() == [1, 2, 3]
    held = ledger.remember(past, now, np.array([4]), YES, YES)
    assert held.asked[0, :, 0].tolist() == past.asked[0, :, 0].tolist()


@pytest.mark.parametrize(
    "broken",
    [
        {"dollars": [1, 2, 3]},
        {"dollars": [1, 2, 3, -4]},
        {"regret": "NaN"},
        {"asked": [[1, 2]] * 2},
        {"asked": [[1, -1]] * 3},
        {"asked": [[1] * 99] * 3},
        {"asked": [[1.5]] * 3},
        {"ready": -7},
        {"ready": None},
    ],
)
def test_accounts_that_were_edited_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Accounts.from_json({**a_past().to_json(), **broken})

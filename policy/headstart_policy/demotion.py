"""When a policy that costs more than the reactive formula gives way to it, and when it comes back.

The regret (:attr:`headstart_policy.ledger.Accounts.regret`) is what the policy's choice has cost
more than the reactive formula on the load that came. Past a budget the policy is demoted: the
formula decides. Its own choice goes on being priced, and the regret is held at the budget, so that
how bad it was at its worst is not held against it. It comes back when the regret has fallen below
half of the budget and an hour has passed, at a lead time of five minutes: because it would have
been the cheaper one meanwhile, or, at the latest, when it has cost no more for the regret's
half-life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.ledger import Accounts
    from headstart_policy.profile import Profiles
    from headstart_policy.types import Bools, Floats

# The budget, where none is stated: what so many lead times of violation cost, and so many lead
# times of the fleet that the reactive formula keeps: a quarter of an hour and six hours at a lead
# time of five minutes. One spike that nobody could foresee costs a lead time of violations.
VIOLATION_LEAD_TIMES = 3.0
FLEET_LEAD_TIMES = 72.0
# A demoted policy stays so for so many lead times.
AWAY_LEAD_TIMES = 12.0
# It comes back when the regret is below this share of the budget.
FORGIVEN = 0.5


class Trust(NamedTuple):
    """Who is demoted, of N services."""

    demoted: Bools
    """Shape (N,)."""
    since: Floats
    """Seconds since the epoch, NaN where not demoted, shape (N,)."""
    regret: Floats
    """Dollars, held at the budget, shape (N,)."""
    budget: Floats
    """Dollars, shape (N,)."""


def budget(accounts: Accounts, profiles: Profiles, stated: Floats) -> Floats:
    """Dollars of regret that each of N services may cost; ``stated`` where it is not NaN."""
    fleet = accounts.fleet / np.maximum(accounts.weight, 1.0)
    each = VIOLATION_LEAD_TIMES * profiles.violation_cost + FLEET_LEAD_TIMES * (
        profiles.replica_cost * np.maximum(fleet, 1.0)
    )
    allowed: Floats = np.where(np.isnan(stated), each * profiles.lead_time, stated)
    return allowed


def judge(
    accounts: Accounts, since: Floats, stated: Floats, now: Floats, profiles: Profiles
) -> Trust:
    """Demote N services, leave them demoted, or trust them again.

    Parameters
    ----------
    accounts
        Of N services.
    since
        When each was demoted, s since the epoch; NaN: it is trusted; shape (N,).
    stated
        Budgets that users have set, dollars; NaN: the rule of :func:`budget`; shape (N,).
    now
        Seconds since the epoch, shape (N,).
    profiles
        Of the N services.
    """
    allowed = budget(accounts, profiles, stated)
    # A clock that was set back must not demote for ever.
    away = ~(now - since >= AWAY_LEAD_TIMES * profiles.lead_time) & (now >= since)
    stays = away | (accounts.regret > FORGIVEN * allowed)
    demoted = np.where(np.isnan(since), accounts.regret > allowed, stays)
    return Trust(
        demoted=demoted,
        since=np.where(demoted, np.where(np.isnan(since), now, since), np.nan),
        regret=np.minimum(accounts.regret, allowed),
        budget=allowed,
    )

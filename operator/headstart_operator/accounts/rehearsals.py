"""Whose history is to be asked which price keeps to the error budget, and what it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headstart_operator.accounts.scoring import must_rehearse
from headstart_policy.error_budget import Rehearsal

if TYPE_CHECKING:
    from headstart_operator.accounts.scoring import Scoring
    from headstart_operator.service import Service, Sight
    from headstart_policy.error_budget import Goal


def rehearsal_of(
    service: Service, sight: Sight, scoring: Scoring | None
) -> tuple[Rehearsal, Goal] | None:
    """Return what to ask the history of a service; ``None``: there is nothing to ask now."""
    history, policy = service.history, sight.policy
    due = must_rehearse(scoring, sight.profile.lead_time, sight.time)
    if not due or scoring is None or scoring.budget is None:
        return None
    if policy is None or history is None or not sight.history_loaded:
        return None
    # It reaches back for days, and is as coarse as the network looks at it.
    grid = history.coarse
    rehearsal = Rehearsal(policy, sight.profile, sight.spec.limits(), grid.rates.copy(), grid.step)
    return rehearsal, scoring.budget.goal

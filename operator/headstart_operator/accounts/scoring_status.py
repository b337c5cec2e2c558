"""What was scored -> conditions and figures of the status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headstart_operator.accounts.capacity_check import ENOUGH
from headstart_operator.accounts.scoring import demotion_of
from headstart_operator.resource import Mode
from headstart_policy.error_budget import BURN_SHARE
from headstart_policy.guardrails import FALLBACK_UTILIZATION
from headstart_policy.ledger import ACTUAL, OWN, REACTIVE

if TYPE_CHECKING:
    from headstart_operator.accounts.scoring import Scoring

Document = dict[str, Any]
# Whether a condition holds (None: unknown), its reason and its message.
Verdict = tuple[bool | None, str, str]

_NOTHING: Verdict = (None, "NoDecision", "There is no decision yet.")


def policy_trusted(scoring: Scoring | None) -> Verdict:
    """Say whether the policy decides, or was demoted."""
    if scoring is None:
        return _NOTHING
    if why := demotion_of(scoring):
        return False, "Demoted", f"{why}: until it would cost less, the reactive formula decides"
    return True, "Trusted", "The policy costs no more than the reactive formula would for long."


def within_budget(scoring: Scoring | None) -> Verdict:
    """Say whether the error budget is kept to."""
    if scoring is None:
        return _NOTHING
    budget = scoring.budget
    if budget is None:
        return None, "NoBudget", "No error budget is asked for: spec.objective.errorBudget."
    goal = budget.goal
    of = f"{_minutes(goal.seconds)} minutes in {goal.window / 3600:g} h"
    if budget.remaining <= 0:
        return False, "BudgetSpent", f"{_minutes(budget.bad)} bad minutes were spent of {of}"
    if budget.burning:
        hours = goal.window * BURN_SHARE / 3600
        burn = f"{budget.fast_burn:.0f} times as fast as it may, over some {hours:g} h"
        return False, "BudgetBurning", f"the budget of {of} is spent {burn}"
    return True, "WithinBudget", "The error budget is kept to."


def capacity_as_declared(scoring: Scoring | None) -> Verdict:
    """Say whether a replica serves what is declared."""
    if scoring is None:
        return _NOTHING
    drift = scoring.evidence.drift()
    if drift is not None:
        serves = f"a ready replica serves about {drift.ratio * scoring.capacity:.3g} requests/s"
        of = f"{drift.ratio:.2f} times spec.capacity.requestsPerSecond"
        return False, drift.reason, f"{serves}, {of}"
    if scoring.evidence.seen:
        return True, "AsDeclared", "Saturated replicas serve what is declared."
    seen = f"It takes {ENOUGH:.0f} intervals of saturated replicas to see the capacity."
    return None, "NotSaturated", seen


def comparison(scoring: Scoring | None, mode: Mode | None, against: str | None) -> Document | None:
    """Set the policy against what scales the workload now, or against the reactive formula."""
    if scoring is None or not scoring.accounts.seconds[0]:
        return {"against": against} if against else None
    # What observes beside an autoscaler, or beside nobody, is compared with what really ran.
    theirs = ACTUAL if mode is Mode.OBSERVE else REACTIVE
    other = f"the reactive formula at {FALLBACK_UTILIZATION:.0%}"
    if mode is Mode.OBSERVE:
        other = against or "what really ran"
    return {
        "against": other,
        "since": scoring.since,
        "savedDollars": f"{scoring.dollars(theirs) - scoring.dollars(OWN):.2f}",
        "violationMinutes": _minutes(scoring.violation(OWN)),
        "theirViolationMinutes": _minutes(scoring.violation(theirs)),
    }


def budget(scoring: Scoring | None) -> Document | None:
    """Write down what is left of the error budget."""
    if scoring is None or scoring.budget is None:
        return None
    kept = scoring.budget
    return {
        "slo": f"{kept.goal.slo * 100:g}",
        "remainingRatio": f"{kept.remaining:.3f}",
        "spentMinutes": _minutes(kept.bad),
        "hedge": f"{kept.hedge:.3g}",
    }


def violations(scoring: Scoring | None) -> Document | None:
    """Set predicted minutes of violation beside measured ones, of the same time."""
    if scoring is None or not scoring.accounts.seconds[0]:
        return None
    seen = scoring.violations
    if seen is None:
        predicted = _minutes(scoring.violation(ACTUAL))
        return {"since": scoring.since, "predictedMinutes": predicted, "measuredMinutes": None}
    return {
        "since": seen.since,
        "predictedMinutes": _minutes(seen.predicted),
        "measuredMinutes": _minutes(seen.measured),
    }


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.2f}"

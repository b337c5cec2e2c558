"""Whether an error budget would have been kept on recorded loads, and what that cost.

Replays each recording a day at a time as the operator does: each day the history is asked for the
price of a violation that keeps to the budget, what came corrects it, and the network decides by
it; beside it, the same at the declared price::

    python -m headstart_training.budgets ../shared/traces 99.9
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy import artifact
from headstart_policy.error_budget import Budget, Goal, Rehearsal, rehearse
from headstart_policy.guardrails import Guardrails
from headstart_policy.profile import DAY, WEEK, Profile
from headstart_training.loads.traces import read_trace

if TYPE_CHECKING:
    from headstart_policy.artifact import Policy
    from headstart_policy.types import Ints
    from headstart_training.loads.regular import Trace

# Replicas that each recording is scaled to, and its lead time in minutes.
FLEET, LEAD_MINUTES = 20.0, 5.0
MONTH = 30 * DAY
# Days that are history before the first that is decided.
HISTORY_DAYS = 8


class Outcome(NamedTuple):
    """One recording."""

    days: int
    allowed: float
    """Bad minutes in 30 days."""
    declared: float
    """Bad minutes in 30 days at the declared price."""
    budgeted: float
    """The same at the price that the budget asks for."""
    declared_replicas: float
    budgeted_replicas: float
    least_hedge: float
    most_hedge: float


def replay(trace: Trace, policy: Policy, slo: float) -> Outcome:
    """Play a recording with a budget of ``slo`` (a share) of 30 days."""
    rates = trace.filled
    capacity = float(rates.mean()) / FLEET
    profile = Profile(capacity, LEAD_MINUTES * 60, trace.step, seasons=(DAY, WEEK))
    limits, steps = Guardrails(max_replicas=100_000), round(DAY / trace.step)
    budget = Budget(Goal(slo, MONTH))
    bad, replicas, hedges = np.zeros(2), np.zeros(2), []
    days = range(HISTORY_DAYS, len(rates) // steps)
    for day in days:
        now = day * DAY
        history = Rehearsal(policy, profile, limits, rates[: day * steps], trace.step)
        budget = budget.rehearsed(rehearse(history, budget.goal), now)
        # The day that comes, decided step by step by what is known before each.
        coming = Rehearsal(policy, profile, limits, rates[: (day + 1) * steps], trace.step)
        hedges.append(budget.hedge)
        for k, hedge in enumerate((1.0, budget.hedge)):
            played = coming.play(hedge)
            bad[k] += played.violation[-steps:].sum() * trace.step
            replicas[k] += _mean(played.desired[-steps:])
            if k:
                spent = played.violation[-steps:].reshape(24, -1).sum(axis=1) * trace.step
                for hour, seconds in enumerate(spent.tolist()):
                    budget = budget.spend(now + 3600 * hour, seconds, 3600.0).correct(3600.0)
    months = len(days) * DAY / MONTH
    minutes, fleets = bad / 60 / months, replicas / len(days)
    return Outcome(
        days=len(days),
        allowed=budget.goal.seconds / 60,
        declared=float(minutes[0]),
        budgeted=float(minutes[1]),
        declared_replicas=float(fleets[0]),
        budgeted_replicas=float(fleets[1]),
        least_hedge=min(hedges),
        most_hedge=max(hedges),
    )


def main(folder: Path, percent: float) -> None:
    """Print a table of the recordings in a folder."""
    policy = artifact.builtin()
    print(  # noqa: T201
        f"bad minutes in 30 days, mean replicas, and the hedge; slo {percent:g} %\n"
        f"{'recording':24}{'days':>5}{'allowed':>9}{'declared price':>20}{'error budget':>20}"
        f"{'hedge':>14}"
    )
    for file in sorted(folder.glob("*.csv.gz")):
        one = replay(read_trace(file), policy, percent / 100)
        print(  # noqa: T201
            f"{file.name.removesuffix('.csv.gz'):24}{one.days:5d}{one.allowed:9.1f}"
            f"{one.declared:11.1f}{one.declared_replicas:9.1f}"
            f"{one.budgeted:11.1f}{one.budgeted_replicas:9.1f}"
            f"{one.least_hedge:7.2f}-{one.most_hedge:.2f}",
            flush=True,
        )


def _mean(replicas: Ints) -> float:
    return float(replicas.mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))

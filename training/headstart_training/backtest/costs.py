"""What a contender's days cost: replicas, violations and requests that were not served.

Dollars earned less spent differ between contenders by exactly these costs, since all of them face
the same requests; and a cost is what people compare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from headstart_policy.types import Floats
    from headstart_training.backtest.accounts import Account
    from headstart_training.backtest.protocol import Contest


class Costs(NamedTuple):
    """Dollars of each of D days, shape (D,)."""

    replicas: Floats
    violations: Floats
    lost: Floats
    """Value of the requests that were not served."""

    @property
    def total(self) -> Floats:
        """Shape (D,)."""
        return self.replicas + self.violations + self.lost


def costs(contest: Contest, account: Account) -> Costs:
    """Divide what a contender's days cost."""
    goal, world = contest.profile.objective, contest.halves.test
    value = contest.calendar.sums(
        world.rates[0] * contest.service.interval * goal.request_value / 1000
    )
    replicas = account.replica_hours * goal.replica_cost
    violations = account.violation_minutes * goal.violation_cost
    return Costs(replicas, violations, value - account.dollars - replicas - violations)


def cost_per_day(contest: Contest, account: Account) -> float:
    """Mean over the known time."""
    return float(costs(contest, account).total.sum() / contest.calendar.lengths.sum())

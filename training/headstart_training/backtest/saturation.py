"""Whether the result stands if the load was larger where the recording could not show it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_training.backtest.actual import saturated
from headstart_training.backtest.protocol import hold

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy
    from headstart_training.backtest.accounts import Account
    from headstart_training.backtest.protocol import Contest
    from headstart_training.baselines.hpa import HPA

# What the load may have been in flagged steps, over what was recorded.
FACTORS = (1.2, 2.0)


class Saturation(NamedTuple):
    """The contest repeated with a larger load in the flagged steps."""

    minutes: float
    """Flagged in the whole recording."""
    winners: dict[float, str]
    """By factor, 1 as recorded."""
    accounts: dict[float, dict[str, Account]]
    """By factor, without 1."""

    @property
    def conclusive(self) -> bool:
        """Whether the winner is the same throughout."""
        return len(set(self.winners.values())) == 1

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values."""
        return {
            "flagged_minutes": self.minutes,
            "conclusive": self.conclusive,
            "winners": {f"{factor:g}": winner for factor, winner in self.winners.items()},
            "contenders": {
                f"{factor:g}": {name: account.to_json() for name, account in accounts.items()}
                for factor, accounts in self.accounts.items()
            },
        }


def repeat(
    contest: Contest,
    policy: Policy,
    current: HPA | None = None,
    heard: Callable[[str], None] = lambda _: None,
) -> Saturation:
    """Hold the contest again with each factor, baselines tuned anew; not where nothing is flagged.

    Parameters are those of :func:`headstart_training.backtest.protocol.hold`.
    """
    service, profile = contest.service, contest.profile
    flagged = saturated(service, profile.capacity)
    winners, accounts = {1.0: contest.winner}, {}
    for factor in FACTORS if flagged.any() else ():
        rates = np.where(flagged, factor * service.rates, service.rates)
        again = hold(replace(service, rates=rates), profile, policy, current, heard)
        winners[factor], accounts[factor] = again.winner, again.accounts
    minutes = float(flagged.sum()) * service.interval / 60
    return Saturation(minutes, winners, accounts)

"""The protocol: tune on the first half, test on the second, everybody on the same load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart_policy.guardrails import Guardrails
from headstart_training.backtest.accounts import Account, Calendar, account, calendar
from headstart_training.backtest.contenders import enter
from headstart_training.backtest.worlds import Halves, split
from headstart_training.contest import Result, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy
    from headstart_policy.profile import Profile
    from headstart_training.backtest.services import Service
    from headstart_training.backtest.setting import Setting

# Far above what any load here needs: no bound but the policy's own shall decide.
GUARDRAILS = Guardrails(max_replicas=100_000)


@dataclass(frozen=True)
class Contest:
    """What every contender came to on the test half of one service.

    Attributes
    ----------
    service, profile
        What was played, and what was assumed of it.
    halves, calendar
        How the recording was divided.
    results
        Of the test half by contender, N = 1.
    settings
        What each contender was set to, in words.
    """

    service: Service
    profile: Profile
    halves: Halves
    calendar: Calendar
    results: dict[str, Result]
    settings: dict[str, str]

    @property
    def accounts(self) -> dict[str, Account]:
        """What each contender came to, day by day."""
        return {name: account(result, self.calendar) for name, result in self.results.items()}


def hold(
    service: Service,
    setting: Setting,
    policy: Policy,
    heard: Callable[[str], None] = lambda _: None,
) -> Contest:
    """Hold the contest on one service.

    Parameters
    ----------
    service
        The recording.
    setting
        What to assume of it.
    policy
        Headstart's.
    heard
        Called with service and contender once it has decided.
    """
    profile = setting.profile(service)
    halves = split(service, profile)
    results, settings = {}, {}
    for entry in enter(halves, policy, GUARDRAILS):
        results[entry.name] = settle(halves.test, entry.desired)
        settings[entry.name] = entry.setting
        heard(f"{service.name}: {entry.name}")
    return Contest(service, profile, halves, calendar(service), results, settings)

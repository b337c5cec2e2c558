"""The protocol: tune on the first half, test on the second, everybody on the same load."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from headstart_policy.guardrails import Guardrails
from headstart_training.backtest.accounts import Account, Calendar, account, calendar
from headstart_training.backtest.actual import censor, ran, saturated
from headstart_training.backtest.contenders import (
    ACTUAL,
    CLAIRVOYANT,
    HEADSTART,
    HPA_CURRENT,
    HPA_TUNED,
    enter,
)
from headstart_training.backtest.worlds import Halves, split
from headstart_training.contest import Result, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy
    from headstart_policy.profile import Profile
    from headstart_policy.types import Bools, Ints
    from headstart_training.backtest.services import Service
    from headstart_training.baselines.hpa import HPA
    from headstart_training.baselines.tuning import Candidate

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
    choices
        The baselines, as they were tuned.
    saturated
        Steps of the test half that may hide a larger load, shape (T,).
    """

    service: Service
    profile: Profile
    halves: Halves
    calendar: Calendar
    results: dict[str, Result]
    settings: dict[str, str]
    choices: dict[str, Candidate]
    saturated: Bools

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """What each contender came to, day by day."""
        return {name: account(result, self.calendar) for name, result in self.results.items()}

    @property
    def paths(self) -> dict[str, Ints]:
        """What everybody who decides on the load asked for, shape (1, T) each."""
        return {name: r.desired for name, r in self.results.items() if name != ACTUAL}

    @property
    def reference(self) -> str:
        """Whom Headstart has to beat: the user's own HPA where it is known, else the tuned one."""
        return HPA_CURRENT if HPA_CURRENT in self.results else HPA_TUNED

    @property
    def winner(self) -> str:
        """Headstart or the reference: who has more dollars."""
        accounts = self.accounts
        return max(
            (HEADSTART, self.reference), key=lambda name: float(accounts[name].dollars.sum())
        )


def hold(
    service: Service,
    profile: Profile,
    policy: Policy,
    current: HPA | None = None,
    heard: Callable[[str], None] = lambda _: None,
) -> Contest:
    """Hold the contest on one service.

    Parameters
    ----------
    service, profile
        The recording, and what to assume of the service.
    policy
        Headstart's.
    current
        The user's own HPA, where it is known.
    heard
        Called with service and contender once it has decided.
    """
    halves = split(service, profile)
    actual = ran(service, halves.test)
    flagged = saturated(service, profile.capacity)[service.half :]
    results: dict[str, Result] = {}
    settings: dict[str, str] = {}
    choices: dict[str, Candidate] = {}
    for entry in enter(halves, policy, GUARDRAILS, current):
        result = settle(halves.test, entry.desired)
        # The limit stays the limit of the recorded load; everybody else is a candidate.
        if actual is not None and entry.name != CLAIRVOYANT:
            result = censor(result, actual, flagged)
        results[entry.name] = result
        settings[entry.name] = entry.setting
        if entry.choice is not None:
            choices[entry.name] = entry.choice
        heard(f"{service.name}: {entry.name}")
    if actual is not None:
        results[ACTUAL], settings[ACTUAL] = actual, "what really ran"
    return Contest(service, profile, halves, calendar(service), results, settings, choices, flagged)

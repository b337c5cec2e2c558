"""What decisions came to, on the load that came: accounts, trust, error budget, evidence.

Scores the interval that has passed before the next decision is taken, for all services of a batch
at once, and notes afterwards what was asked for. No clock and no I/O.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_operator.accounts.capacity_check import Evidence
from headstart_operator.accounts.selection import basis_of
from headstart_operator.resource import Mode
from headstart_operator.sources.sli import Sample, Violations
from headstart_policy import demotion, ledger
from headstart_policy.error_budget import Budget, Goal, Price, hedged
from headstart_policy.guardrails import allowed
from headstart_policy.ledger import ACTUAL, OWN, REACTIVE, Accounts
from headstart_policy.profile import Profiles
from headstart_policy.selector import Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_operator.resource import Spec
    from headstart_operator.service import Sight
    from headstart_policy.artifact import Policy
    from headstart_policy.decision import Decision, Recommendation
    from headstart_policy.guardrails import Situation
    from headstart_policy.observation import Observation
    from headstart_policy.profile import Profile
    from headstart_policy.types import Ints

# The history is asked for a price again after so many lead times: a day at five minutes.
REHEARSE_LEAD_TIMES = 288.0


class News(NamedTuple):
    """What came in since the last decision."""

    sample: Sample | None = None
    price: Price | None = None
    """That the history asks for."""
    rehearsed: bool = False
    """Whether the history was asked, with or without an answer."""


class Spent(NamedTuple):
    """Dollars of the newest interval."""

    own: float = 0.0
    reactive: float = 0.0


@dataclass(frozen=True)
class Scoring:
    """What one service came to.

    Attributes
    ----------
    accounts
        Of one service.
    time, basis
        The instant that they were left at, s since the epoch, and the prices that they are in.
    since
        When they were opened, s since the epoch.
    demoted_since, regret_budget
        When the policy was demoted, s since the epoch; ``None``: it is trusted. And the regret that
        it may cause, dollars.
    budget
        ``None``: none is asked for.
    violations
        ``None``: no sli is asked for.
    evidence, capacity
        Of the capacity, and what is declared, requests/s.
    spent
        In the newest interval.
    """

    accounts: Accounts
    time: float
    basis: str
    since: float
    demoted_since: float | None = None
    regret_budget: float = 0.0
    budget: Budget | None = None
    violations: Violations | None = None
    evidence: Evidence = field(default_factory=Evidence)
    capacity: float = 0.0
    spent: Spent = field(default_factory=Spent)

    @property
    def hedge(self) -> float | None:
        """The price of a violation, as a multiple of the declared one; ``None``: as declared."""
        return None if self.budget is None else self.budget.hedge

    def dollars(self, account: int) -> float:
        """Spent so far."""
        return float(self.accounts.dollars[0, account])

    def violation(self, account: int) -> float:
        """Seconds under the SLO so far, expected."""
        return float(self.accounts.violation[0, account])

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return {
            "time": self.time,
            "basis": self.basis,
            "since": self.since,
            "demotedSince": self.demoted_since,
            "regretBudget": self.regret_budget,
            **self.accounts.to_json(),
            "budget": self.budget.to_json() if self.budget else None,
            "violations": self.violations.to_json() if self.violations else None,
            "evidence": self.evidence.to_json(),
            "capacity": self.capacity,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> Scoring | None:
        """Read what :meth:`to_json` wrote; ``None`` from anything else: it begins afresh.

        Raises nothing: a status may be edited by hand.
        """
        try:
            if document is None:
                return None
            demoted, budget = document["demotedSince"], document["budget"]
            violations = document["violations"]
            return cls(
                accounts=Accounts.from_json(document),
                time=_finite(document["time"]),
                basis=str(document["basis"]),
                since=_finite(document["since"]),
                demoted_since=None if demoted is None else _finite(demoted),
                regret_budget=_finite(document["regretBudget"]),
                budget=None if budget is None else Budget.from_json(budget),
                violations=None if violations is None else Violations.from_json(violations),
                evidence=Evidence.from_json(document["evidence"]),
                capacity=_finite(document["capacity"]),
            )
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None


def priced(scoring: Scoring | None, profile: Profile) -> Profile:
    """Return the profile that is decided by: with an error budget, violations at its price."""
    hedge = scoring.hedge if scoring else None
    return profile if hedge is None else hedged(profile, hedge)


def go_on(
    scoring: Scoring | None, policy: Policy | None, spec: Spec, profile: Profile, time: float
) -> Scoring:
    """Bring what was scored to the instant ``time``, s since the epoch, or begin.

    Under other prices old dollars say nothing of new ones: accounts begin anew. The error budget
    is counted in seconds and goes on.
    """
    steps = int(_lead_steps(profile))
    goal = _goal(spec)
    budget = scoring.budget if scoring else None
    if goal is None:
        budget = None
    elif budget is None or budget.goal != goal:
        budget = Budget(goal)
    # A policy that cannot be read now is the same one in a moment.
    basis = basis_of(policy, profile) if policy else scoring.basis if scoring else ""
    if scoring is None or scoring.basis != basis:
        accounts = Accounts.begin(1, steps)
        scoring = Scoring(accounts, time, basis, since=time)
    else:
        missed = round((time - scoring.time) / profile.interval) - 1
        accounts = scoring.accounts.one(0, steps).resume(missed)
    violations = scoring.violations or Violations(since=time)
    return replace(
        scoring,
        accounts=accounts,
        time=time,
        budget=budget,
        violations=violations if spec.objective.sli else None,
        capacity=profile.capacity,
        spent=Spent(),
    )


@dataclass(frozen=True)
class Scored:
    """N services after the interval that has passed, before the next decision."""

    sights: Sequence[Sight]
    scorings: Sequence[Scoring]
    accounts: Accounts
    profiles: Profiles
    ready: Ints
    current: Ints

    @cached_property
    def demoted(self) -> list[str | None]:
        """Why each policy has lost its say; ``None``: it has it."""
        return [demotion_of(scoring) for scoring in self.scorings]

    def remember(
        self, asked: Recommendation, decisions: Sequence[Decision], at: Situation
    ) -> list[Scoring | None]:
        """Note what was asked for now; what is unknown stays as it was."""
        wishes = np.column_stack([asked.replicas, at.reactive])
        # In mode Assist the HPA asks for more than its floor where it wants more.
        own = [
            max(decision.desired, current) if sight.spec.mode is Mode.ASSIST else decision.desired
            for decision, current, sight in zip(
                decisions, self.current.tolist(), self.sights, strict=True
            )
        ]
        paths = np.column_stack([np.array(own), allowed(wishes, at)])
        noted = ledger.remember(self.accounts, paths, self.ready, at.lost, at.history_loaded)
        steps = self.profiles.lead_steps.tolist()
        return [
            # On half of a history nothing is learned: the time at which it was must not move.
            replace(scoring, accounts=noted.one(i, steps[i]))
            if sight.history_loaded
            else sight.memory.scoring
            for i, (sight, scoring) in enumerate(zip(self.sights, self.scorings, strict=True))
        ]


def score(sights: Sequence[Sight], observation: Observation, at: Situation) -> Scored:
    """Price the interval that has passed, and judge who is to be trusted with the next."""
    before = [
        go_on(sight.memory.scoring, sight.policy, sight.spec, sight.profile, sight.time)
        for sight in sights
    ]
    accounts = Accounts.stack([scoring.accounts for scoring in before])
    profiles = observation.profiles
    # An older rate tells nothing of the interval that has just passed.
    fresh = at.history_loaded & (at.rate_age < at.interval)
    fleet = Fleet(observation.ready, observation.current)
    rate = np.where(fresh, at.rate, np.nan)
    step = ledger.price(accounts, rate, fleet, profiles, profiles.lead_steps)
    steady = step.known & (accounts.ready == observation.ready) & (step.served > 0)
    load = np.where(
        steady, np.nan_to_num(rate) / (np.maximum(step.served, 1) * profiles.capacity), np.nan
    )
    entered = ledger.enter(accounts, step, profiles)
    # Pods that do not come are nobody's choice: it is paid for, but not held against the policy.
    blocked = np.array([sight.blocked for sight in sights], dtype=bool)
    regret = np.where(blocked, np.minimum(accounts.regret, entered.regret), entered.regret)
    accounts = entered._replace(regret=regret)
    trust = demotion.judge(
        accounts,
        np.array([math.nan if s.demoted_since is None else s.demoted_since for s in before]),
        np.array([_regret_budget(sight.spec) for sight in sights]),
        at.now,
        profiles,
    )
    accounts = accounts._replace(regret=trust.regret)
    since, budgets, loads = trust.since.tolist(), trust.budget.tolist(), load.tolist()
    spent = step.dollars[:, [OWN, REACTIVE]].tolist()
    bad = step.violation[:, ACTUAL].tolist()
    after = []
    for i, (sight, scoring) in enumerate(zip(sights, before, strict=True)):
        scored = replace(
            scoring,
            accounts=accounts.row(i),
            demoted_since=None if math.isnan(since[i]) else since[i],
            regret_budget=budgets[i],
            spent=Spent(*spent[i]),
        )
        interval = sight.profile.interval if step.known[i] else 0.0
        after.append(_learn(scored, sight, interval, bad[i] * interval, loads[i]))
    return Scored(sights, after, accounts, profiles, observation.ready, observation.current)


def demotion_of(scoring: Scoring) -> str | None:
    """Say why a policy is demoted; ``None``: it is trusted."""
    if scoring.demoted_since is None:
        return None
    regret = float(scoring.accounts.regret[0])
    return (
        f"its choices cost ${regret:,.2f} more than the reactive formula's "
        f"(regret budget: ${scoring.regret_budget:,.2f})"
    )


def must_rehearse(scoring: Scoring | None, lead_time: float, now: float) -> bool:
    """Whether it is time to ask the history which price keeps to the error budget."""
    if scoring is None or scoring.budget is None:
        return False
    last = scoring.budget.rehearsed_at
    return last is None or not 0 <= now - last < REHEARSE_LEAD_TIMES * lead_time


def _learn(
    scoring: Scoring, sight: Sight, seconds: float, predicted: float, load: float
) -> Scoring:
    """Count an interval of ``seconds``, ``predicted`` of them under the SLO, as what it shows.

    ``load`` is what each ready replica got, in declared capacities; NaN where the fleet changed.
    """
    news = sight.news
    bad, total, good = predicted, seconds, None
    violations = scoring.violations
    if violations is not None:
        bad, total = 0.0, 0.0
        if news.sample is not None:
            violations, bad, total, good = _measured(scoring, violations, sight, news.sample)
    budget = scoring.budget
    if budget is not None:
        if news.rehearsed:
            budget = budget.rehearsed(news.price, sight.time)
        if total > 0:
            budget = budget.spend(sight.time, bad, total)
            # Where others scale the workload, or the formula does, the price is not to blame.
            if sight.spec.mode is not Mode.OBSERVE and scoring.demoted_since is None:
                budget = budget.correct(total)
    evidence = scoring.evidence
    if math.isfinite(load) and (violations is None or good is not None):
        intervals = total / sight.profile.interval if good is not None else 1.0
        evidence = evidence.add(load, good=good, intervals=intervals)
    return replace(scoring, violations=violations, budget=budget, evidence=evidence)


def _measured(
    scoring: Scoring, violations: Violations, sight: Sight, sample: Sample
) -> tuple[Violations, float, float, bool | None]:
    """Count what was measured since the last sample: violations, bad and all seconds, whether good.

    A sample that is missing says nothing of the seconds before it.
    """
    violation, counted = scoring.violation(ACTUAL), float(scoring.accounts.seconds[0])
    seconds = max(0.0, counted - violations.counted)
    marked = violations.mark(counted, violation)
    if not math.isfinite(sample.share) or seconds <= 0:
        return marked, 0.0, 0.0, None
    good = sample.share >= sight.profile.objective.slo
    bad = 0.0 if good else seconds
    predicted = max(0.0, violation - violations.expected)
    return marked.add(seconds, predicted, bad), bad, seconds, good


def _goal(spec: Spec) -> Goal | None:
    wanted = spec.objective.error_budget
    return None if wanted is None else Goal(wanted.slo / 100, wanted.window)


def _regret_budget(spec: Spec) -> float:
    stated = spec.guardrails.demotion.regret_budget
    return math.nan if stated is None else stated


@lru_cache(maxsize=8192)
def _lead_steps(profile: Profile) -> int:
    return int(Profiles.stack([profile]).lead_steps[0])


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} must be finite")
    return number

"""Scoring in the batch: demotion, error budget, sli and restarts, an interval at a time."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headstart_operator.accounts.scoring import News, Scoring, must_rehearse, priced
from headstart_operator.accounts.scoring_status import (
    budget,
    capacity_as_declared,
    comparison,
    policy_trusted,
    violations,
    within_budget,
)
from headstart_operator.batch import decide_together
from headstart_operator.memory import Memory
from headstart_operator.orders.orders import Orders
from headstart_operator.resource import Mode, Spec
from headstart_operator.service import Sight
from headstart_operator.sources.sli import Sample
from headstart_policy import artifact
from headstart_policy.error_budget import Price
from headstart_policy.ledger import ACTUAL, OWN, REACTIVE
from tests.integration.operator.world import an_artifact
from tests.unit.operator.test_resource import MINIMAL
from tests.unit.policy.build import an_observation

NOW = 1_767_225_600.0
WASTEFUL = artifact.parse(an_artifact(6.0))
OBJECTIVE = {
    "slo": "99.5",
    "replicaCostPerHour": "30",
    "violationCostPerMinute": "600",
    "valuePerThousandRequests": "0",
}
SPEC = {
    **MINIMAL,
    "mode": "Auto",
    "interval": "1s",
    "leadTime": {"default": "2s"},
    "capacity": {"requestsPerSecond": "5"},
    "maxReplicas": 100,
    "seasons": ["60s"],
    "objective": OBJECTIVE,
    "guardrails": {"demotion": {"regretBudget": "1"}},
}


class Service:
    """One service whose replicas are always what was decided, or what somebody else sets."""

    def __init__(self, policy: artifact.Policy = WASTEFUL, **spec: Any) -> None:
        self.spec = Spec.parse({**SPEC, **spec})
        self.policy = policy
        self.memory = Memory()
        self.time = NOW
        self.rates = [19.0] * 400
        self.current = 6
        self.desired = 6

    @property
    def scoring(self) -> Scoring:
        """What it was scored with."""
        assert self.memory.scoring is not None
        return self.memory.scoring

    def sight(self, rate: float, news: News) -> Sight:
        """See it at ``rate``."""
        self.rates = [*self.rates[1:], rate]
        profile = self.spec.profile(2.0)
        decided = priced(self.memory.scoring, profile)
        observation = an_observation(np.array([self.rates]), decided, current=self.current)
        return Sight(
            time=self.time,
            spec=self.spec,
            profile=profile,
            memory=self.memory,
            selection=None,
            observation=observation,
            rate=rate,
            rate_age=0.0 if math.isfinite(rate) else 10.0,
            watched=3600.0,
            history_loaded=True,
            raise_only=None,
            orders=Orders(),
            held=self.current,
            policy=self.policy,
            news=news,
        )

    def live(self, seconds: int, rate: float, news: News | None = None) -> Service:
        """Let time pass at a rate."""
        for _ in range(seconds):
            self.time += 1.0
            (verdict,) = decide_together([self.sight(rate, news or News())])
            # As if it were killed and started anew each time.
            memory = replace(self.memory, scoring=verdict.scoring)
            self.memory = Memory.from_json(json.loads(json.dumps(memory.to_json())))
            self.desired = verdict.decision.desired
            if self.spec.mode is Mode.AUTO:
                self.current = self.desired
        return self


def test_a_wasteful_policy_gives_way_and_comes_back() -> None:
    service = Service().live(3, 19.0)
    assert service.desired == 23
    assert policy_trusted(service.scoring)[:2] == (True, "Trusted")
    # 17 replicas too many are 14 cents a second.
    service.live(6, 19.0)
    assert service.desired == 6
    trusted, reason, message = policy_trusted(service.scoring)
    assert (trusted, reason) == (False, "Demoted")
    assert "cost $1.00 more than the reactive formula's (regret budget: $1.00)" in message
    own, reactive = service.scoring.dollars(OWN), service.scoring.dollars(REACTIVE)
    assert own > reactive
    # What decides now is the formula: the two accounts grow alike.
    service.live(20, 19.0)
    assert service.scoring.dollars(OWN) - own == pytest.approx(
        service.scoring.dollars(REACTIVE) - reactive, abs=0.3
    )
    # Three times the load: 23 replicas would have served it, 6 do not.
    service.live(3, 59.0)
    assert not service.scoring.accounts.regret[0]
    service.live(20, 0.5)
    assert policy_trusted(service.scoring)[1] == "Trusted"
    assert service.live(5, 19.0).desired == 23


def test_other_prices_open_new_accounts() -> None:
    service = Service().live(30, 19.0)
    assert service.desired == 6
    service.spec = Spec.parse({**SPEC, "capacity": {"requestsPerSecond": "6"}})
    service.live(1, 19.0)
    assert service.scoring.since == service.time
    assert service.scoring.demoted_since is None


def test_what_really_ran_is_what_an_observer_is_compared_with() -> None:
    service = Service(mode="Observe")
    service.current = 12
    service.live(60, 19.0)
    scoring = service.scoring
    assert scoring.dollars(ACTUAL) == pytest.approx(59 * 12 * 30 / 3600, rel=0.01)
    shown = comparison(scoring, Mode.OBSERVE, "HorizontalPodAutoscaler/checkout")
    assert shown is not None
    assert shown["against"] == "HorizontalPodAutoscaler/checkout"
    saved = scoring.dollars(ACTUAL) - scoring.dollars(OWN)
    assert shown["savedDollars"] == f"{saved:.2f}"
    auto = comparison(scoring, Mode.AUTO, None)
    assert auto is not None
    assert auto["against"] == "the reactive formula at 70%"
    assert comparison(None, Mode.OBSERVE, "HPA") == {"against": "HPA"}
    assert comparison(None, Mode.AUTO, None) is None


@pytest.mark.parametrize(("running", "paid"), [(30, 30), (12, 23)])
def test_what_an_hpa_asks_for_beyond_its_floor_is_paid_for_too(running: int, paid: int) -> None:
    service = Service(mode="Assist")
    service.current = running
    service.live(3, 19.0)
    assert service.desired == 23
    assert service.scoring.accounts.asked[0, OWN, 0] == paid


def test_a_budget_is_spent_by_what_is_measured_and_not_by_what_is_expected() -> None:
    objective = {
        **OBJECTIVE,
        "errorBudget": {"slo": "99", "window": "10m"},
        "sli": {"query": "up"},
    }
    service = Service(objective=objective)
    for _ in range(20):
        service.live(3, 19.0).live(1, 19.0, News(Sample(service.time, 1.0)))
    assert within_budget(service.scoring)[1] == "WithinBudget"
    for _ in range(3):
        service.live(3, 19.0).live(1, 19.0, News(Sample(service.time, 0.9)))
    holds, reason, message = within_budget(service.scoring)
    assert (holds, reason) == (False, "BudgetSpent")
    assert message == "0.20 bad minutes were spent of 0.10 minutes in 0.166667 h"
    shown = violations(service.scoring)
    assert shown is not None
    assert (shown["predictedMinutes"], shown["measuredMinutes"]) == ("0.00", "0.20")
    left = budget(service.scoring)
    assert left is not None
    assert (left["slo"], left["remainingRatio"], left["spentMinutes"]) == ("99", "-1.000", "0.20")
    # What nobody measured is neither good nor bad.
    before = service.scoring.violations
    service.live(3, 19.0).live(1, 19.0, News(Sample(service.time, math.nan)))
    after = service.scoring.violations
    assert before is not None
    assert after is not None
    assert (after.measured, after.seconds) == (before.measured, before.seconds)


def test_a_budget_without_an_sli_is_spent_by_what_is_expected() -> None:
    service = Service(objective={**OBJECTIVE, "errorBudget": {"slo": "99", "window": "10m"}})
    service.live(10, 19.0)
    service.current = 1
    service.spec = Spec.parse({**SPEC, "mode": "Observe", "objective": service_objective()})
    service.live(20, 19.0)
    assert within_budget(service.scoring)[1] == "BudgetSpent"


def service_objective() -> dict[str, Any]:
    """Ask for an error budget."""
    return {**OBJECTIVE, "errorBudget": {"slo": "99", "window": "10m"}}


def test_the_price_that_the_history_asks_for_is_the_price_that_is_decided_by() -> None:
    service = Service(objective=service_objective()).live(2, 19.0)
    assert must_rehearse(service.scoring, 2.0, service.time)
    assert service.scoring.hedge == 1.0
    news = News(price=Price(3.0, 0.1, 8.0), rehearsed=True)
    service.live(1, 19.0, news)
    assert not must_rehearse(service.scoring, 2.0, service.time)
    assert must_rehearse(service.scoring, 2.0, service.time + 600)
    assert service.scoring.hedge == pytest.approx(3.0, rel=0.01)
    profile = service.spec.profile(2.0)
    decided = priced(service.scoring, profile).objective.violation_cost
    assert decided == pytest.approx(1800.0, rel=0.01)
    # The accounts go on: the hedge is no other price of the user's.
    assert service.live(1, 19.0).scoring.since < service.time - 1


def test_no_budget_no_sli_and_nothing_saturated_are_unknown_not_good() -> None:
    service = Service().live(5, 19.0)
    assert within_budget(service.scoring)[:2] == (None, "NoBudget")
    assert capacity_as_declared(service.scoring)[:2] == (None, "NotSaturated")
    assert budget(service.scoring) is None
    for verdict in (policy_trusted, within_budget, capacity_as_declared):
        assert verdict(None)[0] is None


def test_a_capacity_that_is_lower_than_declared_is_seen_by_the_sli() -> None:
    """Replicas that are declared to serve 5 serve 3.5: bad over that, good under it."""
    service = Service(mode="Observe", objective={**OBJECTIVE, "sli": {"query": "up"}})
    service.current = 10
    for k in range(40):
        rate = 25.0 if k % 2 else 45.0
        share = 1.0 if rate < 35 else 0.8
        service.live(3, rate).live(1, rate, News(Sample(service.time, share)))
    holds, reason, message = capacity_as_declared(service.scoring)
    assert (holds, reason) == (False, "CapacityLower")
    assert message.startswith("a ready replica serves about 3.")
    assert "times spec.capacity.requestsPerSecond" in message


def test_a_lost_rate_is_not_scored() -> None:
    service = Service().live(5, 19.0)
    before = service.scoring.accounts.dollars.copy()
    service.live(5, math.nan)
    np.testing.assert_array_equal(service.scoring.accounts.dollars, before)


@pytest.mark.parametrize(
    "broken", [{"time": "never"}, {"asked": 5}, {"evidence": None}, {"budget": {}}]
)
def test_a_status_that_was_edited_begins_anew(broken: dict[str, Any]) -> None:
    document = Service().live(3, 19.0).memory.to_json()
    document["accounts"].update(broken)
    again = Memory.from_json(document)
    assert again.scoring is None
    assert again.lead_times == Memory().lead_times

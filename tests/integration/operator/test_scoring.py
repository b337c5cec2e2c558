"""Live accounts: an awful policy gives way, and comes back when it would have been better."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from headstart_operator.resource import Spec
from headstart_policy.observation import Observation
from tests.cluster import wait_until
from tests.integration.operator.records import Record, replay
from tests.integration.operator.world import an_artifact, rate_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Prometheus
    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import Operator, World

# A replica is dear and a violation cheap, so that waste is told in seconds.
OBJECTIVE = {
    "slo": "99.5",
    "replicaCostPerHour": "30",
    "violationCostPerMinute": "600",
    "valuePerThousandRequests": "0",
}
FAST = {"leadTime": {"default": "1s"}, "objective": OBJECTIVE}


@pytest.fixture(scope="module")
def operator(world: World, load: Exporter, monitoring: Prometheus) -> Iterator[Operator]:
    """Provide one operator, and services that are scaled badly."""
    world.config_map("wasteful", an_artifact(6.0))
    world.config_map("lean", an_artifact(1.0))

    def a_service(name: str, rate: float, artifact: str, **spec: Any) -> None:
        load.set(name, rate)
        load.set(f"{name}-good", rate)
        world.deployment(name, spec.pop("replicas", 4), lead_time=1)
        world.policy(name, policy={"configMap": {"name": artifact, "key": "policy"}}, **spec)

    a_service("wasteful", 19, "wasteful", guardrails={"demotion": {"regretBudget": "3"}}, **FAST)
    a_service("observed", 19, "wasteful", mode="Observe", replicas=12, **FAST)
    budget = {"slo": "99", "window": "2m"}
    sli = {"query": f"{rate_of('lean-good')} / {rate_of('lean')}"}
    a_service(
        "lean",
        39,
        "lean",
        replicas=8,
        mode="Observe",
        objective={**OBJECTIVE, "errorBudget": budget, "sli": sli},
    )
    with world.start_operator(monitoring.url) as running:
        yield running


def test_a_wasteful_policy_is_demoted_and_comes_back(
    world: World, load: Exporter, operator: Operator
) -> None:
    """3.8 replicas are needed: the policy asks for 23, the reactive formula for 6.

    That is 14 cents a second, so three dollars are lost in 21 s. Then the load grows to three
    times: the fleet that the policy would have had serves it, the formula's does not, and nothing
    is regretted any more. On the way down the policy wastes a dollar or less, which is under half
    of the budget: after twelve lead times it decides again.
    """
    condition = world.wait_condition("wasteful", "PolicyTrusted", "False", "Demoted", seconds=90)
    assert "(regret budget: $3.00)" in condition["message"]
    world.wait_replicas("wasteful", 6, 6)
    assert "demotion" in {
        limit["guardrail"] for limit in world.status("wasteful")["lastDecision"]["limits"]
    }
    assert world.wait_event("wasteful", "Demoted")["type"] == "Warning"
    assert operator.metric("headstart_condition", policy="wasteful", type="PolicyTrusted") == 0
    for cost in ("cost", "reactive_cost"):
        assert (operator.metric(f"headstart_{cost}_dollars_total", policy="wasteful") or 0) > 0
    load.set("wasteful", 59)
    world.wait_replicas("wasteful", 17, 17)
    # At so little both ask for one.
    load.set("wasteful", 0.5)
    world.wait_condition("wasteful", "PolicyTrusted", "True", "Trusted", seconds=90)
    assert world.wait_event("wasteful", "Trusted")["type"] == "Normal"


def test_beside_somebody_else_the_accounts_say_what_it_would_have_cost(
    world: World, operator: Operator
) -> None:
    """12 replicas run where the policy asks for 23."""
    comparison = wait_until(
        "a comparison", lambda: world.status("observed").get("comparison"), timeout=60
    )
    assert comparison["against"] == "what really ran"
    assert float(comparison["theirViolationMinutes"]) < 1

    def cost() -> float:
        return operator.metric("headstart_cost_dollars_total", policy="observed") or 0.0

    # 23 replicas are 19 cents a second, though 12 run.
    before = cost()
    wait_until("the account of what was decided to grow", lambda: cost() > before + 0.5)
    assert world.replicas("observed") == 12


def test_an_error_budget_is_spent_by_what_is_measured(
    world: World, load: Exporter, operator: Operator
) -> None:
    """Half of the requests fail, whatever the model predicts: 1.2 s of 2 minutes may be bad."""
    world.wait_condition("lean", "WithinBudget", "True", "WithinBudget")
    load.set("lean-good", 19)
    condition = world.wait_condition("lean", "WithinBudget", "False", "BudgetSpent")
    assert "bad minutes were spent of 0.02 minutes in" in condition["message"]
    status = world.status("lean")
    assert float(status["budget"]["remainingRatio"]) < 0
    assert float(status["violations"]["measuredMinutes"]) > 0
    remaining = operator.metric("headstart_budget_remaining_ratio", policy="lean")
    assert remaining is not None
    assert remaining < 0


def test_what_a_demoted_policy_decided_replays(operator: Operator) -> None:
    record = Record(operator.record)
    lines = [line for line in record.of("wasteful", "decision") if line["artifact"]]
    spec = Spec.parse(record.of("wasteful", "history")[0]["spec"])
    seen = [Observation.from_json(line["observation"]) for line in lines]
    decided = replay(record, lines, [spec] * len(lines), Observation.concatenate(seen))
    again = json.loads(json.dumps([one.to_json() for one in decided]))
    assert again == [line["decision"] for line in lines]
    assert any(limit.guardrail == "demotion" for one in decided for limit in one.limits)

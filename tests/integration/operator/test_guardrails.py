"""What people order and what the cluster admits, on the real control plane."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from headstart_operator.resource import Spec
from headstart_policy.observation import Observation
from tests.cluster import CORE, ApiError, wait_until
from tests.integration.operator.records import Record, replay
from tests.integration.operator.world import WIDE, an_artifact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Prometheus
    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import Operator, World

# 19 requests/s at 5 each need 3.8 replicas, of which the policy asks for half as many again.
LOAD, REPLICAS = 19.0, 6
PRIORITY = "headstart-guardrails"


def instant(seconds: float) -> str:
    """Write an instant so many seconds from now."""
    return datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def limits(world: World, name: str) -> list[dict[str, Any]]:
    """Limits of the last decision."""
    found: list[dict[str, Any]] = world.status(name).get("lastDecision", {}).get("limits", [])
    return found


def wait_limit(world: World, name: str, guardrail: str) -> str:
    """Wait until a guardrail changes a decision; return its reason."""

    def reason() -> str:
        found = [c["reason"] for c in limits(world, name) if c["guardrail"] == guardrail]
        return str(found[0]) if found else ""

    return wait_until(f"{name}: {guardrail}", reason, timeout=30, ignoring=(ApiError,))


def wait_zero(world: World, name: str, seconds: float = 30) -> None:
    """Wait until a workload sleeps."""
    wait_until(f"{name} to sleep", lambda: world.replicas(name) == 0, timeout=seconds)


@pytest.fixture(scope="module", autouse=True)
def operator(world: World, load: Exporter, monitoring: Prometheus) -> Iterator[Operator]:
    """Set all services up, and start one operator for them."""

    def a_service(name: str, rate: float = LOAD, replicas: int = 2, **spec: Any) -> None:
        load.set(name, rate)
        world.deployment(name, replicas, **spec.pop("pods", {}))
        world.policy(name, **spec)

    world.cluster.apply(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": PRIORITY},
            "value": 1,
        }
    )
    scope = {"scopeName": "PriorityClass", "operator": "In", "values": [PRIORITY]}
    world.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "team", "namespace": world.namespace},
            "spec": {"hard": {"pods": "4"}, "scopeSelector": {"matchExpressions": [scope]}},
        }
    )
    team = f"{CORE}/namespaces/{world.namespace}/resourcequotas/team"
    # Before that nothing is counted and nothing refused.
    wait_until(
        "the quota to be in force",
        lambda: world.cluster.api.get(team).get("status", {}).get("hard"),
    )
    sleepy = {"minReplicas": 0, "scaleToZero": {"activationRate": "0.5", "idleFor": "4s"}}
    stabilised = {"scaleUp": {"stabilizationWindowSeconds": 600}}
    loss = {"after": "3s", "action": "Hold"}
    a_service("sleepy", 0.0, 1, guardrails={"behavior": stabilised, "onMetricLoss": loss}, **sleepy)
    a_service("blind", 0.0, 1, guardrails={"onMetricLoss": loss}, **sleepy)
    a_service("quota", pods={"priorityClassName": PRIORITY})
    a_service(
        "cron",
        events=[{"name": "all-day", "schedule": "* * * * *", "duration": "2m", "minReplicas": 9}],
    )
    a_service("factor")
    a_service(
        "pinned", paused={"until": instant(3600), "reason": "load test", "by": "ana", "replicas": 7}
    )
    a_service(
        "blocked", paused={"until": instant(3600), "reason": "costs", "by": "ben", "block": "Up"}
    )
    # Four times the demand, by a policy that was trained for two replicas at most.
    envelope = replace(WIDE, demand=(0.0, 2.0))
    world.config_map("narrow", an_artifact(4.0, envelope))
    a_service("narrow", policy={"configMap": {"name": "narrow", "key": "policy"}})
    a_service("stopped")
    a_service("paused", paused={"until": instant(20), "reason": "migration", "by": "ana"})
    with world.start_operator(monitoring.url) as running:
        yield running


def test_a_pause_holds_and_is_no_problem(world: World) -> None:
    condition = world.wait_condition("paused", "ScalingActive", "False", "Paused")
    assert "paused by ana until" in condition["message"]
    assert world.wait_condition("paused", "Ready", "True")
    assert world.replicas("paused") == 2


def test_replicas_are_there_when_a_known_event_starts(world: World, load: Exporter) -> None:
    load.set("event", LOAD)
    world.deployment("event")
    world.policy("event")
    world.wait_replicas("event", REPLICAS, REPLICAS)
    start = time.time() + 9
    event = {"name": "sale", "start": instant(9), "duration": "3s", "minReplicas": 12}
    world.change("event", events=[event])
    world.wait_replicas("event", 12, 12)
    # A lead time of 5 s and an interval of 1 s ahead, and not long before that.
    assert start - 8 < time.time() < start
    reason = wait_limit(world, "event", "events")
    assert reason == "sale: minReplicas = 12"
    world.wait_event("event", "Events")
    world.wait_replicas("event", REPLICAS, REPLICAS)
    assert time.time() > start + 2


def test_an_event_by_cron_raises_and_a_limit_says_what_it_undercuts(world: World) -> None:
    world.wait_replicas("cron", 9, 9)
    world.change("cron", events=[], maxReplicas=4)
    world.wait_replicas("cron", 4, 4)
    assert wait_limit(world, "cron", "bounds") == "maxReplicas = 4, under the reactiveFloor's 5"
    assert world.condition("cron", "ScalingLimited")["reason"] == "Bounds"


def test_an_expected_factor_does_not_feed_on_the_load_that_it_foresaw(
    world: World, load: Exporter
) -> None:
    world.wait_replicas("factor", REPLICAS, REPLICAS)
    event = {"name": "sale", "start": instant(0), "duration": "1h", "expectedFactor": 3}
    world.change("factor", events=[event])
    # 3 x 19 requests/s at 90 % of 5 each.
    world.wait_replicas("factor", 13, 13)
    load.set("factor", 2 * LOAD)
    wait_until(
        "the load to rise",
        lambda: float(world.status("factor").get("requestRate") or 0) > 1.9 * LOAD,
        timeout=30,
    )
    world.wait_replicas("factor", 13, 13)
    # The counter's rate is a hair off.
    assert re.search(r"3 x the (19|18\.\d*|19\.\d*) req", wait_limit(world, "factor", "events"))


def test_outside_of_the_envelope_the_reactive_formula_decides(world: World) -> None:
    # 19 requests/s at 70 % of 5 each.
    world.wait_replicas("narrow", 6, 6)
    condition = world.wait_condition("narrow", "InEnvelope", "False", "OutsideEnvelope")
    assert re.match(r"demand = 3\.\d*, trained for \[0, 2\]", condition["message"])
    assert world.wait_event("narrow", "OutsideEnvelope")["type"] == "Warning"


def test_a_pin_holds_and_says_who_until_when_and_why(world: World) -> None:
    world.wait_replicas("pinned", 7, 7)
    condition = world.wait_condition("pinned", "ScalingActive", "False", "Pinned")
    assert "pinned at 7 by ana until" in condition["message"]
    assert condition["message"].endswith(": load test")
    assert world.wait_event("pinned", "Pinned")["type"] == "Normal"
    assert world.condition("pinned", "Ready")["status"] == "True"
    world.change("pinned", paused=None)
    world.wait_replicas("pinned", REPLICAS, REPLICAS)
    world.wait_condition("pinned", "ScalingActive", "True", "Scaling")


def test_a_direction_is_blocked(world: World, load: Exporter) -> None:
    assert "Up blocked by ben until" in wait_limit(world, "blocked", "block")
    assert world.replicas("blocked") == 2
    load.set("blocked", 1.0)
    world.wait_replicas("blocked", 1, 1)


def test_a_pause_expires_by_itself_and_says_so(world: World) -> None:
    world.wait_replicas("paused", REPLICAS, REPLICAS)
    world.wait_event("paused", "PauseExpired")
    world.wait_condition("paused", "ScalingActive", "True", "Scaling")


def test_no_more_is_asked_for_than_the_quota_admits(world: World) -> None:
    world.wait_replicas("quota", 4, 4)
    condition = world.wait_condition("quota", "ScalingLimited", "True", "Quota")
    world.wait_event("quota", "Quota")
    for words in ("ResourceQuota team: pods hard = 4", "1 per replica"):
        assert words in condition["message"]
    wait_until("all to be ready", lambda: world.status("quota").get("readyReplicas") == 4)
    assert world.replicas("quota") == 4
    assert world.condition("quota", "Ready")["status"] == "True"


def test_a_service_sleeps_and_wakes_at_once_whatever_the_windows_say(
    world: World, load: Exporter
) -> None:
    wait_zero(world, "sleepy")
    condition = world.wait_condition("sleepy", "ScalingActive", "True", "Scaling")
    assert condition["status"] == "True"
    load.set("sleepy", LOAD)
    started = time.time()
    world.wait_replicas("sleepy", 1, REPLICAS)
    # The rate is one of 3 s, seen every second.
    assert time.time() - started < 6


def test_a_sleeper_whose_rate_is_lost_is_woken(world: World, load: Exporter) -> None:
    wait_zero(world, "blind")
    load.set("blind", None)
    world.wait_replicas("blind", 1, 1)
    assert "without a rate nobody knows who waits" in wait_limit(world, "blind", "activation")


def test_one_switch_stops_all_scaling(world: World, load: Exporter) -> None:
    world.wait_replicas("stopped", REPLICAS, REPLICAS)
    world.cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "headstart-stop", "namespace": world.namespace},
            "data": {"reason": "database is down", "by": "ana"},
        }
    )
    for name in ("stopped", "pinned"):
        condition = world.wait_condition(name, "ScalingActive", "False", "Stopped")
        assert "set by ana: database is down" in condition["message"]
        world.wait_event(name, "Stopped")
    load.set("stopped", 3 * LOAD)
    wait_until("more to be wanted", lambda: world.status("stopped")["desiredReplicas"] > REPLICAS)
    assert world.replicas("stopped") == REPLICAS
    world.cluster.api.delete(f"{CORE}/namespaces/{world.namespace}/configmaps/headstart-stop")
    world.wait_replicas("stopped", REPLICAS + 1, 50)
    world.wait_condition("stopped", "ScalingActive", "True", "Scaling")


def test_what_was_recorded_under_orders_decides_the_same(operator: Operator) -> None:
    record = Record(operator.record)
    seen = set()
    for name in ("sleepy", "blind", "quota", "blocked", "paused"):
        lines = record.of(name, "decision")
        spec = Spec.parse(record.of(name, "history")[0]["spec"])
        recorded = [Observation.from_json(line["observation"]) for line in lines]
        again = replay(record, lines, [spec] * len(lines), Observation.concatenate(recorded))
        assert [decision.reason for decision in again] == [x["decision"]["reason"] for x in lines]
        assert [decision.desired for decision in again] == [
            line["decision"]["desired"] for line in lines
        ]
        seen |= {limit.guardrail for decision in again for limit in decision.limits}
    assert {"onMetricLoss", "behavior", "block", "quota", "activation", "pin"} <= seen

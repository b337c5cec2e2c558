"""Killed in the middle of a spike, and started again; and what was recorded decides the same.

The twin is a second operator that sees the same policy and is never killed. It may not change
anything, so all that it decides stays in its record.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headstart_operator.resource import Spec
from headstart_policy import artifact
from headstart_policy.observation import Observation
from headstart_policy.profile import Profiles
from headstart_training.sight import see
from tests.cluster import Prometheus, static_target, wait_until
from tests.integration.operator.records import Record, number, replay
from tests.integration.operator.world import CAPACITY, WIDE
from tests.unit.policy.build import a_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import World

SPIKE = [20.0, 60.0, 110.0, 160.0]
# The one has happened, before the start of the test. The other has not; but so many seconds of it
# are asked for that it takes a moment, in which decisions are already taken.
SEASONS = ["120s", "24h"]
PAST = 300


@pytest.fixture(scope="module")
def monitoring(programs: None, load: Exporter) -> Iterator[Prometheus]:  # noqa: ARG001
    """Provide a Prometheus that knows of some minutes before the test."""
    end = int(time.time()) - 5
    counts = np.cumsum(60 + 40 * np.sin(np.arange(PAST) / 9))
    samples = [(end - PAST + k, float(count)) for k, count in enumerate(counts)]
    history = {'requests_total{service="spike"}': samples}
    with Prometheus([static_target("load", load.address)], history=history) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def records(world: World, load: Exporter, monitoring: Prometheus) -> tuple[Record, Record]:
    """Live through a spike; return what the killed operator and its twin recorded."""
    # A random network looks at all of the load: whatever differs between the two is seen. It does
    # not look at the fleet, so its hedges are chosen among.
    network = a_policy(seed=4, blind=True).network
    world.config_map("random", artifact.dump(network, WIDE, {"recipe": "random"}))
    load.set("spike", SPIKE[0])
    world.deployment("spike", 8)
    chosen = {"configMap": {"name": "random", "key": "policy"}}
    world.policy("spike", policy=chosen, seasons=SEASONS, maxReplicas=200)
    killed = world.start_operator(monitoring.url, "killed")
    twin = world.start_operator(monitoring.url, "twin", kubeconfig=a_powerless(world))
    with twin, killed:
        world.wait_condition("spike", "Ready", "True", "Deciding", seconds=45)
        for rate in SPIKE[1:]:
            load.set("spike", rate)
            # The reactive floor at least: a random network may ask for fewer.
            world.wait_replicas("spike", math.ceil(rate / CAPACITY / 0.9), 200)
            if rate == SPIKE[2]:
                killed.kill()
                killed.start()
                wait_until("it to decide again", lambda: killed.decisions("spike") > 8)
        goal = math.ceil(0.9 * SPIKE[-1] / 5)
        world.wait_replicas("spike", goal, 200)
        load.set("spike", SPIKE[0])
        peak = world.replicas("spike")
        wait_until("it to shrink", lambda: world.replicas("spike") < peak / 2)
        assert killed.stop() == 0
    return Record(killed.record), Record(twin.record)


def a_powerless(world: World) -> Path:
    """Make a ServiceAccount that may see what the operator sees and change nothing."""
    name = "twin"
    read = ["get", "list", "watch"]
    rules = [
        {"apiGroups": ["headstart.dev"], "resources": ["scalingpolicies"], "verbs": read},
        {"apiGroups": [""], "resources": ["pods", "configmaps", "resourcequotas"], "verbs": read},
        {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": read},
        {"apiGroups": ["keda.sh"], "resources": ["scaledobjects"], "verbs": read},
        {"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": read},
    ]
    metadata = {"name": name, "namespace": world.namespace}
    rbac = "rbac.authorization.k8s.io"
    world.cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    )
    return world.cluster.kubeconfig_for(world.namespace, name)


def test_a_killed_operator_holds_or_raises_until_its_history_is_loaded(
    records: tuple[Record, Record],
) -> None:
    lines = records[0].of("spike", "decision")
    loading = [line for line in lines if not line["situation"]["historyLoaded"]]
    # At its first start, and at its second.
    assert len(loading) >= 2
    for line in loading:
        assert line["decision"]["desired"] >= line["observation"]["current"][0]
    # It did not take its own change of the replicas for someone else's.
    reasons = {line["situation"]["raiseOnly"] for line in lines}
    assert reasons <= {None, "the rate has only just returned"}


def test_then_it_decides_as_the_twin_that_never_died(records: tuple[Record, Record]) -> None:
    killed, twin = (
        {line["time"]: line for line in record.of("spike", "decision")} for record in records
    )
    common = sorted(set(killed) & set(twin))
    loaded = [
        instant
        for instant in common
        if killed[instant]["situation"]["historyLoaded"]
        and twin[instant]["situation"]["historyLoaded"]
    ]
    assert len(loaded) > 10
    same = alike = 0
    for instant in loaded:
        one, other = killed[instant]["observation"], twin[instant]["observation"]
        assert None not in one["seasonal"][0][0]
        for windows in ("recent", "roughness", "seasonal", "seasonal_roughness", "extremes"):
            assert one[windows] == other[windows], f"{windows} at {instant}"
        counts = [(o["ready"], o["warming"], o["current"]) for o in (one, other)]
        same += counts[0] == counts[1]
        decisions = [decided(line) for line in (killed[instant], twin[instant])]
        if counts[0] == counts[1] and decisions[0]["candidate"] == decisions[1]["candidate"]:
            alike += 1
            assert decisions[0] == decisions[1]
    # A pod that becomes ready between the looks of the two is seen by one of them only.
    assert same > len(loaded) / 2
    # What the twin learned while the other was away, the other never learns: it may choose another.
    assert alike > 5


def decided(line: dict[str, Any]) -> dict[str, Any]:
    """Leave out how much a candidate has saved so far: the killed one has seen less of it."""
    return {k: v for k, v in line["decision"].items() if k not in {"why", "reason"}}


def observation_of(lines: list[dict[str, Any]]) -> Observation:
    """Put the recorded observations side by side."""
    return Observation.concatenate([Observation.from_json(x["observation"]) for x in lines])


def test_what_was_recorded_decides_the_same_in_one_batch_in_any_order(
    records: tuple[Record, Record],
) -> None:
    record = records[0]
    spec = Spec.parse(record.of("spike", "history")[0]["spec"])
    lines = record.of("spike", "decision")
    order = np.random.default_rng(0).permutation(len(lines))
    shuffled = [lines[k] for k in order]
    decisions = replay(record, shuffled, [spec] * len(lines), observation_of(shuffled))
    for line, decision in zip(shuffled, decisions, strict=True):
        assert decision.to_json() == {**line["decision"], "limits": decision.to_json()["limits"]}
        assert [dict(x) for x in line["decision"]["limits"]] == list(decision.to_json()["limits"])


def test_what_was_recorded_decides_the_same_through_the_simulators_eyes(
    records: tuple[Record, Record],
) -> None:
    """The rates alone, seen as the simulator sees a load, give the operator's decisions."""
    record = records[1]
    start = record.of("spike", "history")[-1]
    spec = Spec.parse(start["spec"])
    lines = [x for x in record.of("spike", "decision") if x["situation"]["historyLoaded"]]
    step, first = start["coarse"]["step"], start["coarse"]["first"]
    assert step == spec.interval
    rates = {first + k: number(v, np.nan) for k, v in enumerate(start["coarse"]["rates"])}
    rates |= {
        round(instant / step): number(value, np.nan)
        for line in record.of("spike", "decision")
        for instant, value in line["samples"]
    }
    path = np.array([rates.get(k, np.nan) for k in range(first, max(rates) + 1)])[None]
    moments = np.array([round(line["time"] / step) - first + 1 for line in lines])
    profiles = Profiles.stack([spec.profile(spec.lead_time.default)])
    recorded = [Observation.from_json(line["observation"]) for line in lines]
    # Where a lead time was measured, the profile is another one; those lines are not of this path.
    kept = [k for k, seen in enumerate(recorded) if seen.profiles.lead_time == profiles.lead_time]
    assert len(kept) > 10
    sight = see(path, moments.astype(np.float64), profiles, np.array([step]))
    simulated = Observation.concatenate(
        [
            sight.observation(k, profiles, seen.ready, seen.warming, seen.current)
            for k, seen in enumerate(recorded)
        ]
    )
    decisions = replay(record, lines, [spec] * len(lines), simulated)
    for k in kept:
        assert decisions[k].desired == lines[k]["decision"]["desired"]
        assert decisions[k].recommendation == lines[k]["decision"]["recommendation"]

"""Someone who may write what the operator reads: nothing crashes, and nothing is scaled down."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Prometheus
    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import Operator, World

# Each starts with so many replicas, and a load that would let a policy lower them.
START = 4
IDLE = 2.0
DEEP = 5000
MEMORIES: dict[str, Any] = {
    "deep-text": {"version": 1, "text": "[" * DEEP + "]" * DEEP},
    "no-json": {"version": 1, "text": "\u0000\u202e{"},
    "numbers": {
        "version": 1,
        "text": json.dumps(
            {
                "version": 1,
                "leadTimes": {"planned": 1e300, "starts": [[1e300] * 6]},
                "contest": {"expected": -(10**300), "times": [1e300]},
                "behavior": {"recommendations": [[1e15, 0]] * 4000, "changes": [[1e15, -9]] * 4000},
            }
        ),
    },
    # From the year 33658, asking for nothing.
    "future": {
        "version": 1,
        "text": json.dumps(
            {
                "version": 1,
                "leadTimes": {},
                "contest": {},
                "behavior": {"recommendations": [[1e12, 0]] * 100, "changes": [[1e12, 9]]},
            }
        ),
    },
}


def write_status(world: World, name: str, status: dict[str, Any]) -> None:
    """Overwrite a policy's status as its operator could."""
    file = world.folder / f"{name}-status.json"
    file.write_text(json.dumps({"status": status}))
    patch = ("patch", "scalingpolicy", name, "--subresource=status", "--type=merge")
    world.cluster.kubectl("-n", world.namespace, *patch, f"--patch-file={file}")


@pytest.fixture(scope="module", autouse=True)
def operator(world: World, load: Exporter, monitoring: Prometheus) -> Iterator[Operator]:
    """Write everything that is hostile, and start the operator into it."""
    world.config_map("random", bytes(range(256)) * 400)
    for name in ("healthy", *MEMORIES):
        load.set(name, IDLE)
        world.deployment(name, START)
        artefact = "constant" if name == "healthy" else "random"
        world.policy(name, policy={"configMap": {"name": artefact, "key": "policy"}})
    for name, memory in MEMORIES.items():
        write_status(world, name, {"memory": memory})
    with world.start_operator(monitoring.url, "hostile") as running:
        yield running


@pytest.mark.parametrize("name", MEMORIES)
def test_garbage_in_memory_and_artefact_only_raises(
    world: World, load: Exporter, operator: Operator, name: str
) -> None:
    condition = world.wait_condition(name, "Ready", "False", "PolicyInvalid")
    assert "is not a safetensors file" in condition["message"]
    decided = operator.decisions(name)
    wait_until("three decisions", lambda: operator.decisions(name) > decided + 3)
    assert world.replicas(name) == START
    # 29 requests/s at 70 % of 5 each need 9: the reactive formula raises.
    load.set(name, 29)
    world.wait_replicas(name, 9, 9)


def test_brackets_in_a_status_do_not_blind_the_watch(world: World, load: Exporter) -> None:
    """They would, were they kept: Python's JSON reader, and so each watch, ends at a thousand."""
    brackets = "[" * DEEP + "]" * DEEP
    file = world.folder / "brackets.json"
    for shape in (f'{{"memory":{{"version":1,"junk":{brackets}}}}}', f'{{"junk":{brackets}}}'):
        file.write_text(f'{{"status":{shape}}}')
        patch = ("patch", "scalingpolicy", "healthy", "--subresource=status", "--type=merge")
        world.cluster.kubectl("-n", world.namespace, *patch, f"--patch-file={file}")
    # The watch goes on: a change of the spec is seen.
    world.change("healthy", maxReplicas=11)
    load.set("healthy", 39)
    world.wait_replicas("healthy", 11, 11)
    world.change("healthy", maxReplicas=50)


def test_the_others_go_on(world: World, load: Exporter, operator: Operator) -> None:
    world.wait_condition("healthy", "Ready", "True", "Deciding")
    load.set("healthy", 39)
    world.wait_replicas("healthy", 12, 12)
    assert operator.metric("headstart_internal_errors_total") == 0

"""The main path: a load rises, the replicas rise; and what mode Observe leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headstart_policy import artifact
from tests.cluster import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Prometheus
    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import Operator, World


@pytest.fixture(scope="module")
def operator(world: World, monitoring: Prometheus) -> Iterator[Operator]:
    """Provide one operator for all tests here."""
    with world.start_operator(monitoring.url) as running:
        yield running


def test_replicas_follow_the_load_with_the_margin_of_the_policy(
    world: World, load: Exporter, operator: Operator
) -> None:
    load.set("auto", 19)
    world.deployment("auto")
    world.policy("auto")
    # 19 requests/s at 5 each need 3.8 replicas; the policy asks for half as many again.
    world.wait_replicas("auto", 6, 6)
    load.set("auto", 59)
    world.wait_replicas("auto", 18, 18)
    world.wait_condition("auto", "Ready", "True", "Deciding")
    wait_until("all to be ready", lambda: world.status("auto")["readyReplicas"] == 18)
    event = world.wait_event("auto", "Scaled")
    assert "replicas: the load needs" in event["message"]
    assert operator.metric("headstart_desired_replicas", policy="auto") == 18
    load.set("auto", 19)
    world.wait_replicas("auto", 6, 6)


@pytest.mark.parametrize("name", ["default", "ppo"])
@pytest.mark.usefixtures("operator")
def test_the_policies_that_ship_are_served(world: World, load: Exporter, name: str) -> None:
    """60 requests/s at 5 each need 12 replicas; whoever is trained wants some more."""
    load.set(name, 60)
    world.deployment(name)
    world.policy(name, policy={"builtin": name})
    world.wait_replicas(name, 13, 30)
    world.wait_condition(name, "Ready", "True", "Deciding")
    world.wait_condition(name, "InEnvelope", "True", "InsideEnvelope")
    status = world.status(name)
    assert status["policyDigest"] == artifact.builtin(name).digest
    assert status["lastDecision"]["candidate"] == "network"

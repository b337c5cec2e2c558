"""Mode Observe decides, shows, and touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster import APPS, wait_until

if TYPE_CHECKING:
    from tests.cluster import Prometheus
    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import World


def test_observe_touches_nothing_and_auto_takes_over(
    world: World, load: Exporter, monitoring: Prometheus
) -> None:
    load.set("watched", 39)
    world.deployment("watched", 3)
    world.policy("watched", mode="Observe")
    path = f"{APPS}/namespaces/{world.namespace}/deployments/watched"
    with world.start_operator(monitoring.url) as operator:
        wait_until("a decision", lambda: world.status("watched").get("desiredReplicas") == 12)
        condition = world.condition("watched", "ScalingActive")
        assert (condition["status"], condition["reason"]) == ("False", "Observing")
        assert operator.metric("headstart_desired_replicas", policy="watched") == 12
        # Whoever scales it is not contested: in this mode nothing is ours.
        world.set_replicas("watched", 5)
        wait_until("it to be seen", lambda: world.status("watched")["currentReplicas"] == 5)
        assert world.condition("watched", "TargetContested")["status"] == "False"
        seen = operator.decisions("watched")
        wait_until("some more decisions", lambda: operator.decisions("watched") > seen + 3)
        metadata = world.cluster.api.get(path)["metadata"]
        assert "headstart" not in {field["manager"] for field in metadata["managedFields"]}
        # Generation 1, and 2 since kubectl scaled it.
        assert metadata["generation"] == 2
        assert not any(event["reason"] == "Scaled" for event in world.events("watched"))
        world.change("watched", mode="Auto")
        world.wait_replicas("watched", 12, 12)
        world.wait_condition("watched", "ScalingActive", "True", "Scaling")
        assert operator.stop() == 0

"""The API server accepts every manifest that training writes, at the bounds too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headstart_policy.behavior import Behavior, Policy, Rules, Select
from headstart_policy.guardrails import Guardrails, LossAction, MetricLoss
from headstart_policy.profile import Objective, Profile
from headstart_training.manifest import Source, Target, config_map, scaling_policy, to_yaml

if TYPE_CHECKING:
    from tests.cluster import Cluster

SOURCE = Source("sum(rate(requests_total[1m]))", "http://prometheus.monitoring:9090/prefix")
PLAIN = Profile(5.0, lead_time=300.0, interval=15.0)
LIMITS = Guardrails(max_replicas=60)
RULES = Rules(300.0, (Policy("Pods", 4, 15.0), Policy("Percent", 100, 60.0)), Select.MIN)
DISABLED = Behavior(down=Rules(select=Select.DISABLED))


@pytest.mark.parametrize(
    ("profile", "guardrails"),
    [
        (PLAIN, LIMITS),
        (Profile(1e-3, lead_time=1.0, interval=1.0), Guardrails(100_000, 100_000)),
        (Profile(1e9, lead_time=86_400.0, interval=3600.0, seasons=()), Guardrails(1)),
        (Profile(1 / 3, 43.4, 15.0, Objective(0.9999999, 1e-6, 0.0, 0.0)), LIMITS),
        (PLAIN, Guardrails(60, 2, 0.01, Behavior(RULES, RULES))),
        (PLAIN, Guardrails(60, 0, 1.0, DISABLED, MetricLoss(1.0, LossAction.REPLICAS, 60))),
    ],
    ids=["plain", "least", "most", "odd", "rules", "disabled"],
)
def test_the_api_server_accepts_it(
    cluster: Cluster, namespace: str, profile: Profile, guardrails: Guardrails
) -> None:
    """Strictly: a field that the schema does not know would be an error."""
    target = Target("checkout", "StatefulSet")
    documents = [
        config_map(target, b"policy", namespace),
        scaling_policy(
            target, SOURCE, profile, guardrails, namespace=namespace, artifact=b"policy"
        ),
    ]
    text = to_yaml(documents, {"": "From a test.", "spec.capacity": "A comment."})
    cluster.kubectl("apply", "--validate=strict", "-f", "-", stdin=text)
    path = f"/apis/headstart.dev/v1alpha1/namespaces/{namespace}/scalingpolicies/checkout"
    stored = cluster.api.get(path)["spec"]
    assert stored["policy"] == documents[1]["spec"]["policy"]
    assert stored["capacity"] == documents[1]["spec"]["capacity"]

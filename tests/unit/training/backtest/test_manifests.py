"""The ScalingPolicy that a backtest ends with."""

from __future__ import annotations

import pytest
import yaml

from headstart_operator.resource import Spec
from headstart_policy.profile import Profile
from headstart_training.backtest.manifests import manifest
from headstart_training.manifest import ManifestError, Source, Target
from tests.unit.training.backtest.recordings import service

PROFILE = Profile(3.0, lead_time=420.0, interval=300.0)
SOURCE = Source("sum(rate(requests_total[1m]))", "http://prometheus:9090")


def test_it_says_what_was_judged_and_what_is_only_assumed() -> None:
    made = manifest(service(), PROFILE, source=SOURCE, namespace="shop")
    document = yaml.safe_load(made.text)
    spec = Spec.parse(document["spec"])
    assert document["metadata"] == {"name": "checkout", "namespace": "shop"}
    assert (spec.lead_time.default, spec.objective.slo) == (420, 99.5)
    # The recording has a figure every five minutes; the operator looks each minute.
    assert spec.interval == 60
    # 60 requests/s at 3 each, 1.8 times as many at the busiest; twice that.
    assert 65 <= spec.max_replicas <= 75
    assert "# ASSUMED, such that the tuning half needs 20 replicas" in made.text
    assert (made.file, made.command) == ("checkout.yaml", "kubectl apply -f checkout.yaml")


def test_a_known_capacity_and_another_policy_are_taken_as_they_are() -> None:
    made = manifest(
        service(),
        PROFILE,
        target=Target("cart", "StatefulSet"),
        source=SOURCE,
        artifact=b"policy",
        assumed=False,
        file="out.yaml",
    )
    held, policy = yaml.safe_load_all(made.text)
    assert held["kind"] == "ConfigMap"
    assert policy["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"
    assert policy["spec"]["policy"]["configMap"]["name"] == held["metadata"]["name"]
    assert "ASSUMED" not in made.text
    assert made.command == "kubectl apply -f out.yaml"


def test_a_blank_query_cannot_be_applied_by_accident() -> None:
    made = manifest(service(), PROFILE)
    assert "# FILL IN before you apply this" in made.text
    assert yaml.safe_load(made.text)["spec"]["rate"]["prometheus"]["query"] == ""


def test_a_fleet_beyond_the_crds_bound_gets_the_bound() -> None:
    made = manifest(service(), Profile(0.001, lead_time=300.0, interval=300.0))
    assert yaml.safe_load(made.text)["spec"]["maxReplicas"] == 100_000


def test_a_name_that_no_workload_has_is_refused() -> None:
    with pytest.raises(ManifestError, match="must be the name of a workload"):
        manifest(service(), PROFILE, target=Target("Shop_API"))

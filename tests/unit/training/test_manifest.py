"""What a manifest says, the operator's own parser reads back."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headstart_operator.fields import parse_duration, parse_quantity
from headstart_operator.resource import Spec
from headstart_policy import artifact
from headstart_policy.behavior import Behavior, Policy, Rules, Select
from headstart_policy.guardrails import Guardrails, LossAction, MetricLoss
from headstart_policy.profile import Objective, Profile
from headstart_training.manifest import (
    ManifestError,
    Source,
    Target,
    apply_command,
    config_map,
    duration,
    quantity,
    scaling_policy,
    to_yaml,
)

TARGET = Target("checkout")
SOURCE = Source('sum(rate(http_requests_total{app="checkout"}[1m]))')
PROFILE = Profile(5.0, lead_time=300.0, interval=15.0)
LIMITS = Guardrails(max_replicas=60, min_replicas=2)


def parsed(profile: Profile, guardrails: Guardrails) -> Spec:
    """Through YAML and the operator's parser."""
    document = scaling_policy(TARGET, SOURCE, profile, guardrails)
    return Spec.parse(yaml.safe_load(to_yaml([document]))["spec"])


# Six digits and whole seconds are what a manifest says.
costs = st.decimals(0, 10_000, places=2).map(float)
profiles = st.builds(
    Profile,
    capacity=st.integers(1, 999_999).map(lambda n: n / 1000),
    lead_time=st.integers(1, 10_799).map(float),
    interval=st.integers(1, 3600).map(float),
    objective=st.builds(
        Objective,
        slo=st.integers(1_000, 99_999).map(lambda n: n / 100_000),
        replica_cost=st.decimals("0.01", 10_000, places=2).map(float),
        request_value=costs,
        violation_cost=costs,
    ),
    seasons=st.sampled_from([(), (86_400.0,), (86_400.0, 604_800.0)]),
)
rules = st.builds(
    Rules,
    window=st.integers(0, 3600).map(float),
    policies=st.lists(
        st.builds(
            Policy,
            st.sampled_from(["Pods", "Percent"]),
            st.integers(1, 1000),
            st.integers(1, 1800).map(float),
        ),
        max_size=3,
    ).map(tuple),
    select=st.sampled_from(Select),
)
losses = st.one_of(
    st.builds(MetricLoss, st.integers(1, 86_400).map(float), st.sampled_from(["Hold", "Reactive"])),
    st.builds(MetricLoss, st.just(60.0), st.just(LossAction.REPLICAS), st.integers(2, 60)),
)


@given(profile=profiles)
def test_the_operator_reads_the_profile_back(profile: Profile) -> None:
    read = parsed(profile, LIMITS).profile(profile.lead_time)
    assert replace(read, objective=profile.objective) == profile
    for field, value in vars(profile.objective).items():
        assert getattr(read.objective, field) == pytest.approx(value, rel=1e-9), field


@given(up=rules, down=rules, loss=losses, utilization=st.integers(1, 100))
def test_the_operator_reads_the_guardrails_back(
    up: Rules, down: Rules, loss: MetricLoss, utilization: int
) -> None:
    guardrails = replace(
        LIMITS,
        behavior=Behavior(up, down),
        metric_loss=replace(loss, action=LossAction(loss.action)),
        floor_utilization=utilization / 100,
    )
    assert parsed(PROFILE, guardrails).limits() == guardrails


@given(st.integers(0, 10**6))
def test_durations_mean_their_seconds(seconds: int) -> None:
    assert parse_duration(duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (15, "15s"),
        (300, "5m"),
        (90.2, "1m31s"),
        (5400, "1h30m"),
        (86_400, "24h"),
        (604_800, "168h"),
    ],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.floats(1e-6, 1e9))
def test_quantities_mean_their_number(value: float) -> None:
    assert parse_quantity(quantity(value)) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "text"), [(5, "5"), (12.5, "12.5"), (0.1 + 0.2, "0.3"), (1e9, "1000000000")]
)
def test_quantities_are_short(value: float, text: str) -> None:
    assert quantity(value) == text


def test_an_artefact_is_pinned_to_its_config_map() -> None:
    content = b"any bytes"
    policy = scaling_policy(TARGET, SOURCE, PROFILE, LIMITS, namespace="shop", artifact=content)
    held = config_map(TARGET, content, "shop")
    assert held["metadata"] == {"name": "checkout-headstart", "namespace": "shop"}
    ref = Spec.parse(policy["spec"]).policy
    assert ref.config_map is not None
    assert ref.config_map.name == held["metadata"]["name"]
    assert base64.b64decode(held["binaryData"][ref.config_map.key]) == content
    assert ref.digest == "sha256:" + hashlib.sha256(content).hexdigest()


def test_the_shipped_policy_fits_into_an_annotation_and_a_huge_one_does_not() -> None:
    """`kubectl apply` keeps a copy of what it applied, which may have 256 KiB."""
    small = config_map(TARGET, artifact.dump(*_default()), None)
    assert apply_command([small], "m.yaml") == "kubectl apply -f m.yaml"
    huge = config_map(TARGET, bytes(300_000), None)
    assert apply_command([huge], "m.yaml") == "kubectl apply --server-side -f m.yaml"


def _default() -> tuple[Any, Any, dict[str, Any]]:
    shipped = artifact.builtin()
    return shipped.network, shipped.envelope, shipped.card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capacity": 1e-4}, "capacity = 0.0001, must be in [0.001, 1e+09]"),
        ({"interval": 0.5}, "interval = 0.5 s, must be from 1s to 1h"),
        ({"lead_time": 90_000.0, "seasons": ()}, "lead_time = 90000 s, must be from 1s to 24h"),
        ({"objective": Objective(slo=0.001)}, "slo = 0.001, must be at least 0.01"),
        ({"objective": Objective(replica_cost=1e-9)}, "replica_cost = 1e-09, must be in"),
    ],
)
def test_what_the_crd_refuses_is_refused_here(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError) as refused:
        parsed(replace(PROFILE, **change), LIMITS)
    assert message in str(refused.value)


@pytest.mark.parametrize("name", ["wsd_kpi", "Checkout", "", "-a", "a" * 254])
def test_a_name_that_no_workload_can_have_is_refused(name: str) -> None:
    with pytest.raises(ManifestError, match="must be the name of a workload"):
        scaling_policy(Target(name), SOURCE, PROFILE, LIMITS)


def test_comments_stand_above_their_keys_and_change_nothing() -> None:
    policy = scaling_policy(TARGET, SOURCE, PROFILE, LIMITS)
    text = to_yaml([policy], {"": "A head.", "spec.rate.prometheus.query": "Two\nlines."})
    assert text.startswith("# A head.\napiVersion:")
    lines = text.splitlines()
    at = lines.index("      # Two")
    assert lines[at + 1] == "      # lines."
    assert lines[at + 2].startswith("      query: sum(")
    assert yaml.safe_load(text) == policy

"""The spec as the CRD has it, and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from headstart_operator.fields import parse_duration, parse_quantity
from headstart_operator.resource import Spec, SpecError
from headstart_policy.guardrails import LossAction

ROOT = Path(__file__).parents[3]
CRD = ROOT / "manifests" / "crd" / "scalingpolicies.headstart.dev.yaml"
MINIMAL = {
    "scaleTargetRef": {"name": "checkout"},
    "maxReplicas": 60,
    "rate": {"prometheus": {"query": "sum(rate(http_requests_total[1m]))"}},
    "capacity": {"requestsPerSecond": 5},
}


def schema() -> dict[str, Any]:
    """Read the spec's schema from the CRD."""
    version = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]
    spec: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return spec


def with_defaults(part: dict[str, Any], value: Any) -> Any:
    """Fill defaults in as the API server does."""
    if "properties" not in part or not isinstance(value, dict):
        return value
    filled = dict(value)
    for key, below in part["properties"].items():
        if key not in filled and "default" in below:
            filled[key] = below["default"]
        if key in filled:
            filled[key] = with_defaults(below, filled[key])
    return filled


def keys_of(part: dict[str, Any]) -> Any:
    """Reduce a schema to its keys."""
    if "properties" in part:
        return {key: keys_of(below) for key, below in part["properties"].items()}
    if part.get("type") == "array":
        return keys_of(part["items"])
    return None


def model_keys(part: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """Reduce a model's JSON schema to its keys."""
    part = next((x for x in part.get("anyOf", ()) if x.get("type") != "null"), part)
    part = part.get("items", part)
    if "$ref" in part:
        part = definitions[part["$ref"].rpartition("/")[2]]
    if "properties" in part:
        return {k: model_keys(below, definitions) for k, below in part["properties"].items()}
    return None


def test_defaults_are_those_of_the_crd() -> None:
    assert Spec.parse(with_defaults(schema(), MINIMAL)) == Spec.parse(MINIMAL)


def test_keys_are_those_of_the_crd() -> None:
    model = Spec.model_json_schema(by_alias=True)
    assert model_keys(model, model["$defs"]) == keys_of(schema())


def test_every_default_of_the_crd_is_walked() -> None:
    """The test of the defaults would pass on a schema without any."""
    filled = with_defaults(schema(), MINIMAL)
    assert filled["guardrails"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 0
    assert filled["objective"]["slo"] == "99.5"


@pytest.mark.parametrize(
    ("text", "seconds"), [("15s", 15), ("5m", 300), ("1h30m", 5400), ("24h", 86400), ("0s", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5d", "-5s", "1.5h", "5 s", 5, None])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="must be a duration such as 15s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (5, 5),
        ("0.5", 0.5),
        ("500m", 0.5),
        ("2k", 2000),
        ("1Ki", 1024),
        ("1e3", 1000),
        (".5", 0.5),
        ("5.", 5),
        ("1G", 1e9),
        ("250u", 0.00025),
    ],
)
def test_quantities(text: Any, value: float) -> None:
    assert parse_quantity(text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", ["", "five", "5 m", "1e", "--5", "5mm", True, None, "."])
def test_what_is_no_quantity(text: Any) -> None:
    with pytest.raises(ValueError, match="must be a quantity such as 5"):
        parse_quantity(text)


def test_a_spec_becomes_a_profile_and_limits() -> None:
    spec = Spec.parse(
        {
            **MINIMAL,
            "minReplicas": 2,
            "objective": {"slo": "99.9", "replicaCostPerHour": "50m"},
            "guardrails": {
                "behavior": {
                    "scaleDown": {
                        "stabilizationWindowSeconds": 300,
                        "selectPolicy": "Min",
                        "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
                    }
                },
                "onMetricLoss": {"after": "5m", "action": "Replicas", "replicas": 20},
            },
        }
    )
    profile, limits = spec.profile(300), spec.limits()
    assert (profile.capacity, profile.interval, profile.seasons) == (5, 15, (86400, 604800))
    assert profile.objective.slo == pytest.approx(0.999)
    assert profile.objective.replica_cost == pytest.approx(0.05)
    assert (limits.min_replicas, limits.max_replicas) == (2, 60)
    assert (limits.behavior.down.window, limits.behavior.down.policies[0].value) == (300, 10)
    assert limits.metric_loss.action is LossAction.REPLICAS
    assert limits.metric_loss.after == 300


def test_a_measured_lead_time_leaves_out_seasons_that_it_has_outgrown() -> None:
    spec = Spec.parse({**MINIMAL, "seasons": ["1h", "24h"]})
    assert spec.profile(449).seasons == (3600, 86400)
    assert spec.profile(450).seasons == (86400,), "eight lead times of an hour ago are now"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maxReplicas": "many"}, "spec.maxReplicas: Input should be a valid integer"),
        ({"interval": "soon"}, "spec.interval: .*must be a duration such as 15s"),
        ({"stopped": {"until": "later"}}, "spec.stopped: Extra inputs are not permitted"),
        ({"paused": {"until": "later"}}, "spec.paused.until: .*must be an instant such as"),
        ({"paused": {"until": "2026-12-24T06:00:00"}}, "spec.paused.until: .*must be an instant"),
        ({"minReplicas": 0}, "minReplicas must be 0 exactly where scaleToZero is set; it is 0"),
        ({"minReplicas": 61}, r"minReplicas = 61, must be in \[0, 60\]"),
        ({"policy": {}}, "spec.policy: .*exactly one of builtin and configMap"),
        ({"seasons": ["1h", "2h", "3h"]}, "spec.seasons: .*at most 2 items"),
        ({"capacity": {"requestsPerSecond": 0}}, "capacity = 0, must be greater than 0"),
        (
            {"guardrails": {"onMetricLoss": {"action": "Replicas"}}},
            "onMetricLoss.replicas must be set exactly when",
        ),
    ],
)
def test_a_bad_spec_names_key_and_problem(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Spec.parse({**MINIMAL, **change})

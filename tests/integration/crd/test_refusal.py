"""A bad policy is refused, and the message names the key, the bound and the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.cluster import ClusterError
from tests.integration.crd.policies import DELETE, SAMPLES, as_json, changed, sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster import Cluster


class Bad(NamedTuple):
    """A change that makes the minimal policy bad, and the words that the refusal must hold."""

    key: str
    value: object
    bound: str
    shown: str = ""
    """How the value is shown, where that is not its text."""
    blamed: str = ""
    """Key that the message names, where that is another one."""


_DURATION = "must be a duration from 1s to 1h"
_CAPACITY = "must be a quantity from 1m to 1G"
_UTILIZATION = "must be a quantity from 0.01 to 1"
_SLO = "must be a quantity from 1 to less than 100, in percent"
_COST = "must be a quantity from 0 to 1G"
_LEAD = "must be a duration from 1s to 24h"
_URL = "must be an http or https URL without credentials, query or fragment"
_ONE_POLICY = "must have exactly one of builtin and configMap"
_WORKLOAD = "must be the name of an object"
_BEHAVIOR = "spec.guardrails.behavior.scaleDown"
_LOSS = "spec.guardrails.onMetricLoss"
_XMAS = "2026-12-24T18:00:00Z"
_PAUSE = {"until": _XMAS, "reason": "sale", "by": "me"}
_SALE = {"name": "sale", "schedule": "0 18 * * FRI", "duration": "2h", "minReplicas": 5}

BAD = [
    Bad("spec", DELETE, "Required value"),
    Bad("spec.scaleTargetRef", DELETE, "Required value"),
    Bad("spec.scaleTargetRef.name", DELETE, "Required value"),
    Bad("spec.scaleTargetRef.name", "", _WORKLOAD),
    Bad("spec.scaleTargetRef.name", "Check_out", _WORKLOAD),
    Bad("spec.scaleTargetRef.name", "x" * 254, "may not be more than 253", "Too long"),
    Bad("spec.scaleTargetRef.kind", "deploy/ment", "must be a kind such as Deployment"),
    Bad("spec.scaleTargetRef.apiVersion", "apps", "must be a group and version such as apps/v1"),
    Bad("spec.minReplicas", 0, "must be at least 1 unless scaleToZero says when"),
    Bad("spec.minReplicas", -1, "should be greater than or equal to 0"),
    Bad(
        "spec.scaleToZero",
        {"activationRate": "0.1"},
        "minReplicas must be 0 where scaleToZero is set",
        "1",
        "spec.minReplicas",
    ),
    Bad("spec.scaleToZero", {}, "Required value", " ", "spec.scaleToZero.activationRate"),
    Bad("spec.scaleToZero.activationRate", "0", "must be a quantity from 1u to 1G"),
    Bad("spec.minReplicas", 61, "minReplicas must be at most maxReplicas, 60"),
    Bad("spec.minReplicas", "two", "must be of type integer", "string"),
    Bad("spec.maxReplicas", DELETE, "Required value"),
    Bad("spec.maxReplicas", 100_001, "should be less than or equal to 100000"),
    Bad("spec.maxReplicas", 1.5, "must be of type int32", "float64"),
    Bad("spec.mode", "auto", 'supported values: "Observe", "Assist", "Auto"'),
    Bad("spec.interval", "0s", _DURATION),
    Bad("spec.interval", "2h", _DURATION),
    Bad("spec.interval", "500ms", _DURATION),
    Bad("spec.interval", "5 minutes", _DURATION),
    Bad("spec.interval", "", _DURATION, "it is"),
    Bad("spec.interval", "5s5m", _DURATION),
    Bad("spec.interval", 15, "must be of type string", "integer"),
    Bad("spec.interval", "1s" * 11, "may not be more than 21", "Too long"),
    Bad("spec.rate", DELETE, "Required value"),
    Bad("spec.rate.prometheus", DELETE, "Required value"),
    Bad("spec.rate.prometheus.query", DELETE, "Required value"),
    Bad("spec.rate.prometheus.query", " \t", "must be a PromQL query", "blank"),
    Bad("spec.rate.prometheus.address", "prometheus:9090", _URL),
    Bad("spec.rate.prometheus.address", "ftp://prometheus", _URL),
    Bad("spec.rate.prometheus.address", "http://me:secret@prometheus", _URL),
    Bad("spec.rate.prometheus.address", "http://prometheus?x=1", _URL),
    Bad("spec.rate.prometheus.timeout", "2m", "must be a duration from 1s to 60s"),
    Bad("spec.rate.prometheus.targetsQuery", " ", "must be a PromQL query", "blank"),
    Bad(
        "spec.rate.prometheus.authentication",
        {"bearer": {"secretRef": {"name": "token"}}},
        "must come with rate.prometheus.address",
        " ",
    ),
    Bad(
        "spec.rate.prometheus",
        {
            "query": "up",
            "address": "http://there",
            "authentication": {
                "bearer": {"secretRef": {"name": "token"}},
                "basic": {"secretRef": {"name": "user"}},
            },
        },
        "must have at most one of bearer and basic",
        "both",
        "spec.rate.prometheus.authentication",
    ),
    Bad(
        "spec.rate.prometheus.tenant",
        {"header": "Authorization", "value": "me"},
        "must be the name of a header that names a tenant",
        "Authorization",
        "spec.rate.prometheus.tenant.header",
    ),
    Bad(
        "spec.rate.prometheus.tenant",
        {"value": "a b"},
        "must be printable ASCII without spaces",
        " ",
        "spec.rate.prometheus.tenant.value",
    ),
    Bad("spec.capacity", DELETE, "Required value"),
    Bad("spec.capacity.requestsPerSecond", DELETE, "Required value"),
    Bad("spec.capacity.requestsPerSecond", 0, _CAPACITY),
    Bad("spec.capacity.requestsPerSecond", -1, _CAPACITY),
    Bad("spec.capacity.requestsPerSecond", "-500m", _CAPACITY),
    Bad("spec.capacity.requestsPerSecond", "2G", _CAPACITY),
    Bad("spec.capacity.requestsPerSecond", "five", _CAPACITY),
    # For Kubernetes this is more than 0, for a float it is 0.
    Bad("spec.capacity.requestsPerSecond", "1e-400", _CAPACITY),
    Bad("spec.capacity.requestsPerSecond", "NaN", _CAPACITY),
    Bad("spec.capacity.requestsPerSecond", 0.5, "must be of type integer,string", "number"),
    Bad("spec.leadTime.default", "0s", _LEAD),
    Bad("spec.leadTime.default", "25h", _LEAD),
    Bad("spec.objective.slo", "0", _SLO),
    Bad("spec.objective.slo", 100, _SLO),
    Bad("spec.objective.slo", "99.5%", _SLO),
    Bad("spec.objective.replicaCostPerHour", "0", "must be a quantity from 1u to 1G"),
    Bad("spec.objective.valuePerThousandRequests", "-0.1", _COST),
    Bad("spec.objective.violationCostPerMinute", "much", _COST),
    Bad("spec.objective.errorBudget", {}, "Required value", " ", "spec.objective.errorBudget.slo"),
    Bad("spec.objective.errorBudget.slo", 100, "must be a quantity from 50 to less than 100"),
    Bad(
        "spec.objective.errorBudget",
        {"slo": "99.9", "window": "1s"},
        "must be a duration from 1m to 2160h",
        "1s",
        "spec.objective.errorBudget.window",
    ),
    Bad("spec.objective.sli.query", "", "must be a PromQL query", "blank"),
    Bad("spec.guardrails.demotion.regretBudget", "-1", _COST),
    Bad("spec.onDelete", "Forget", 'supported values: "Keep", "Restore"'),
    Bad("spec.paused", {"until": _XMAS, "reason": "x"}, "Required value", " ", "spec.paused.by"),
    Bad("spec.paused", {**_PAUSE, "until": "soon"}, "must be of type date-time", "soon"),
    Bad("spec.paused", {**_PAUSE, "replicas": 61}, "must be at most maxReplicas, 60", "61"),
    Bad(
        "spec.paused",
        {**_PAUSE, "replicas": 5, "block": "Up"},
        "may be set only where block is All",
        "Up",
    ),
    Bad("spec.events", [{"name": "sale", "start": _XMAS}], "Required value", " ", "duration"),
    Bad("spec.events", [{**_SALE, "start": _XMAS}], "exactly one of start and schedule", "both"),
    Bad("spec.events", [{**_SALE, "expectedFactor": 2}], "expectedFactor and minReplicas", "both"),
    Bad("spec.events", [{**_SALE, "minReplicas": 61}], "must be at most maxReplicas, 60", " "),
    Bad("spec.events", [{**_SALE, "schedule": "daily"}], "must be five fields of cron", "daily"),
    Bad("spec.events", [{**_SALE, "timeZone": "../etc"}], "must be a time zone", "../etc"),
    Bad("spec.events", [{**_SALE, "duration": "0s"}], "must be a duration from 1s to 744h", "0s"),
    Bad("spec.events", [_SALE, _SALE], "Duplicate value", "sale"),
    Bad("spec.policy", {}, _ONE_POLICY, "neither"),
    Bad(
        "spec.policy",
        {"builtin": "default", "configMap": {"name": "mine", "key": "policy"}},
        _ONE_POLICY,
        "both",
    ),
    Bad("spec.policy.builtin", "best", 'supported values: "default", "ppo"'),
    Bad("spec.policy.configMap.name", "mine", "Required value", " ", "spec.policy.configMap.key"),
    Bad(
        "spec.policy",
        {"configMap": {"name": "my/map", "key": "policy"}},
        "must be the name of a ConfigMap",
        "my/map",
        "spec.policy.configMap.name",
    ),
    Bad(
        "spec.policy",
        {"configMap": {"name": "mine", "key": "a/b"}},
        "must be the key of a ConfigMap",
        "a/b",
        "spec.policy.configMap.key",
    ),
    Bad(
        "spec.policy",
        {"builtin": "default", "digest": "sha256:12ab"},
        "must be sha256: and 64 hexadecimal digits",
        "sha256:12ab",
        "spec.policy.digest",
    ),
    Bad("spec.seasons", ["24h", "1440m"], "must differ from each other", "24h, 1440m"),
    Bad("spec.seasons", ["10m"], "longer than twice leadTime.default, 5m", "they are 10m"),
    Bad("spec.seasons", ["1h", "2h", "3h"], "must have at most 2", "Too many: 3"),
    Bad("spec.seasons", ["day"], "must be a duration of at most 8784h", "day", "spec.seasons[0]"),
    Bad(
        "spec.seasons", ["8785h"], "must be a duration of at most 8784h", "8785h", "spec.seasons[0]"
    ),
    Bad("spec.guardrails.reactiveFloor.utilization", "0", _UTILIZATION),
    Bad("spec.guardrails.reactiveFloor.utilization", "1.01", _UTILIZATION),
    Bad("spec.guardrails.reactiveFloor.utilization", 90, _UTILIZATION),
    Bad(f"{_BEHAVIOR}.stabilizationWindowSeconds", 3601, "should be less than or equal to 3600"),
    Bad(f"{_BEHAVIOR}.tolerance", "1.5", "must be a quantity from 0 to 1"),
    Bad(f"{_BEHAVIOR}.tolerance", -1, "must be a quantity from 0 to 1"),
    Bad(f"{_BEHAVIOR}.selectPolicy", "Least", 'supported values: "Max", "Min", "Disabled"'),
    Bad(
        f"{_BEHAVIOR}.policies",
        [{"type": "Pods", "value": 0, "periodSeconds": 60}],
        "should be greater than or equal to 1",
        "0",
        f"{_BEHAVIOR}.policies[0].value",
    ),
    Bad(
        f"{_BEHAVIOR}.policies",
        [{"type": "Pods", "value": 1, "periodSeconds": 1801}],
        "should be less than or equal to 1800",
        "1801",
        f"{_BEHAVIOR}.policies[0].periodSeconds",
    ),
    Bad(f"{_LOSS}.after", "0s", _LEAD),
    Bad(f"{_LOSS}.action", "Panic", 'supported values: "Hold", "Reactive", "Replicas"'),
    Bad(_LOSS, {"action": "Replicas"}, "must be set", "it is missing", f"{_LOSS}.replicas"),
    Bad(f"{_LOSS}.replicas", 3, "may be set only where action is Replicas", "action is Hold"),
    Bad(
        _LOSS,
        {"action": "Replicas", "replicas": 61},
        "between minReplicas, 1, and maxReplicas, 60",
        "61",
        f"{_LOSS}.replicas",
    ),
    # Misspelt: without this refusal it would be dropped, and the default would hold.
    Bad("spec.minreplicas", 2, "unknown field", " "),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.key}={str(bad.value)[:40]}")
def test_refusal_names_key_bound_and_value(cluster: Cluster, bad: Bad) -> None:
    """What kubectl prints is enough to mend the policy."""
    policy = changed(sample("observe"), bad.key, bad.value)
    with pytest.raises(ClusterError) as refusal:
        cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=as_json(policy))
    message = str(refusal.value)
    shown = bad.shown if bad.shown or bad.value is DELETE else str(bad.value)
    for words in (bad.blamed or bad.key, bad.bound, shown):
        assert words in message
    # A rule that itself fails would show its source instead of a sentence.
    assert "evaluating rule" not in message


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_accepted(cluster: Cluster, path: Path) -> None:
    """What people are told to copy works; a key that the schema does not know is an error."""
    said = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", path)
    assert "Warning" not in said.stderr


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spec.interval", "1s"),
        ("spec.interval", "1h"),
        ("spec.leadTime.default", "1h30m"),
        ("spec.capacity.requestsPerSecond", "1m"),
        ("spec.capacity.requestsPerSecond", "1G"),
        ("spec.capacity.requestsPerSecond", 1_000_000_000),
        ("spec.objective.slo", "99.999"),
        ("spec.objective.slo", 1),
        ("spec.objective.replicaCostPerHour", "1u"),
        ("spec.objective.violationCostPerMinute", 0),
        ("spec.guardrails.reactiveFloor.utilization", 1),
        ("spec.guardrails.reactiveFloor.utilization", "0.01"),
        ("spec.guardrails.reactiveFloor.utilization", "1.0"),
        ("spec.maxReplicas", 1),
        ("spec.maxReplicas", 100_000),
        ("spec.seasons", []),
        ("spec.seasons", ["10m1s", "8784h"]),
        ("spec.rate.prometheus.address", "https://[::1]:9090/prometheus/"),
    ],
)
def test_bounds_themselves_are_accepted(cluster: Cluster, key: str, value: object) -> None:
    """The messages say "from", "to" and "at most": the bounds belong to the range."""
    policy = changed(sample("observe"), key, value)
    cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=as_json(policy))

"""A profile and its guardrails as Kubernetes manifests, in the words of the CRD.

The operator reads them back (`headstart_operator.resource`); a test holds that what comes out there
is what went in here.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from headstart_policy.behavior import Behavior
from headstart_policy.guardrails import LossAction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_policy.behavior import Rules
    from headstart_policy.guardrails import Guardrails
    from headstart_policy.profile import Profile

Document = dict[str, Any]

API_VERSION = "headstart.dev/v1alpha1"
ARTIFACT_KEY = "policy.safetensors"
# What a person can read; the sixth digit of a price or a capacity decides nothing.
_DIGITS = Context(prec=6)
# `kubectl apply` keeps a copy of the object in an annotation, and annotations end at 256 KiB:
# https://kubernetes.io/docs/reference/using-api/server-side-apply/
_LARGEST_APPLIED = 256 * 1024
_HOUR, _MINUTE = 3600, 60
MOST_REPLICAS = 100_000
# Requests/s per replica that the CRD allows.
CAPACITY = (1e-3, 1e9)
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class ManifestError(ValueError):
    """The API server would refuse a value; the message names key, bound and value."""


class Target(NamedTuple):
    """The workload to scale: anything with a scale subresource, in the policy's namespace."""

    name: str
    kind: str = "Deployment"
    api_version: str = "apps/v1"


class Source(NamedTuple):
    """Where the operator reads the rate."""

    query: str
    """PromQL with one series as its result, requests/s that arrive."""
    address: str | None = None
    """Of the Prometheus, as seen from the operator; ``None``: the operator's own."""


def scaling_policy(
    target: Target,
    source: Source,
    profile: Profile,
    guardrails: Guardrails,
    *,
    namespace: str | None = None,
    artifact: bytes | None = None,
    mode: str = "Observe",
) -> Document:
    """Write a ScalingPolicy, named as its target.

    Parameters
    ----------
    target, source
        What to scale, by which rate.
    profile, guardrails
        Of the service.
    namespace
        Of policy and target; ``None`` leaves it to `kubectl apply`.
    artifact
        The policy file that decides, out of :func:`config_map`'s ConfigMap and pinned by its
        digest; ``None``: the default that the operator brings.
    mode
        ``Observe`` or ``Auto``.

    Raises
    ------
    ManifestError
        A value that the CRD does not allow.
    """
    if not _NAME.fullmatch(target.name):
        raise ManifestError(
            f"target = {target.name!r}, must be the name of a workload: lower case letters, digits,"
            " - and . only, at most 253"
        )
    if not 1 <= guardrails.max_replicas <= MOST_REPLICAS:
        raise ManifestError(
            f"max_replicas = {guardrails.max_replicas}, must be in [1, {MOST_REPLICAS}]"
        )
    prometheus = {"query": source.query}
    if source.address:
        prometheus["address"] = source.address
    return {
        "apiVersion": API_VERSION,
        "kind": "ScalingPolicy",
        "metadata": _metadata(target.name, namespace),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": target.api_version,
                "kind": target.kind,
                "name": target.name,
            },
            "mode": mode,
            # The core knows services of no replicas; a ScalingPolicy does not.
            "minReplicas": max(guardrails.min_replicas, 1),
            "maxReplicas": guardrails.max_replicas,
            "interval": _seconds("interval", profile.interval, 1, _HOUR),
            "rate": {"prometheus": prometheus},
            "capacity": {"requestsPerSecond": _quantity("capacity", profile.capacity, *CAPACITY)},
            "leadTime": {"default": _seconds("lead_time", profile.lead_time, 1, 24 * _HOUR)},
            "objective": _objective(profile),
            "policy": _policy(target.name, artifact),
            "seasons": _seasons(profile),
            "guardrails": _guardrails(guardrails),
        },
    }


def config_map(target: Target, artifact: bytes, namespace: str | None = None) -> Document:
    """Write the ConfigMap that holds a policy file for the policy of ``target``."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(config_map_name(target.name), namespace),
        "binaryData": {ARTIFACT_KEY: base64.b64encode(artifact).decode()},
    }


def to_yaml(documents: Sequence[Document], comments: Mapping[str, str] | None = None) -> str:
    """Write documents as one YAML file.

    Parameters
    ----------
    documents
        In the order in which they are applied.
    comments
        Text by dotted key, such as ``spec.capacity``; it stands above that key wherever a document
        has it. The empty key is the head of the file.
    """
    notes = dict(comments or {})
    head = _comment(notes.pop("", ""), "")
    texts = (yaml.safe_dump(document, sort_keys=False, width=10**9) for document in documents)
    return head + "---\n".join(_with_comments(text, notes) for text in texts)


def apply_command(documents: Sequence[Document], file: str) -> str:
    """Say how ``file`` with these documents is applied."""
    largest = max(len(yaml.safe_dump(document)) for document in documents)
    option = "" if largest < _LARGEST_APPLIED else "--server-side "
    return f"kubectl apply {option}-f {file}"


def duration(seconds: float) -> str:
    """Write seconds as Kubernetes does, ``5m`` or ``1h30m``; parts of a second are rounded up.

    A lead time that is planned a second too long costs a second of one replica; one that is too
    short comes late.
    """
    whole = math.ceil(seconds - 1e-9)
    parts = ((whole // _HOUR, "h"), (whole % _HOUR // _MINUTE, "m"), (whole % _MINUTE, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def quantity(value: float) -> str:
    """Write a number as a Kubernetes quantity of at most six digits, without an exponent."""
    rounded = _DIGITS.create_decimal(repr(float(value)))
    text = format(rounded, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_target(reference: str) -> Target:
    """Read ``StatefulSet/checkout``, or the name of a Deployment alone."""
    kind, slash, name = reference.rpartition("/")
    return Target(name, kind) if slash else Target(name)


def to_object_name(name: str) -> str:
    """Make a name that a Kubernetes object can have: ``Shop_API`` is ``shop-api``."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")


def _metadata(name: str, namespace: str | None) -> Document:
    return {"name": name, **({"namespace": namespace} if namespace else {})}


def config_map_name(name: str) -> str:
    """Name the ConfigMap of a target: the operator may read those that the chart names."""
    return f"{name}-headstart"


def _policy(name: str, artifact: bytes | None) -> Document:
    if artifact is None:
        return {"builtin": "default"}
    return {
        "configMap": {"name": config_map_name(name), "key": ARTIFACT_KEY},
        "digest": "sha256:" + hashlib.sha256(artifact).hexdigest(),
    }


def _objective(profile: Profile) -> Document:
    goal = profile.objective
    # Exact, not rounded: at six digits an SLO of 99.99999 % would be 100 %, which has no optimum.
    percent = (Decimal(repr(goal.slo)) * 100).normalize()
    if percent < 1:
        raise ManifestError(f"slo = {goal.slo:g}, must be at least 0.01 in a ScalingPolicy")
    return {
        "slo": format(percent, "f"),
        "replicaCostPerHour": _quantity("replica_cost", goal.replica_cost, 1e-6, 1e9),
        "valuePerThousandRequests": _quantity("request_value", goal.request_value, 0, 1e9),
        "violationCostPerMinute": _quantity("violation_cost", goal.violation_cost, 0, 1e9),
    }


def _seasons(profile: Profile) -> list[str]:
    longest = 8784 * _HOUR
    return [_seconds("season", season, 1, longest) for season in profile.seasons]


def _guardrails(guardrails: Guardrails) -> Document:
    loss = guardrails.metric_loss
    on_loss: Document = {
        "after": _seconds("onMetricLoss.after", loss.after, 1, 24 * _HOUR),
        "action": str(loss.action),
    }
    if loss.action is LossAction.REPLICAS:
        on_loss["replicas"] = loss.replicas
    utilization = _quantity("reactiveFloor", guardrails.floor_utilization, 0.01, 1)
    return {
        "reactiveFloor": {"utilization": utilization},
        **_behavior(guardrails.behavior),
        "onMetricLoss": on_loss,
    }


def _behavior(behavior: Behavior) -> Document:
    # What the CRD fills in by itself is left out; "Disabled" alone needs no past, yet is a rule.
    if behavior == Behavior():
        return {}
    return {"behavior": {"scaleUp": _rules(behavior.up), "scaleDown": _rules(behavior.down)}}


def _rules(rules: Rules) -> Document:
    return {
        "stabilizationWindowSeconds": math.ceil(rules.window),
        "selectPolicy": str(rules.select),
        "policies": [
            {"type": one.kind, "value": one.value, "periodSeconds": math.ceil(one.period)}
            for one in rules.policies
        ],
    }


def _quantity(key: str, value: float, least: float, most: float) -> str:
    if not least <= value <= most:
        raise ManifestError(f"{key} = {value:g}, must be in [{least:g}, {most:g}]")
    return quantity(value)


def _seconds(key: str, seconds: float, least: int, most: int) -> str:
    if not least <= seconds <= most:
        raise ManifestError(
            f"{key} = {seconds:g} s, must be from {duration(least)} to {duration(most)}"
        )
    return duration(seconds)


def _with_comments(text: str, comments: Mapping[str, str]) -> str:
    """Put comments above their keys in block-style YAML, whose indent tells what is within what."""
    lines, path = [], list[tuple[int, str]]()
    for line in text.splitlines(keepends=True):
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        if not bare.startswith("- "):
            path = [step for step in path if step[0] < indent]
            path.append((indent, bare.split(":", 1)[0]))
            key = ".".join(name for _, name in path)
            lines.append(_comment(comments.get(key, ""), " " * indent))
        lines.append(line)
    return "".join(lines)


def _comment(text: str, indent: str) -> str:
    return "".join(f"{indent}# {line}".rstrip() + "\n" for line in text.splitlines())

"""A user's HorizontalPodAutoscaler as a contender.

What it measures has to become a rate per replica. How each kind of metric does, and what is taken
for granted in it, is said in the HPA's ``note``:

======================================  =====================================================
metric                                  rate per replica
======================================  =====================================================
``External``, ``Object``, ``Pods`` with  the ``averageValue``, if the metric counts requests/s
an ``averageValue``
``Resource``, ``ContainerResource``     that share of a replica's capacity, if a replica at its
``cpu`` with ``averageUtilization``     capacity uses exactly its CPU request
no metric                               80 % CPU, as Kubernetes fills in
======================================  =====================================================

Of several metrics the HPA follows the one that wants the most, which on one rate is the one with
the least rate per replica.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from headstart_policy.behavior import NO_LIMIT, Behavior, Policy, Rules, Select
from headstart_training.baselines.hpa import HPA, TOLERANCE, standard

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSIONS = ("autoscaling/v2", "autoscaling/v1")
# DefaultCPUUtilization of Kubernetes' pkg/apis/autoscaling.
_DEFAULT_CPU = 80
_CPU_NOTE = "a replica at its capacity is taken to use exactly its CPU request"
_RATE_NOTE = "the metric is taken to be requests/s"


class ManifestError(ValueError):
    """The manifest is no HPA, or one that cannot be played on a rate; the message names the key."""


def from_manifest(document: Mapping[str, Any], capacity: float) -> HPA:
    """Read an ``autoscaling/v2`` (or ``v1``) HorizontalPodAutoscaler.

    Parameters
    ----------
    document
        The manifest, as YAML or the API gives it.
    capacity
        Rate that one ready replica serves, requests/s; greater than 0.

    Raises
    ------
    ManifestError
        Another kind or version, a metric that says nothing of the rate, or a value out of bounds.
    """
    kind, version = document.get("kind"), document.get("apiVersion")
    if kind != "HorizontalPodAutoscaler" or version not in _VERSIONS:
        raise ManifestError(
            f"apiVersion, kind = {version}, {kind}: must be a HorizontalPodAutoscaler of"
            f" {' or '.join(_VERSIONS)}; `kubectl get hpa NAME -o yaml` prints one"
        )
    spec = _mapping(document, "spec")
    targets = [
        _target(metric, f"spec.metrics[{i}]", capacity) for i, metric in enumerate(_metrics(spec))
    ]
    target, note = min(targets)
    least, most = _whole(spec, "minReplicas", 1), _whole(spec, "maxReplicas", None)
    if most < least:
        raise ManifestError(f"spec.maxReplicas = {most}, must be at least minReplicas = {least}")
    behavior = spec.get("behavior")
    if behavior is None:
        return HPA(target, least, most, note=note)
    up, down = behavior.get("scaleUp") or {}, behavior.get("scaleDown") or {}
    defaults = standard()
    return HPA(
        target,
        least,
        most,
        down_tolerance=_tolerance(down, "spec.behavior.scaleDown.tolerance"),
        up_tolerance=_tolerance(up, "spec.behavior.scaleUp.tolerance"),
        behavior=Behavior(
            up=_rules(up, defaults.up, "spec.behavior.scaleUp"),
            down=_rules(down, defaults.down, "spec.behavior.scaleDown"),
        ),
        note=note,
    )


def _metrics(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    share = spec.get("targetCPUUtilizationPercentage", _DEFAULT_CPU)  # In v1 there is no other.
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": share}}
    return spec.get("metrics") or [{"type": "Resource", "resource": cpu}]


def _target(metric: Mapping[str, Any], path: str, capacity: float) -> tuple[float, str]:
    """Utilisation that a metric holds, and what that takes for granted."""
    kind = metric.get("type", "")
    source = metric.get(kind[:1].lower() + kind[1:]) or {}
    target = source.get("target") or {}
    if kind in {"Resource", "ContainerResource"}:
        if source.get("name") != "cpu" or target.get("averageUtilization") is None:
            raise ManifestError(
                f"{path}: {kind} {source.get('name')} with {_said(target)} says nothing of the"
                " rate; of resources, only cpu with averageUtilization can be played. Leave the"
                " metric out to see what the others do"
            )
        return _positive(
            target["averageUtilization"], f"{path} averageUtilization"
        ) / 100, _CPU_NOTE
    if kind in {"External", "Object", "Pods"}:
        if target.get("averageValue") is None:
            raise ManifestError(
                f"{path}: {kind} with {_said(target)} cannot be played, since it follows the ready"
                " replicas and not the rate; use a target of type AverageValue"
            )
        return _positive(target["averageValue"], f"{path} averageValue") / capacity, _RATE_NOTE
    raise ManifestError(
        f"{path}.type = {kind!r}, must be External, Object, Pods, Resource or ContainerResource"
    )


def _rules(given: Mapping[str, Any], default: Rules, path: str) -> Rules:
    """Fill in what is left out, as autoscaling/v2 does."""
    window = given.get("stabilizationWindowSeconds")
    policies = given.get("policies")
    select = given.get("selectPolicy") or "Max"
    if select not in set(Select):
        raise ManifestError(f"{path}.selectPolicy = {select!r}, must be Max, Min or Disabled")
    return Rules(
        window=default.window if window is None else float(window),
        policies=default.policies
        if policies is None
        else tuple(_policy(p, f"{path}.policies[{i}]") for i, p in enumerate(policies)),
        select=Select(select),
    )


def _policy(given: Mapping[str, Any], path: str) -> Policy:
    try:
        return Policy(str(given["type"]), int(given["value"]), float(given["periodSeconds"]))
    except KeyError as missing:
        raise ManifestError(f"{path} has no {missing.args[0]}") from None
    except ValueError as error:
        raise ManifestError(f"{path}: {error}") from None


def _tolerance(given: Mapping[str, Any], path: str) -> float:
    value = given.get("tolerance")
    return TOLERANCE if value is None else _number(value, path)


def _whole(spec: Mapping[str, Any], key: str, default: int | None) -> int:
    value = spec.get(key, default)
    if not isinstance(value, int) or not 1 <= value <= NO_LIMIT:
        raise ManifestError(
            f"spec.{key} = {value}, must be a whole number, at least 1"
            + (" (scaling to zero is an alpha feature and is not played)" if value == 0 else "")
        )
    return value


def _positive(value: Any, path: str) -> float:
    number = _number(value, path)
    if number <= 0:
        raise ManifestError(f"{path} = {value}, must be greater than 0")
    return number


def _number(value: Any, path: str) -> float:
    """Read a quantity, as ``3500m`` or ``1k``."""
    # The client takes long to load, and most of what reads no manifest needs none of it.
    from kubernetes.utils.quantity import parse_quantity  # noqa: PLC0415

    try:
        number = float(parse_quantity(value))  # type: ignore[no-untyped-call]
    except (ValueError, ArithmeticError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ManifestError(f"{path} = {value}, must be a quantity, at least 0, as 10 or 500m")
    return number


def _said(target: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in target.items()) or "no target"


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise ManifestError(f"{key} = {value}, must be a mapping")
    return value

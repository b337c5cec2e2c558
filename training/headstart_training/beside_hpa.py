"""The ScalingPolicy that stands beside an existing HorizontalPodAutoscaler.

What the HPA says is taken over; what it does not say, or says in another unit, is proposed with a
comment, or left blank: the API server refuses a blank query and a blank capacity by name, so that
nothing is decided on a guess that nobody looked at.

HPA fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kubernetes.utils.quantity import parse_quantity

from headstart_policy import behavior
from headstart_policy.guardrails import Guardrails
from headstart_policy.profile import Profile
from headstart_training.manifest import Source, Target, quantity, scaling_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Document = dict[str, Any]

INTERVAL, LEAD_TIME = 15.0, 300.0
# The API server writes these into every behavior that says anything at all, and the controller
# follows them where it says nothing: they are nobody's wish. KEDA and plain HPAs have them alike.
# Source: pkg/apis/autoscaling/v2/defaults.go of Kubernetes.
_DEFAULT_POLICIES = {
    "scaleUp": [("Percent", 100, 15), ("Pods", 4, 15)],
    "scaleDown": [("Percent", 100, 15)],
}
# Names of figures that count requests; a queue's length, say, is no rate.
_RATE_NAME = re.compile(r"request|rps|qps|per[-_]?second|_total$|hits|calls|queries", re.IGNORECASE)
_KEDA_LABEL = "scaledobject.keda.sh/name"
_KEDA_METRIC = re.compile(r"s(\d+)-.*")
_BLANK = "FILL IN before you apply this: the API server refuses it blank."


class Found(NamedTuple):
    """What a metric of the HPA tells of the load."""

    query: str | None
    address: str | None
    capacity: float | None
    why: str
    """Where it is from, or why there is nothing."""


@dataclass(frozen=True)
class Draft:
    """A ScalingPolicy to look through, and to complete where ``blanks`` names keys."""

    document: Document
    comments: dict[str, str]
    blanks: tuple[str, ...] = field(default=())


def draft(
    hpa: Document,
    *,
    query: str | None = None,
    capacity: float | None = None,
    address: str | None = None,
    scaled_object: Callable[[str], Document | None] = lambda _: None,
) -> Draft:
    """Write the ScalingPolicy, in mode Observe, for the workload that ``hpa`` scales.

    Parameters
    ----------
    hpa
        An autoscaling/v2 HorizontalPodAutoscaler.
    query, capacity, address
        PromQL of the rate, requests/s per replica, and the Prometheus, where they are known better
        than the HPA tells.
    scaled_object
        Reads KEDA's ScaledObject of a name: it has the query that KEDA's HPA only points at.
    """
    spec, metadata = hpa["spec"], hpa["metadata"]
    target = Target(
        spec["scaleTargetRef"]["name"],
        spec["scaleTargetRef"]["kind"],
        spec["scaleTargetRef"].get("apiVersion", "apps/v1"),
    )
    found = _best(
        _find(metric, metadata, target, scaled_object) for metric in spec.get("metrics", [])
    )
    rate, serves = query or found.query, capacity or found.capacity
    rules = spec.get("behavior", {})
    limits = Guardrails(
        max_replicas=spec["maxReplicas"],
        min_replicas=max(spec.get("minReplicas", 1), 1),
        behavior=behavior.Behavior(_rules(rules, "scaleUp"), _rules(rules, "scaleDown")),
    )
    document = scaling_policy(
        target,
        Source(rate or "", address or found.address),
        Profile(serves or 1.0, lead_time=LEAD_TIME, interval=INTERVAL),
        limits,
        namespace=metadata["namespace"],
    )
    if not serves:
        document["spec"]["capacity"]["requestsPerSecond"] = ""
    comments = {
        "": f"Stands beside HorizontalPodAutoscaler {metadata['namespace']}/{metadata['name']}:"
        " it decides and shows, and touches nothing.",
        "spec.rate.prometheus.query": _about_query(found, given=query is not None),
        "spec.capacity.requestsPerSecond": _about_capacity(found, given=capacity is not None),
        "spec.leadTime.default": "Until the operator has measured enough starts. Guess high.",
        "spec.objective": "Examples. Put in what things cost you: only their ratios matter.",
        "spec.guardrails.behavior": _about_behavior(rules),
    }
    blanks = (("spec.rate.prometheus.query", rate), ("spec.capacity.requestsPerSecond", serves))
    return Draft(document, comments, tuple(key for key, value in blanks if not value))


def _find(
    metric: Document,
    metadata: Document,
    target: Target,
    scaled_object: Callable[[str], Document | None],
) -> Found:
    kind = metric["type"]
    if kind not in {"External", "Object", "Pods"}:
        resource = metric[kind[0].lower() + kind[1:]]["name"]
        return Found(None, None, None, f"the HPA scales by {resource}, which tells of no requests")
    source = metric[kind.lower()]
    name = source["metric"]["name"]
    labels = source["metric"].get("selector", {}).get("matchLabels", {})
    per_replica = source["target"].get("averageValue")
    capacity = float(parse_quantity(per_replica)) if per_replica else None  # type: ignore[no-untyped-call]
    if kind == "External" and _KEDA_LABEL in labels:
        return _of_keda(name, labels[_KEDA_LABEL], capacity, scaled_object)
    if not _RATE_NAME.search(name):
        return Found(None, None, None, f"by its name, the HPA's metric {name} counts no requests")
    if kind == "Pods":
        labels = {**labels, "namespace": metadata["namespace"], "pod": f"{target.name}-.*"}
    elif kind == "Object":
        described = source["describedObject"]
        labels = {
            **labels,
            "namespace": metadata["namespace"],
            described["kind"].lower(): described["name"],
        }
    return Found(_propose(name, labels), None, capacity, f"from the HPA's {kind} metric {name}")


def _of_keda(
    metric: str,
    name: str,
    capacity: float | None,
    scaled_object: Callable[[str], Document | None],
) -> Found:
    """Read the query behind KEDA's metric, ``s<index of the trigger>-<its type>``.

    Source: https://keda.sh/docs/latest/scalers/prometheus/ and pkg/scalers/scaler.go of KEDA.
    """
    numbered = _KEDA_METRIC.fullmatch(metric)
    document = scaled_object(name)
    triggers = document["spec"]["triggers"] if document else []
    number = int(numbered[1]) if numbered else len(triggers)
    if number >= len(triggers) or triggers[number]["type"] != "prometheus":
        return Found(None, None, None, f"KEDA's metric {metric} of {name} is no Prometheus query")
    trigger = triggers[number]["metadata"]
    query = trigger["query"]
    if "rate(" not in query:
        return Found(None, None, None, f"the query of KEDA's ScaledObject {name} is no rate")
    return Found(query, trigger.get("serverAddress"), capacity, f"from KEDA's ScaledObject {name}")


def _propose(name: str, labels: dict[str, str]) -> str:
    """Guess the counter behind a metric by the names that Prometheus Adapter gives.

    Its rules turn ``http_requests_total`` into ``http_requests`` or ``http_requests_per_second``:
    https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/walkthrough.md
    """
    words = name.replace("-", "_")
    counter = words.removesuffix("_per_second").removesuffix("_total") + "_total"
    matchers = ", ".join(
        # What ends in a wildcard is ours, for pods of a workload; Kubernetes' labels have none.
        f"{key.replace('-', '_')}{'=~' if value.endswith('.*') else '='}{json.dumps(value)}"
        for key, value in labels.items()
    )
    return f"sum(rate({counter}{{{matchers}}}[1m]))"


def _best(found: Iterable[Found]) -> Found:
    """Take the metric that tells most; of equals, the first."""
    nothing = Found(None, None, None, "the HPA names no metric")
    return max(
        found, key=lambda one: (one.query is not None, one.capacity is not None), default=nothing
    )


def _rules(spec: Document, direction: str) -> behavior.Rules:
    rules = spec.get(direction, {})
    policies = [(p["type"], p["value"], p["periodSeconds"]) for p in rules.get("policies", [])]
    if sorted(policies) == _DEFAULT_POLICIES[direction]:
        policies = []
    return behavior.Rules(
        # None is the controller's own, five minutes down: against flapping, which is not ours.
        window=float(rules.get("stabilizationWindowSeconds") or 0),
        policies=tuple(behavior.Policy(kind, value, float(p)) for kind, value, p in policies),
        select=behavior.Select(rules.get("selectPolicy", "Max")),
    )


def _about_query(found: Found, *, given: bool) -> str:
    if given:
        return "Requests/s that arrive, as one series."
    if found.query:
        return (
            f"A proposal {found.why}.\nRun it in Prometheus: it must give one series, the"
            " requests/s that arrive. Requests that\nwere served are fewer exactly when replicas"
            " are missing."
        )
    return (
        f"{_BLANK}\nThe requests/s that arrive, as one series, such as\n"
        '  sum(rate(nginx_ingress_controller_requests{exported_service="checkout"}[1m]))\n'
        f"It is not known: {found.why}."
    )


def _about_capacity(found: Found, *, given: bool) -> str:
    if given:
        return "Requests/s that one ready replica serves within its SLO."
    if found.capacity:
        return (
            f"The HPA aims at {quantity(found.capacity)} per replica, so one serves at least that,"
            " likely more. What one\nreally serves within its SLO, by a load test or by `headstart"
            " backtest`, saves the difference."
        )
    return f"{_BLANK}\nThe requests/s that one ready replica serves within its SLO."


def _about_behavior(rules: Document) -> str:
    lost = [way for way in ("scaleUp", "scaleDown") if "tolerance" in rules.get(way, {})]
    tolerance = f"\nA ScalingPolicy knows no tolerance: {', '.join(lost)} lost it." if lost else ""
    return (
        "As in the HPA. A window against flapping is not needed here, where the policy knows what a"
        f"\nchange costs: `headstart backtest` shows what each rule costs.{tolerance}"
    )

"""What an HPA tells of a service, and what it leaves blank."""

from __future__ import annotations

from typing import Any

import pytest

from headstart_operator.resource import Spec
from headstart_policy.behavior import Behavior, Policy, Rules, Select
from headstart_training.beside_hpa import Draft, draft

AVERAGE = {"type": "AverageValue", "averageValue": "500m"}
QUERY = "spec.rate.prometheus.query"
CAPACITY = "spec.capacity.requestsPerSecond"


def hpa(*metrics: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Build an HPA on a Deployment, as the API server gives it."""
    return {
        "metadata": {"namespace": "shop", "name": "checkout-hpa"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
            "minReplicas": 3,
            "maxReplicas": 40,
            "metrics": list(metrics),
            **spec,
        },
    }


def cpu() -> dict[str, Any]:
    """Build the metric that most HPAs have."""
    target = {"type": "Utilization", "averageUtilization": 70}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def external(
    name: str, target: dict[str, str] = AVERAGE, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    """Build a metric that an adapter serves."""
    metric = {"name": name, "selector": {"matchLabels": labels or {}}}
    return {"type": "External", "external": {"metric": metric, "target": target}}


def pods(name: str) -> dict[str, Any]:
    """Build a metric that each pod has."""
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": AVERAGE}}


def on_ingress(name: str, target: dict[str, str]) -> dict[str, Any]:
    """Build a metric of another object."""
    described = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "main"}
    figures = {"describedObject": described, "metric": {"name": name}, "target": target}
    return {"type": "Object", "object": figures}


def query_of(made: Draft) -> str:
    """Query of a draft."""
    query: str = made.document["spec"]["rate"]["prometheus"]["query"]
    return query


@pytest.mark.parametrize(
    ("metric", "query"),
    [
        (external("requests_total"), "sum(rate(requests_total{}[1m]))"),
        (
            external("http_requests_per_second", labels={"app": "checkout"}),
            'sum(rate(http_requests_total{app="checkout"}[1m]))',
        ),
        (
            pods("http_requests"),
            'sum(rate(http_requests_total{namespace="shop", pod=~"checkout-.*"}[1m]))',
        ),
        (
            on_ingress("requests-per-second", AVERAGE),
            'sum(rate(requests_total{namespace="shop", ingress="main"}[1m]))',
        ),
    ],
)
def test_a_metric_of_requests_becomes_a_query_and_a_capacity(
    metric: dict[str, Any], query: str
) -> None:
    made = draft(hpa(cpu(), metric))
    assert query_of(made) == query
    assert made.document["spec"]["capacity"] == {"requestsPerSecond": "0.5"}
    assert made.blanks == ()
    assert "A proposal from the HPA's" in made.comments[QUERY]
    assert "aims at 0.5 per replica, so one serves at least that" in made.comments[CAPACITY]


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        ([cpu()], "the HPA scales by cpu, which tells of no requests"),
        ([external("sqs_messages_visible")], "the HPA's metric sqs_messages_visible counts no"),
        ([], "the HPA names no metric"),
    ],
)
def test_what_is_no_rate_is_left_blank_and_said(metrics: list[dict[str, Any]], why: str) -> None:
    """The queue's length per replica is no capacity either."""
    made = draft(hpa(*metrics))
    assert made.blanks == (QUERY, CAPACITY)
    assert (query_of(made), made.document["spec"]["capacity"]["requestsPerSecond"]) == ("", "")
    assert why in made.comments[QUERY]
    assert all(made.comments[key].startswith("FILL IN") for key in made.blanks)


def test_a_target_for_all_replicas_together_tells_no_capacity() -> None:
    made = draft(hpa(on_ingress("requests-per-second", {"type": "Value", "value": "10k"})))
    assert made.blanks == (CAPACITY,)


def test_what_is_given_wins() -> None:
    made = draft(hpa(pods("http_requests")), query="sum(mine)", capacity=12.5, address="http://p:1")
    spec = made.document["spec"]
    assert spec["rate"]["prometheus"] == {"query": "sum(mine)", "address": "http://p:1"}
    assert spec["capacity"] == {"requestsPerSecond": "12.5"}
    assert made.blanks == ()
    assert "proposal" not in made.comments[QUERY]


def test_target_and_bounds_are_the_same_and_the_mode_is_observe() -> None:
    spec = draft(hpa(cpu(), minReplicas=0)).document["spec"]
    assert spec["scaleTargetRef"]["name"] == "checkout"
    assert (spec["mode"], spec["minReplicas"], spec["maxReplicas"]) == ("Observe", 1, 40)


KEDA = external("s1-prometheus", labels={"scaledobject.keda.sh/name": "checkout"})


def scaled(kind: str, query: str) -> dict[str, Any]:
    """Build a ScaledObject whose second trigger is asked for."""
    trigger = {"query": query, "serverAddress": "http://prometheus:9090", "threshold": "0.5"}
    return {"spec": {"triggers": [{"type": "cron"}, {"type": kind, "metadata": trigger}]}}


def test_keda_keeps_the_query_itself() -> None:
    document = scaled("prometheus", "sum(rate(hits_total[2m]))")
    made = draft(hpa(KEDA), scaled_object={"checkout": document}.get)
    assert made.document["spec"]["rate"]["prometheus"] == {
        "query": "sum(rate(hits_total[2m]))",
        "address": "http://prometheus:9090",
    }
    assert made.blanks == ()


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (None, "KEDA's metric s1-prometheus of checkout is no Prometheus query"),
        (scaled("kafka", "sum(rate(hits_total[2m]))"), "is no Prometheus query"),
        (scaled("prometheus", "sum(queue_length)"), "ScaledObject checkout is no rate"),
    ],
)
def test_keda_without_a_rate_is_left_blank(document: dict[str, Any] | None, why: str) -> None:
    made = draft(hpa(KEDA), scaled_object=lambda _: document)
    assert made.blanks == (QUERY, CAPACITY)
    assert why in made.comments[QUERY]


def behavior_of(**rules: Any) -> tuple[Behavior, str]:
    """Guardrails' rules, by the operator's parser, and what is said of them."""
    made = draft(hpa(pods("http_requests"), behavior=rules))
    comment = made.comments["spec.guardrails.behavior"]
    return Spec.parse(made.document["spec"]).limits().behavior, comment


def test_rules_are_taken_over_but_not_the_api_servers_own() -> None:
    """`scaleUp` is what the API server fills in where only `scaleDown` was written."""
    own = {"type": "Percent", "value": 10, "periodSeconds": 60}
    defaults = [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    read, _ = behavior_of(
        scaleUp={"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": defaults},
        scaleDown={"stabilizationWindowSeconds": 60, "selectPolicy": "Min", "policies": [own]},
    )
    assert read == Behavior(Rules(), Rules(60.0, (Policy("Percent", 10, 60.0),), select=Select.MIN))


def test_a_tolerance_is_said_to_be_lost() -> None:
    _, comment = behavior_of(scaleDown={"selectPolicy": "Disabled", "tolerance": "50m"})
    assert "knows no tolerance: scaleDown lost it" in comment


def test_a_plain_hpa_gets_no_rules() -> None:
    assert "behavior" not in draft(hpa(cpu())).document["spec"]["guardrails"]

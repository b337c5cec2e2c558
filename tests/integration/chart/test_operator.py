"""The operator as the chart starts it, with the rights of the chart's ServiceAccount."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.cluster import ClusterError, free_port, static_target, wait_until
from tests.cluster.pods import SECRETS
from tests.cluster.processes import can_mount
from tests.cluster.prometheus import PASSWORD, USER
from tests.integration.chart.charts import CHART, NAMESPACE, ROOT
from tests.integration.chart.operators import RELEASE, installed
from tests.integration.operator.world import an_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster import Cluster, Kubelet, Prometheus

RATE = 52
CAPACITY = 5
LEAST = 12
"""Replicas that the reactive floor asks for at that rate: 52 / (0.9 * 5), rounded up."""


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "main", "image": "nothing"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }


def _policy(name: str) -> dict[str, Any]:
    policy: dict[str, Any] = yaml.safe_load((ROOT / "manifests/samples/observe.yaml").read_text())
    policy["metadata"]["name"] = policy["spec"]["scaleTargetRef"]["name"] = name
    policy["spec"] |= {
        "mode": "Auto",
        "interval": "1s",
        "leadTime": {"default": "5s"},
        "rate": {"prometheus": {"query": f"vector({RATE})"}},
        "capacity": {"requestsPerSecond": CAPACITY},
        "policy": {"configMap": {"name": "trained", "key": "policy"}},
    }
    return policy


def _artifact() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "trained"},
        "binaryData": {"policy": base64.b64encode(an_artifact()).decode()},
    }


def _get(cluster: Cluster, namespace: str, kind: str, name: str) -> Any:
    return json.loads(cluster.kubectl("get", kind, name, "-n", namespace, "-o", "json").stdout)


def _conditions(policy: dict[str, Any]) -> dict[str, str]:
    found = policy.get("status", {}).get("conditions", [])
    return {condition["type"]: condition["status"] for condition in found}


@pytest.mark.parametrize("scope", ["cluster-wide", "namespaced"])
def test_operator_scales_with_the_rights_of_the_chart(
    cluster: Cluster, namespace: str, prometheus: Callable[..., Prometheus], scope: str
) -> None:
    """A rule that the chart's Role lacks shows here: as a condition, or in the operator's log."""
    only_there = [f"--set=watchNamespaces={{{namespace}}}"] if scope == "namespaced" else []
    with installed(cluster, prometheus().url, *only_there) as (kubelet, port):
        pod = kubelet.wait_for_pod(RELEASE)
        for manifest in (_artifact(), _deployment("shop"), _policy("shop")):
            cluster.kubectl(
                "apply", f"--namespace={namespace}", "-f", "-", stdin=json.dumps(manifest)
            )

        def scaled() -> bool:
            return bool(_get(cluster, namespace, "deployment", "shop")["spec"]["replicas"] >= LEAST)

        wait_until("the deployment to be scaled", scaled)
        wait_until(
            "the policy to be Ready, for which its artefact must be read",
            lambda: _conditions(_get(cluster, namespace, "sp", "shop")).get("Ready") == "True",
        )
        status = _get(cluster, namespace, "sp", "shop")["status"]
        assert float(status["requestRate"]) == RATE
        assert status["lastDecision"]["desired"] >= LEAST
        wait_until(
            "an event that says why",
            lambda: (
                cluster.kubectl(
                    *("get", "events", "-n", namespace, "-o", "name"),
                    "--field-selector=involvedObject.kind=ScalingPolicy",
                ).stdout
            ),
        )
        for path in ("healthz", "readyz", "metrics"):
            url = f"http://127.0.0.1:{port}/{path}"
            assert httpx.get(url, trust_env=False).is_success, path
        _helm_test(cluster, kubelet)
        assert "forbidden" not in pod.output().lower()
        lines = pod.output().splitlines()
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines)

    # Without an operator, policies and workloads still go when they are told to.
    cluster.kubectl("delete", "sp", "shop", "-n", namespace, "--timeout=10s")


def _helm_test(cluster: Cluster, kubelet: Kubelet) -> None:
    """Run the chart's own test, which leaves nothing behind."""
    # Longer than the test pod itself waits: what it says is worth more than a timeout.
    said = cluster.helm("test", RELEASE, f"--namespace={NAMESPACE}", "--timeout=90s").stdout
    assert "Phase:          Succeeded" in said
    assert "-test is Ready" in kubelet.pods[f"{RELEASE}-test"].output()
    kinds = "sp,deployment,pod,role,rolebinding,serviceaccount"
    ours = "--selector=app.kubernetes.io/name=headstart-test"
    assert not cluster.kubectl("get", kinds, ours, "-A", "-o", "name").stdout


@pytest.mark.skipif(not can_mount(SECRETS), reason="cannot mount a Secret for the pod")
def test_guarded_prometheus_is_asked_and_each_query_of_the_dashboard_returns_data(
    cluster: Cluster, namespace: str, prometheus: Callable[..., Prometheus]
) -> None:
    """With a mounted Secret: its authority, a user and a password. It scrapes the operator."""
    port = free_port()
    guarded = prometheus(
        [static_target("headstart", f"127.0.0.1:{port}")], tls=True, basic_auth=True
    )
    _give_secret(cluster, {"ca.crt": guarded.ca.read_text(), "user": f"{USER}:{PASSWORD}"})
    policy = _policy("shop")
    policy["spec"]["objective"] = {"errorBudget": {"slo": "99.9", "window": "1h"}}
    where = "prometheus.existingSecret"
    secret = f"{where}.name=prometheus,{where}.basicAuthKey=user,{where}.caKey=ca.crt"
    with installed(cluster, guarded.url, f"--set={secret}", port=port):
        for manifest in (_artifact(), _deployment("shop"), policy):
            cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
        missing = dict(_queries())

        def complete() -> bool:
            for title, expression in list(missing.items()):
                if guarded.query(expression):
                    del missing[title]
            return not missing

        try:
            wait_until("each query of the dashboard to return data", complete, timeout=60)
        except ClusterError:
            assert not missing


def _give_secret(cluster: Cluster, data: dict[str, str]) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prometheus"}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(space))
    cluster.kubectl(
        *("apply", "-n", NAMESPACE, "-f", "-"), stdin=json.dumps(secret | {"stringData": data})
    )


def _queries() -> Iterator[tuple[str, str]]:
    """Queries of the dashboard by title, with everything chosen, as Grafana would ask them."""
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    variables = {"$namespace": ".+", "$policy": ".+", "$__rate_interval": "15s"}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(name, value)
            yield f"{panel['title']}, {target['refId']}", expression

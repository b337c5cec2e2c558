"""The operator as the chart starts it, with the rights of the chart's ServiceAccount."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.cluster import ClusterError, free_port, static_target, wait_until
from tests.integration.chart.charts import CHART, NAMESPACE, ROOT
from tests.integration.chart.operators import RELEASE, installed
from tests.integration.operator.world import an_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster import Cluster, Prometheus

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
    with installed(cluster, prometheus().url, *only_there) as (pod, port):
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
        assert "forbidden" not in pod.output().lower()

    # Without an operator, policies and workloads still go when they are told to.
    cluster.kubectl("delete", "sp", "shop", "-n", namespace, "--timeout=10s")


def test_logs_are_json(cluster: Cluster, prometheus: Callable[..., Prometheus]) -> None:
    """Each line of them, as the chart asks for."""
    with installed(cluster, prometheus().url) as (pod, _):
        lines = pod.output().splitlines()
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.parametrize("scope", ["cluster-wide", "namespaced"])
def test_helm_test_sees_the_operator_work(
    cluster: Cluster, namespace: str, prometheus: Callable[..., Prometheus], scope: str
) -> None:
    """Installed with --wait; `helm test` runs the chart's test pod and leaves nothing behind."""
    where = [f"--set=watchNamespaces={{{namespace}}}"] if scope == "namespaced" else []
    # One replica: two would share this machine's ports.
    settings = [
        "--set=replicas=1",
        f"--set=metrics.port={free_port()},prometheus.address={prometheus().url}",
    ]
    release = (RELEASE, f"--namespace={NAMESPACE}")
    with cluster.kubelet(NAMESPACE) as kubelet:
        cluster.helm(
            *("install", *release, CHART, "--create-namespace", *settings, *where),
            *("--wait", "--timeout=60s"),
        )
        try:
            # Longer than the test pod itself waits: what it says is worth more than a timeout.
            said = cluster.helm("test", *release, "--timeout=90s").stdout
            assert "Phase:          Succeeded" in said
            assert "-test is Ready" in kubelet.pods[f"{RELEASE}-test"].output()
        finally:
            cluster.helm("uninstall", *release, "--wait", "--timeout=60s")
        left = "sp,deployment,pod,role,rolebinding,serviceaccount"
        ours = "--selector=app.kubernetes.io/name=headstart-test"
        assert not cluster.kubectl("get", left, ours, "-A", "-o", "name").stdout


def test_each_query_of_the_dashboard_returns_data(
    cluster: Cluster, namespace: str, prometheus: Callable[..., Prometheus]
) -> None:
    """On what a real Prometheus scraped from an operator that scales."""
    port = free_port()
    scraped = prometheus([static_target("headstart", f"127.0.0.1:{port}")])
    budget = {"objective": {"errorBudget": {"slo": "99.9", "window": "1h"}}}
    policy = _policy("shop")
    policy["spec"] |= budget
    with installed(cluster, scraped.url, port=port):
        for manifest in (_artifact(), _deployment("shop"), policy):
            cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
        missing = dict(_queries())

        def complete() -> bool:
            for title, expression in list(missing.items()):
                if scraped.query(expression):
                    del missing[title]
            return not missing

        try:
            wait_until("each query of the dashboard to return data", complete, timeout=60)
        except ClusterError:
            assert not missing


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

"""The operator as the chart starts it, with the rights of the chart's ServiceAccount."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.cluster import free_port, wait_until
from tests.integration.chart.charts import CHART, NAMESPACE, ROOT
from tests.integration.operator.world import an_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster import Cluster, PodProcess, Prometheus

RELEASE = "headstart"
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


@contextmanager
def _installed(
    cluster: Cluster, prometheus: str, *arguments: str
) -> Iterator[tuple[PodProcess, int]]:
    """Install the chart and run its pod, on a port that is free on this machine."""
    port = free_port()
    cluster.helm(
        *("install", RELEASE, CHART, f"--namespace={NAMESPACE}", "--create-namespace"),
        *("--set", f"metrics.port={port}", "--set", f"prometheus.address={prometheus}"),
        *("--set", "artifactConfigMaps={trained}"),
        "--set=replicas=1,leaderElection.enabled=false",
        *arguments,
    )
    try:
        with cluster.run_deployment(NAMESPACE, RELEASE) as pod:
            pod.wait_ready()
            yield pod, port
    finally:
        cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait", "--timeout=60s")


@pytest.mark.parametrize("scope", ["cluster-wide", "namespaced"])
def test_operator_scales_with_the_rights_of_the_chart(
    cluster: Cluster, namespace: str, prometheus: Callable[..., Prometheus], scope: str
) -> None:
    """A rule that the chart's Role lacks shows here: as a condition, or in the operator's log."""
    only_there = [f"--set=watchNamespaces={{{namespace}}}"] if scope == "namespaced" else []
    with _installed(cluster, prometheus().url, *only_there) as (pod, port):
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
    with _installed(cluster, prometheus().url) as (pod, _):
        lines = pod.output().splitlines()
        assert lines
        assert all(isinstance(json.loads(line), dict) for line in lines)

"""A kind that is not Kubernetes' own: machines, scaled with the rights of the chart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster import wait_until
from tests.integration.chart.charts import ROOT
from tests.integration.chart.operators import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster import Cluster, Prometheus

MACHINES = "machinedeployments.cluster.x-k8s.io"
STAND_IN = Path(__file__).with_name("machine-deployments.yaml")
CRD = ROOT / "manifests" / "crd"


@pytest.fixture(scope="module", autouse=True)
def crds(cluster: Cluster) -> Iterator[None]:
    """Give the cluster both kinds; a release that comes later brings its own."""
    cluster.kubectl("apply", "--server-side", "-f", CRD, "-f", STAND_IN)
    for name in ("scalingpolicies.headstart.dev", MACHINES):
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{name}")
    yield
    cluster.kubectl("delete", "-f", CRD, "-f", STAND_IN, "--timeout=30s")


def _get(cluster: Cluster, namespace: str, kind: str) -> dict[str, Any]:
    said = cluster.kubectl("get", kind, "workers", "-n", namespace, "-o", "json").stdout
    found: dict[str, Any] = json.loads(said)
    return found


def test_machine_deployment_is_scaled_as_the_sample_says(
    cluster: Cluster, namespace: str, prometheus: Callable[..., Prometheus]
) -> None:
    """With the right that the sample asks for, and no other: 52 requests/s at 5 each."""
    policy = yaml.safe_load((ROOT / "manifests/samples/machine-deployment.yaml").read_text())
    policy["spec"] |= {"interval": "1s", "rate": {"prometheus": {"query": "vector(52)"}}}
    machines: dict[str, Any] = {
        "apiVersion": "cluster.x-k8s.io/v1beta1",
        "kind": "MachineDeployment",
        "metadata": {"name": "workers"},
        "spec": {"replicas": 5},
    }
    kinds = [{"apiGroup": "cluster.x-k8s.io", "resources": ["machinedeployments"]}]
    settings = ["--set=crds.enabled=false", f"--set-json=scalableKinds={json.dumps(kinds)}"]
    with installed(cluster, prometheus().url, *settings):
        for manifest in (machines, policy):
            cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
        wait_until(
            "the machines to be scaled",
            lambda: _get(cluster, namespace, MACHINES)["spec"]["replicas"] >= 12,
        )
        # Machines are no pods: Cluster API says itself how many are ready.
        ready = json.dumps({"status": {"replicas": 12, "readyReplicas": 9}})
        cluster.kubectl(
            *("patch", MACHINES, "workers", "-n", namespace, "--subresource=status"),
            *("--type=merge", f"--patch={ready}"),
        )
        wait_until(
            "the policy to count the ready machines",
            lambda: _get(cluster, namespace, "sp")["status"].get("readyReplicas") == 9,
        )

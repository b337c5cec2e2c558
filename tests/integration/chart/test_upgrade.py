"""From the chart as it was first packaged, with its CRD in crds/, to the chart as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import ClusterError
from tests.integration.chart.charts import CHART, NAMESPACE, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster

RELEASE = "headstart"
CRD = "scalingpolicies.headstart.dev"
HERE = ROOT / "tests" / "integration" / "chart"
OLD = HERE / "packages" / "headstart-0.1.0.tgz"
SAMPLE = ROOT / "manifests" / "samples" / "observe.yaml"
IN = f"--namespace={NAMESPACE}"


@pytest.fixture
def policy(cluster: Cluster, namespace: str) -> Iterator[dict[str, Any]]:
    """Install the old chart, and give a policy that was written under it."""
    cluster.kubectl("delete", "crd", CRD, "--ignore-not-found", "--wait")
    cluster.helm("install", RELEASE, OLD, IN, "--create-namespace")
    cluster.wait_established(CRD)
    cluster.kubectl("apply", f"--namespace={namespace}", "-f", SAMPLE)
    yield _policy(cluster, namespace)
    cluster.helm("uninstall", RELEASE, IN, "--wait", "--timeout=60s", "--ignore-not-found")
    # What is left would belong to a release that is gone; other tests start without.
    cluster.kubectl("delete", "crd", CRD, "--ignore-not-found", "--wait", "--timeout=120s")


def _policy(cluster: Cluster, namespace: str) -> dict[str, Any]:
    said = cluster.kubectl("get", "sp", "checkout", "-n", namespace, "-o", "json").stdout
    found: dict[str, Any] = json.loads(said)
    return found


def _crd(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", "crd", CRD, "-o", "json").stdout)
    return found


def test_policies_survive_upgrade_and_uninstall(
    cluster: Cluster, namespace: str, policy: dict[str, Any]
) -> None:
    """Helm refuses first; with --take-ownership the CRD becomes the release's."""
    with pytest.raises(ClusterError, match="cannot be imported into the current release"):
        cluster.helm("upgrade", RELEASE, CHART, IN)

    cluster.helm("upgrade", RELEASE, CHART, IN, "--take-ownership")
    crd = _crd(cluster)
    assert crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "events" in schema["properties"]["spec"]["properties"], "the CRD is the new one"
    assert _policy(cluster, namespace)["metadata"]["uid"] == policy["metadata"]["uid"]

    cluster.helm("uninstall", RELEASE, IN, "--wait", "--timeout=60s")
    left = _policy(cluster, namespace)
    assert left["metadata"]["uid"] == policy["metadata"]["uid"]
    assert left["spec"]["scaleTargetRef"] == policy["spec"]["scaleTargetRef"]
    assert "finalizers" not in left["metadata"]

    # The same release again finds what it left behind.
    cluster.helm("install", RELEASE, CHART, IN)
    assert _policy(cluster, namespace)["metadata"]["uid"] == policy["metadata"]["uid"]


def test_annotations_hand_over_the_crd_too(
    cluster: Cluster, namespace: str, policy: dict[str, Any]
) -> None:
    """For a Helm before 3.17; and nothing is stuck if the release goes with its CRD."""
    cluster.kubectl(
        *("annotate", "crd", CRD, f"meta.helm.sh/release-name={RELEASE}"),
        f"meta.helm.sh/release-namespace={NAMESPACE}",
    )
    cluster.kubectl("label", "crd", CRD, "app.kubernetes.io/managed-by=Helm")
    cluster.helm("upgrade", RELEASE, CHART, IN)
    assert _policy(cluster, namespace)["metadata"]["uid"] == policy["metadata"]["uid"]

    cluster.helm("upgrade", RELEASE, CHART, IN, "--set=crds.keep=false")
    cluster.helm("uninstall", RELEASE, IN, "--wait", "--timeout=60s")
    with pytest.raises(ClusterError, match="NotFound"):
        _crd(cluster)

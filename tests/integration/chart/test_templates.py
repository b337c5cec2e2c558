"""What the chart renders: helm's own checks, golden files, the plain manifests, the schema."""

from __future__ import annotations

import os
import tarfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster import ClusterError
from tests.integration.chart.charts import CHART, NAMESPACE, ROOT, objects

if TYPE_CHECKING:
    from tests.cluster import Cluster

HERE = Path(__file__).parent
VALUES = sorted((HERE / "values").glob("*.yaml"))


def _render(cluster: Cluster, *arguments: str | Path) -> str:
    """Render the chart as it is installed by default, or with other values."""
    return cluster.helm(
        "template", "headstart", CHART, f"--namespace={NAMESPACE}", *arguments
    ).stdout


def test_lint_finds_nothing(cluster: Cluster) -> None:
    """Helm itself is content, also where it is strict."""
    cluster.helm("lint", "--strict", CHART)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_rendering_equals_the_golden_file(cluster: Cluster, values: Path) -> None:
    """To accept a change, run the tests with HEADSTART_UPDATE_GOLDEN=1 and review the diff."""
    golden = HERE / "golden" / values.name
    text = _render(cluster, f"--values={values}")
    objects(text)
    if os.environ.get("HEADSTART_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def _without_helm_labels(manifest: dict[str, Any]) -> dict[str, Any]:
    labels = manifest["metadata"].get("labels", {})
    for label in ("helm.sh/chart", "app.kubernetes.io/managed-by"):
        labels.pop(label, None)
    return manifest


def test_manifests_equal_the_chart(cluster: Cluster) -> None:
    """`kubectl apply -k manifests` gives what `helm install` gives, and the namespace."""
    plain = objects(cluster.kubectl("kustomize", ROOT / "manifests").stdout)
    del plain["Namespace", "", NAMESPACE]
    rendered = objects(_render(cluster, "--include-crds"))
    assert plain == {key: _without_helm_labels(value) for key, value in rendered.items()}


def test_versions_agree() -> None:
    """The chart installs the operator that this repository builds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_package_holds_the_crd_itself(cluster: Cluster, tmp_path: Path) -> None:
    """In the checkout the chart's CRD is a link to the only copy; a package has no use for one."""
    cluster.helm("package", CHART, f"--destination={tmp_path}")
    (package,) = tmp_path.iterdir()
    with tarfile.open(package) as archive:
        crd = archive.extractfile("headstart/crds/scalingpolicies.headstart.dev.yaml")
        assert crd is not None
        assert (
            crd.read() == (ROOT / "manifests/crd/scalingpolicies.headstart.dev.yaml").read_bytes()
        )
        assert not [member.name for member in archive if not member.isreg()]


@pytest.mark.parametrize(
    ("setting", "key", "bound"),
    [
        ("replicas=2", "/replicas", "must be 1"),
        ("replicaCount=1", "replicaCount", "not allowed"),
        ("image.tag=a b", "/image/tag", "does not match pattern"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"),
        ("image.repository=", "/image/repository", "minLength: got 0, want 1"),
        ("prometheus.address=prometheus:9090", "/prometheus/address", "'prometheus:9090'"),
        ("prometheus.address=http://me:it@there", "/prometheus/address", "does not match pattern"),
        ("prometheus.url=http://there", "url", "not allowed"),
        ("watchNamespaces=shop", "/watchNamespaces", "want array"),
        ("watchNamespaces={shop,shop}", "/watchNamespaces", "items at 0 and 1 are equal"),
        ("watchNamespaces={Shop}", "/watchNamespaces/0", "'Shop' does not match pattern"),
        ("scalableKinds=null", "scalableKinds", "missing"),
        ("scalableKinds[0].apiGroup=apps", "/scalableKinds/0", "missing property 'resources'"),
        ("metrics.port=80", "/metrics/port", "got 80, want 1,024"),
        ("metrics.port=70000", "/metrics/port", "got 70,000, want 65,535"),
        ("log.level=loud", "/log/level", "'debug', 'info', 'warning', 'error'"),
    ],
)
def test_schema_refuses_bad_values(cluster: Cluster, setting: str, key: str, bound: str) -> None:
    """Before anything is installed, with the key and the bound."""
    with pytest.raises(ClusterError) as refusal:
        _render(cluster, "--set", setting)
    message = str(refusal.value)
    assert "values don't meet the specifications" in message
    assert key in message
    assert bound in message

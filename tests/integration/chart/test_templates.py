"""What the chart renders: helm's own checks, golden files, the plain manifests, the schema."""

from __future__ import annotations

import json
import os
import tarfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster import ClusterError
from tests.integration.chart import generate
from tests.integration.chart.charts import CHART, NAMESPACE, ROOT, objects

if TYPE_CHECKING:
    from tests.cluster import Cluster

HERE = Path(__file__).parent
VALUES = sorted((HERE / "values").glob("*.yaml"))
SECRET = [
    "prometheus.address=http://there",
    "prometheus.existingSecret.name=it",
    "prometheus.existingSecret.bearerTokenKey=token",
]
FILES = [
    "crd/scalingpolicies.headstart.dev.yaml",
    "monitoring/alerts.yaml",
    "monitoring/dashboard.json",
]


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
    """To accept a change, run the tests with HEADSTART_UPDATE_GOLDEN=1 and review the diff.

    The CRD and the dashboard are not among them: they are held equal to the only copies below.
    """
    golden = HERE / "golden" / values.name
    less = ("--set=crds.enabled=false,dashboard.enabled=false", "--skip-tests")
    text = _render(cluster, f"--values={values}", *less)
    objects(text)
    if os.environ.get("HEADSTART_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def _without_helm(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = manifest["metadata"]
    labels = metadata.get("labels", {})
    for label in ("helm.sh/chart", "app.kubernetes.io/managed-by"):
        labels.pop(label, None)
    if manifest["kind"] == "CustomResourceDefinition":
        # kubectl upgrades and keeps it by itself.
        del metadata["labels"], metadata["annotations"]
    return manifest


def test_manifests_equal_the_chart(cluster: Cluster) -> None:
    """`kubectl apply -k manifests` gives what `helm install` gives, and the namespace."""
    plain = objects(cluster.kubectl("kustomize", ROOT / "manifests").stdout)
    del plain["Namespace", "", NAMESPACE]
    rendered = objects(_render(cluster, "--skip-tests"))
    assert plain == {key: _without_helm(value) for key, value in rendered.items()}


@pytest.mark.parametrize("keep", [True, False])
def test_chart_holds_the_crd_itself(cluster: Cluster, *, keep: bool) -> None:
    """The only copy, with what makes Helm own it and leave it behind."""
    (crd,) = objects(
        _render(cluster, "--show-only=templates/crd.yaml", f"--set=crds.keep={str(keep).lower()}")
    ).values()
    annotations = crd["metadata"].get("annotations", {})
    assert annotations.get("helm.sh/resource-policy") == ("keep" if keep else None)
    only = yaml.safe_load((ROOT / "manifests/crd/scalingpolicies.headstart.dev.yaml").read_text())
    assert crd["spec"] == only["spec"]


def test_dashboard_is_the_only_copy(cluster: Cluster) -> None:
    """With the labels by which Grafana's sidecar finds it."""
    everything = f"--values={HERE / 'values' / 'everything.yaml'}"
    (found,) = objects(
        _render(cluster, everything, "--show-only=templates/dashboard.yaml")
    ).values()
    only = json.loads((ROOT / "manifests/monitoring/dashboard.json").read_text())
    assert json.loads(found["data"]["headstart.json"]) == only
    assert found["metadata"]["labels"]["grafana_dashboard"] == "2"
    assert found["metadata"]["annotations"] == {"grafana_folder": "Autoscaling"}


@pytest.mark.parametrize("path", ["values.schema.json", "README.md"])
def test_generated_files_are_up_to_date(path: str) -> None:
    """Run `python -m tests.integration.chart.generate` after a change of the values."""
    assert (CHART / path).read_text() == generate.files()[CHART / path]


def test_versions_agree() -> None:
    """The chart installs the operator that this repository builds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_package_holds_files_and_no_links(cluster: Cluster, tmp_path: Path) -> None:
    """In the checkout some are links to the only copy; a package has no use for those."""
    cluster.helm("package", CHART, f"--destination={tmp_path}")
    (package,) = tmp_path.iterdir()
    with tarfile.open(package) as archive:
        assert not [member.name for member in archive if not member.isreg()]
        for name in FILES:
            packed = archive.extractfile(f"headstart/files/{name.rpartition('/')[2]}")
            assert packed is not None
            assert packed.read() == (ROOT / "manifests" / name).read_bytes()


@pytest.mark.parametrize(
    ("setting", "key", "bound"),
    [
        ("replicas=-1", "/replicas", "got -1, want 0"),
        ("replicas=two", "/replicas", "want integer"),
        ("replicaCount=1", "replicaCount", "not allowed"),
        ("image.tag=a b", "/image/tag", "does not match pattern"),
        ("image.digest=sha256:0", "/image/digest", "does not match pattern"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"),
        ("image.repository=", "/image/repository", "minLength: got 0, want 1"),
        ("leaderElection.leaseDuration=soon", "/leaderElection/leaseDuration", "'soon'"),
        ("prometheus.allowedAddresses={there}", "/prometheus/allowedAddresses/0", "'there'"),
        ("rbac.aggregate=yes", "/rbac/aggregate", "got string"),
        ("prometheus.address=prometheus:9090", "/prometheus/address", "'prometheus:9090'"),
        ("prometheus.address=http://me:it@there", "/prometheus/address", "does not match pattern"),
        ("prometheus.url=http://there", "url", "not allowed"),
        ("watchNamespaces=shop", "/watchNamespaces", "want array"),
        ("watchNamespaces={shop,shop}", "/watchNamespaces", "items at 0 and 1 are equal"),
        ("watchNamespaces={Shop}", "/watchNamespaces/0", "'Shop' does not match pattern"),
        ("scalableKinds=null", "scalableKinds", "missing"),
        ("scalableKinds=apps", "/scalableKinds", "want array"),
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


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["leaderElection.enabled=false"], "replicas is 2 and leaderElection.enabled is false"),
        (["image.tag=v1", f"image.digest=sha256:{64 * '0'}"], "image.tag and image.digest"),
        (["watchNamespaces={shop}", "rbac.aggregate=true"], "unset rbac.aggregate"),
        (["rbac.create=false", "rbac.aggregate=true"], "rbac.create is false"),
        (["serviceAccount.create=false"], "name a ServiceAccount"),
        (["assist.enabled=false", "assist.reset.enabled=true"], "may not change what it would"),
        (["prometheus.existingSecret.caKey=ca"], "set prometheus.existingSecret.name"),
        (["prometheus.existingSecret.name=it"], "none of its keys is named"),
        ([*SECRET, "prometheus.existingSecret.basicAuthKey=user"], "carries one of them"),
        ([*SECRET, "prometheus.existingSecret.clientKeyKey=key"], "set both or none"),
        ([*SECRET, "prometheus.address="], "go to prometheus.address alone"),
        (["prometheus.headers.X-Scope-OrgID=a"], "go to prometheus.address alone"),
        (["extraObjects[0].kind=ScalingPolicy"], "put policies in a release of their own"),
    ],
)
def test_contradictory_values_are_refused(cluster: Cluster, settings: list[str], said: str) -> None:
    """Before anything is installed, in words that say what to do."""
    with pytest.raises(ClusterError) as refusal:
        _render(cluster, *(f"--set={setting}" for setting in settings))
    assert said in str(refusal.value)


def test_every_object_has_the_common_labels(cluster: Cluster) -> None:
    """And its own beside them."""
    everything = f"--values={HERE / 'values' / 'everything.yaml'}"
    for (kind, _, name), manifest in objects(_render(cluster, everything, "--skip-tests")).items():
        if not name.startswith(("headstart-note", "headstart-text")):
            assert manifest["metadata"]["labels"]["team"] == "platform", (kind, name)

"""`headstart init` on HPAs that a real API server has completed with its defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from headstart_cli.main import main
from tests.cluster import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.cluster import Cluster

HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: checkout-hpa}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  minReplicas: 3
  maxReplicas: 40
"""
PODS = """
  metrics:
    - type: Pods
      pods: {metric: {name: http_requests}, target: {type: AverageValue, averageValue: "12500m"}}
  behavior: {scaleDown: {policies: [{type: Pods, value: 2, periodSeconds: 60}]}}
"""
KEDA = """
  metrics:
    - type: External
      external:
        metric: {name: s0-prometheus, selector: {matchLabels: {scaledobject.keda.sh/name: shop}}}
        target: {type: AverageValue, averageValue: "20"}
"""
# As much of KEDA's as is read.
SCALED_OBJECTS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: scaledobjects.keda.sh}
spec:
  group: keda.sh
  scope: Namespaced
  names: {kind: ScaledObject, plural: scaledobjects, singular: scaledobject}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""
SCALED_OBJECT = """
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: shop}
spec:
  triggers:
    - type: prometheus
      metadata: {serverAddress: "http://prometheus:9090", query: "sum(rate(hits_total[2m]))"}
"""


def init(cluster: Cluster, folder: Path, reference: str, *options: str) -> Result:
    """Call `headstart init`."""
    out = str(folder / "policy.yaml")
    where = ["--kubeconfig", str(cluster.kubeconfig), "--out", out]
    return CliRunner().invoke(main, ["init", "--from-hpa", reference, *where, *options])


def apply(cluster: Cluster, namespace: str, file: Path) -> dict[str, Any]:
    """Apply what was written, strictly, and read it back."""
    cluster.kubectl("apply", "--validate=strict", "-f", str(file))
    path = f"/apis/headstart.dev/v1alpha1/namespaces/{namespace}/scalingpolicies/checkout"
    spec: dict[str, Any] = cluster.api.get(path)["spec"]
    return spec


def test_an_hpa_on_requests_needs_nothing_else(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=HPA + PODS)
    shown = init(cluster, tmp_path, f"{namespace}/checkout-hpa")
    assert shown.exit_code == 0, shown.output
    assert "1. Look it through" in shown.output
    spec = apply(cluster, namespace, tmp_path / "policy.yaml")
    assert (spec["mode"], spec["minReplicas"], spec["maxReplicas"]) == ("Observe", 3, 40)
    assert spec["capacity"] == {"requestsPerSecond": "12.5"}
    query = spec["rate"]["prometheus"]["query"]
    assert query == (
        f'sum(rate(http_requests_total{{namespace="{namespace}", pod=~"checkout-.*"}}[1m]))'
    )
    rules = spec["guardrails"]["behavior"]
    assert rules["scaleUp"]["policies"] == []
    assert rules["scaleDown"] == {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
        "tolerance": 0,
    }


def test_an_hpa_on_cpu_leaves_blanks_that_cannot_be_applied(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Without metrics, the API server fills in cpu at 80 %."""
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=HPA)
    shown = init(cluster, tmp_path, f"{namespace}/checkout-hpa")
    assert shown.exit_code == 0, shown.output
    assert "- spec.rate.prometheus.query\n     - spec.capacity.requestsPerSecond" in shown.output
    file = tmp_path / "policy.yaml"
    with pytest.raises(Exception, match="must be a PromQL query; it is blank") as refused:
        apply(cluster, namespace, file)
    assert "spec.capacity.requestsPerSecond" in str(refused.value)
    filled = file.read_text().replace("query: ''", "query: sum(rate(hits_total[1m]))")
    file.write_text(filled.replace("requestsPerSecond: ''", "requestsPerSecond: 5"))
    assert apply(cluster, namespace, file)["capacity"] == {"requestsPerSecond": 5}


def test_kedas_query_is_read_from_its_scaled_object(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.apply(SCALED_OBJECTS)
    cluster.wait_established("scaledobjects.keda.sh")
    wait_until(
        "KEDA's kind to be served",
        lambda: cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=SCALED_OBJECT),
        timeout=15,
        ignoring=(Exception,),
    )
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=HPA + KEDA)
    shown = init(cluster, tmp_path, f"{namespace}/checkout-hpa")
    assert shown.exit_code == 0, shown.output
    spec = apply(cluster, namespace, tmp_path / "policy.yaml")
    assert spec["rate"]["prometheus"] == {
        "query": "sum(rate(hits_total[2m]))",
        "address": "http://prometheus:9090",
        "timeout": "10s",
    }
    assert spec["capacity"] == {"requestsPerSecond": "20"}


def test_the_steps_that_are_printed_can_be_followed(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """To mode Assist, and to mode Auto with the HPA put to sleep."""
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=HPA + PODS)
    shown = init(cluster, tmp_path, f"{namespace}/checkout-hpa").output
    steps = [line.strip() for line in shown.splitlines() if line.strip().startswith("kubectl ")]
    assert len(steps) == 5
    for step in steps:
        words = [word.strip("'") for word in step.split()[1:]]
        cluster.kubectl(*words)
    policies = f"/apis/headstart.dev/v1alpha1/namespaces/{namespace}/scalingpolicies"
    assert cluster.api.get(f"{policies}/checkout")["spec"]["mode"] == "Auto"
    hpas = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
    rules = cluster.api.get(f"{hpas}/checkout-hpa")["spec"]["behavior"]
    assert {rules[way]["selectPolicy"] for way in ("scaleUp", "scaleDown")} == {"Disabled"}


def test_what_is_not_there_is_said_with_what_is(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=HPA)
    shown = init(cluster, tmp_path, f"{namespace}/checkout")
    assert shown.exit_code == 1
    assert f"{namespace}/checkout does not exist; in that namespace there are: checkout-hpa" in (
        " ".join(shown.output.split())
    )


def test_an_existing_file_is_kept(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=HPA)
    (tmp_path / "policy.yaml").write_text("mine")
    shown = init(cluster, tmp_path, f"{namespace}/checkout-hpa")
    assert "exists: choose another --out" in shown.output
    assert (tmp_path / "policy.yaml").read_text() == "mine"


def test_a_server_that_is_away_is_said_at_once(tmp_path: Path, cluster: Cluster) -> None:
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    shown = CliRunner().invoke(main, ["init", "--from-hpa", "a/b", "--kubeconfig", str(file)])
    assert shown.exit_code == 1
    assert "the API server cannot be reached" in shown.output


@pytest.mark.parametrize("reference", ["checkout", "/checkout", "shop/", "a/b/c"])
def test_a_reference_has_two_parts(reference: str) -> None:
    shown = CliRunner().invoke(main, ["init", "--from-hpa", reference])
    assert shown.exit_code == 2
    assert "must be NAMESPACE/NAME" in shown.output

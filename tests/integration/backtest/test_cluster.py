"""The user's HPA out of a real cluster, and the manifest into it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from headstart_cli.main import main
from headstart_operator.resource import Spec
from tests.unit.training.histories import write_history

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster import Cluster

HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: checkout}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  minReplicas: 3
  maxReplicas: 60
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 55}}
"""


@pytest.mark.usefixtures("crd")
def test_from_the_hpa_that_is_there_to_the_policy_beside_it(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """Strictly: a field that the CRD does not know would be an error."""
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=HPA)
    history = write_history(tmp_path / "checkout.csv")
    manifest, figures = tmp_path / "policy.yaml", tmp_path / "out.json"
    shown = CliRunner().invoke(
        main,
        [
            "backtest",
            str(history),
            *("--hpa", f"{namespace}/checkout", "--kubeconfig", str(cluster.kubeconfig)),
            *("--namespace", namespace, "--query", "sum(rate(requests_total[1m]))"),
            *("--manifest", str(manifest), "--json", str(figures)),
        ],
    )
    assert shown.exit_code == 0, shown.output
    assert f"Next: kubectl apply -f {manifest}" in shown.output
    (one,) = json.loads(figures.read_text())["services"]
    assert one["reference"] == "hpa_current"
    assert one["settings"]["hpa_current"].startswith("target 55%, minReplicas 3")
    cluster.kubectl("apply", "--validate=strict", "-f", str(manifest))
    path = f"/apis/headstart.dev/v1alpha1/namespaces/{namespace}/scalingpolicies/checkout"
    stored = cluster.api.get(path)["spec"]
    assert stored["mode"] == "Observe"
    written = yaml.safe_load(manifest.read_text())["spec"]
    assert Spec.parse(stored) == Spec.parse(written)


def test_an_hpa_that_is_not_there_is_said_before_anything_is_played(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    history = write_history(tmp_path / "checkout.csv")
    shown = CliRunner().invoke(
        main,
        [
            "backtest",
            str(history),
            *("--hpa", f"{namespace}/checkout", "--kubeconfig", str(cluster.kubeconfig)),
        ],
    )
    assert shown.exit_code == 1
    assert f"HorizontalPodAutoscaler {namespace}/checkout does not exist" in shown.output

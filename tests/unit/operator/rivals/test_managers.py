"""Who set a field, and what a GitOps tool is told to leave alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from headstart_operator.rivals.managers import Setter, advice, last_setter

TRACKED = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"}


def entry(manager: str, time: str, field: str = "replicas", how: str = "Update") -> dict[str, Any]:
    """Write an entry of managedFields."""
    fields: dict[str, Any] = {"f:spec": {f"f:{field}": {}}}
    return {"manager": manager, "operation": how, "time": time, "fieldsV1": fields}


def test_the_newest_manager_of_the_field_counts() -> None:
    fields = [
        entry("kubectl", "2026-01-01T00:00:02Z"),
        entry("argocd-controller", "2026-01-01T00:00:03Z", how="Apply"),
        entry("kubelet", "2026-01-01T00:00:09Z", "template"),
    ]
    assert str(last_setter(fields, "replicas")) == "argocd-controller (Apply)"
    assert str(last_setter(fields, "template")) == "kubelet"
    assert str(last_setter([{"manager": "odd"}], "replicas")) == "someone"
    assert last_setter([entry("headstart", "")], "replicas").ours


def metadata(labels: Any = None, annotations: Any = None) -> dict[str, Any]:
    """Write an object's metadata."""
    return {
        "name": "checkout",
        "namespace": "shop",
        "labels": labels,
        "annotations": annotations,
    }


@pytest.mark.parametrize(
    ("manager", "marks", "application"),
    [
        ("argocd-controller", metadata(annotations=TRACKED), "Application shop"),
        ("argocd-application-controller", metadata(), "its Application"),
        (
            "argocd-controller",
            metadata(labels={"app.kubernetes.io/instance": "shop"}),
            "Application shop",
        ),
        ("kubectl-client-side-apply", metadata(annotations=TRACKED), "Application shop"),
    ],
)
def test_argo_cd_is_told_exactly_what_to_ignore(
    manager: str, marks: dict[str, Any], application: str
) -> None:
    text = advice(Setter(manager, "Apply"), marks, "apps", "Deployment", "/spec/replicas")
    assert f"add to {application} spec:" in text
    told = yaml.safe_load(text[text.index("spec: {") :])["spec"]
    assert told == {
        "ignoreDifferences": [
            {
                "group": "apps",
                "kind": "Deployment",
                "name": "checkout",
                "namespace": "shop",
                "jsonPointers": ["/spec/replicas"],
            }
        ],
        "syncPolicy": {"syncOptions": ["RespectIgnoreDifferences=true"]},
    }


def test_flux_is_told_what_to_do() -> None:
    named = metadata(labels={"kustomize.toolkit.fluxcd.io/name": "shop"})
    setter = Setter("kustomize-controller", "Apply")
    text = advice(setter, named, "apps", "Deployment", "/spec/replicas")
    assert "take spec.replicas out of the manifest in Git that Kustomization shop applies" in text
    setter = Setter("helm-controller", "Update")
    text = advice(setter, metadata(), "apps", "Deployment", "/spec/replicas")
    spec = text[text.index("spec: {") : text.index(", and leave")]
    ignored = yaml.safe_load(spec)["spec"]["driftDetection"]["ignore"]
    target = {"kind": "Deployment", "name": "checkout"}
    assert ignored == [{"paths": ["/spec/replicas"], "target": target}]


@pytest.mark.parametrize("manager", ["kubectl", "kubectl-client-side-apply", "someone"])
def test_people_are_told_nothing(manager: str) -> None:
    setter = Setter(manager, "Update")
    assert not advice(setter, metadata(), "apps", "Deployment", "/spec/replicas")

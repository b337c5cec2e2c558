"""Who set a field, by the object's managedFields, and what to tell a GitOps tool that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.kube import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_operator.kube import Document

# Argo CD applies by kubectl, whose manager it takes over, or server-side under a name of its own.
ARGO_MANAGERS = {"argocd-controller", "argocd-application-controller"}
ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
ARGO_INSTANCE = "app.kubernetes.io/instance"
KUBECTL_APPLY = "kubectl-client-side-apply"
KUSTOMIZE_CONTROLLER, HELM_CONTROLLER = "kustomize-controller", "helm-controller"
KUSTOMIZATION = "kustomize.toolkit.fluxcd.io"
HELM_RELEASE = "helm.toolkit.fluxcd.io"


class Setter(NamedTuple):
    """Who set a field last, and how: ``Apply`` or ``Update``."""

    manager: str
    operation: str

    @property
    def ours(self) -> bool:
        """Whether it was Headstart."""
        return self.manager == FIELD_MANAGER

    def __str__(self) -> str:
        """Name it, and server-side apply where it was that."""
        return f"{self.manager} (Apply)" if self.operation == "Apply" else self.manager


SOMEONE = Setter("someone", "Update")


def last_setter(fields: Sequence[Document], name: str) -> Setter:
    """Return the newest manager of ``spec.<name>`` in managedFields."""
    setters = [
        (str(entry.get("time", "")), entry)
        for entry in fields
        if f"f:{name}" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    if not setters:
        return SOMEONE
    _, entry = max(setters, key=lambda setter: setter[0])
    return Setter(str(entry.get("manager", "someone")), str(entry.get("operation", "Update")))


def advice(setter: Setter, metadata: Mapping[str, Document], group: str, kind: str, at: str) -> str:
    """Say what to set so that a GitOps tool leaves a field alone; empty: it is none that we know.

    Parameters
    ----------
    setter
        Who set the field.
    metadata
        Of the object.
    group, kind
        Of the object.
    at
        The field as a JSON pointer, such as ``/spec/replicas``.

    Sources: https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/,
    https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/#respect-ignore-difference-configs,
    https://fluxcd.io/flux/components/helm/helmreleases/#ignore-rules.
    """
    labels, annotations = (metadata.get(key) or {} for key in ("labels", "annotations"))
    name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
    field = at.strip("/").replace("/", ".")
    tracked = ARGO_TRACKING in annotations
    if setter.manager in ARGO_MANAGERS or (setter.manager == KUBECTL_APPLY and tracked):
        application = annotations.get(ARGO_TRACKING, "").partition(":")[0]
        application = application or labels.get(ARGO_INSTANCE, "")
        return (
            f"Argo CD sets {field} to what Git says: add to "
            f"{f'Application {application}' if application else 'its Application'} "
            f"spec: {{ignoreDifferences: [{{group: {group}, kind: {kind}, name: {name}, "
            f"namespace: {namespace}, jsonPointers: [{at}]}}], "
            f"syncPolicy: {{syncOptions: [RespectIgnoreDifferences=true]}}}}"
        )
    if setter.manager == KUSTOMIZE_CONTROLLER:
        who = labels.get(f"{KUSTOMIZATION}/name", "")
        return (
            f"Flux sets {field} to what Git says: take {field} out of the manifest in Git that "
            f"{f'Kustomization {who}' if who else 'its Kustomization'} applies, after another "
            f"manager owns it (docs/gitops.md says how); Flux leaves alone what is not named there"
        )
    if setter.manager == HELM_CONTROLLER:
        who = labels.get(f"{HELM_RELEASE}/name", "")
        return (
            f"Flux sets {field} to what the Helm chart says: add to "
            f"{f'HelmRelease {who}' if who else 'its HelmRelease'} "
            f"spec: {{driftDetection: {{ignore: [{{paths: [{at}], target: {{kind: {kind}, "
            f"name: {name}}}}}]}}}}, and leave {field} out of the chart's values"
        )
    return ""

"""The local control plane is a real one: workloads, lead times, RBAC, pinned tools."""

from __future__ import annotations

import json
import shutil
import socket
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import (
    APPS,
    CORE,
    Api,
    ApiError,
    Cluster,
    ClusterError,
    control_plane,
    free_port,
    wait_until,
)
from tests.cluster.recipes import RECIPES
from tests.cluster.workplace import Workplace
from tests.integration.cluster.children import mentioning

if TYPE_CHECKING:
    from pathlib import Path

LEAD_TIME_SECONDS = 6
KUBERNETES = next(recipe for recipe in RECIPES if recipe.name == "kube-apiserver")


def deployment(name: str, replicas: int, annotations: dict[str, str]) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {"containers": [{"name": "main", "image": "none"}]},
            },
        },
    }


def ready_seconds(pod: dict[str, Any]) -> float | None:
    """Time from a pod's creation to its readiness."""
    for condition in pod["status"].get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            since = datetime.fromisoformat(condition["lastTransitionTime"])
            created = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
            return (since - created).total_seconds()
    return None


def test_pods_become_ready_after_the_lead_time_of_their_template(
    cluster: Cluster, namespace: str
) -> None:
    annotations = {"pod-ready.stage.kwok.x-k8s.io/delay": f"{LEAD_TIME_SECONDS}s"}
    slow = deployment("slow", 3, annotations)
    cluster.api.create(f"{APPS}/namespaces/{namespace}/deployments", slow)

    def measured() -> list[float]:
        pods = cluster.api.get(f"{CORE}/namespaces/{namespace}/pods")["items"]
        times = [time for pod in pods if (time := ready_seconds(pod)) is not None]
        return times if len(times) == 3 else []

    for seconds in wait_until("three ready pods", measured):
        # Both ends are whole seconds, and scheduling comes on top.
        assert LEAD_TIME_SECONDS - 1 <= seconds <= LEAD_TIME_SECONDS + 3


def test_a_pod_without_the_annotation_is_ready_at_once(cluster: Cluster, namespace: str) -> None:
    cluster.api.create(f"{APPS}/namespaces/{namespace}/deployments", deployment("fast", 1, {}))

    def measured() -> list[float]:
        pods = cluster.api.get(f"{CORE}/namespaces/{namespace}/pods")["items"]
        return [time for pod in pods if (time := ready_seconds(pod)) is not None]

    assert wait_until("a ready pod", measured)[0] <= 3


def test_a_deleted_namespace_goes_with_its_pods(cluster: Cluster) -> None:
    with cluster.namespace() as name:
        cluster.api.create(f"{APPS}/namespaces/{name}/deployments", deployment("doomed", 2, {}))
        pods = f"{CORE}/namespaces/{name}/pods"
        wait_until("two pods", lambda: len(cluster.api.get(pods)["items"]) == 2)

    def names() -> set[str]:
        items = cluster.api.get(f"{CORE}/namespaces")["items"]
        return {item["metadata"]["name"] for item in items}

    wait_until("the end of the namespace", lambda: name not in names())


def test_a_service_account_may_do_only_what_a_role_says(cluster: Cluster, namespace: str) -> None:
    pods = f"{CORE}/namespaces/{namespace}/pods"
    cluster.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    api = Api(cluster.server, cluster.ca, cluster.token_for(namespace, "reader"))
    with closing(api):
        with pytest.raises(ApiError, match="cannot list resource") as refusal:
            api.get(pods)
        assert refusal.value.status == 403

        cluster.kubectl("create", "role", "see", "--verb=list", "--resource=pods", "-n", namespace)
        binding = ["see", "--role=see", f"--serviceaccount={namespace}:reader", "-n", namespace]
        cluster.kubectl("create", "rolebinding", *binding)
        listed = wait_until("the role to count", lambda: api.get(pods), ignoring=(ApiError,))
        assert listed["kind"] == "PodList"
        with pytest.raises(ApiError, match="cannot create resource"):
            api.create(pods, {})


def test_a_kubeconfig_carries_the_identity_of_its_service_account(
    cluster: Cluster, namespace: str
) -> None:
    kubeconfig = cluster.kubeconfig_for(namespace, "default")
    answer = cluster.kubectl("--kubeconfig", kubeconfig, "auth", "whoami", "-o", "json")
    user = json.loads(answer.stdout)["status"]["userInfo"]["username"]
    assert user == f"system:serviceaccount:{namespace}:default"


def test_a_service_account_folder_is_what_a_pod_finds(cluster: Cluster, namespace: str) -> None:
    folder = cluster.service_account_dir(namespace, "default")
    assert {file.name for file in folder.iterdir()} == {"token", "ca.crt", "namespace"}
    assert (folder / "namespace").read_text() == namespace
    api = Api(cluster.server, folder / "ca.crt", (folder / "token").read_text())
    with closing(api):
        assert api.is_ready()


def test_helm_and_kubectl_take_the_server_for_what_it_is(cluster: Cluster, tmp_path: Path) -> None:
    """A plain `go build` of helm believes in Kubernetes 1.20, one of kubectl in 0.0."""
    versions = json.loads(cluster.kubectl("version", "-o", "json").stdout)
    pin = f"v{KUBERNETES.version}"
    assert versions["clientVersion"]["gitVersion"] == pin
    assert versions["serverVersion"]["gitVersion"] == pin

    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: chart, version: 0.1.0}")
    (chart / "templates" / "seen.yaml").write_text("seen: {{ .Capabilities.KubeVersion }}")
    rendered = cluster.helm("template", "release", chart).stdout
    assert f"seen: {pin.rpartition('.')[0]}." in rendered


def test_a_failing_client_says_what_the_server_said(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match=r"(?s)`kubectl get nonsense` ended with 1:.*nonsense"):
        cluster.kubectl("get", "nonsense")
    with pytest.raises(ClusterError, match=r"(?s)`helm status ghost` ended with 1:.*not found"):
        cluster.helm("status", "ghost")


def test_a_start_that_loses_its_ports_tries_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # etcd's two ports, then etcd's again, then the API server's, then the API server's again.
        picks = iter([port, free_port(), free_port(), free_port(), port, free_port()])
        monkeypatch.setattr(control_plane, "free_port", lambda: next(picks))
        with Cluster(nodes=1) as cluster:
            assert cluster.port != port
            assert len(cluster.api.get(f"{CORE}/nodes")["items"]) == 1
    assert not list(picks)


def test_a_failed_start_shows_the_log_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "kube-apiserver"
    broken.write_text("#!/bin/sh\necho 'no such flag: --frobnicate'\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    cluster = Cluster()
    with pytest.raises(ClusterError, match=r"(?s)kube-apiserver ended with 3\..*--frobnicate"):
        cluster.__enter__()
    assert not mentioning(str(cluster.folder))
    assert not cluster.folder.exists()


def test_the_folder_is_kept_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_KEEP", "1")
    workplace = Workplace("test")
    workplace.close()
    other = Workplace("test")  # Its sweep passes over the kept one.
    other.close()
    for kept in (workplace, other):
        assert kept.path.exists()
        shutil.rmtree(kept.path)

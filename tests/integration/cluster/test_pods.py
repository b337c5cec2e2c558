"""Pods run as processes with their exact command, environment and ServiceAccount."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster import APPS, CORE, ClusterError, free_port, pods, wait_until

if TYPE_CHECKING:
    from tests.cluster import Cluster

# Tells what it was given, and asks the API server for what its ServiceAccount may not see.
INTROSPECT = """
import json, os, sys
import kubernetes
try:
    kubernetes.config.load_incluster_config()
except kubernetes.config.ConfigException:
    kubernetes.config.load_kube_config()
try:
    kubernetes.client.CoreV1Api().list_namespaced_secret(os.environ["NAMESPACE"])
except kubernetes.client.ApiException as error:
    refusal = json.loads(error.body)["message"]
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "refusal": refusal}), flush=True)
"""
SERVE = """
import sys, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
PROCESS = {"tests.headstart.dev/run": "process"}


def pod(script: str, *arguments: str, **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "it", "annotations": PROCESS, "labels": {"tier": "test"}},
        "spec": {
            "restartPolicy": container.pop("restart_policy", "Never"),
            "serviceAccountName": container.pop("service_account", "default"),
            "containers": [
                {
                    "name": "main",
                    "image": "none",
                    "command": ["python", "-c", script],
                    "args": list(arguments),
                    **container,
                }
            ],
        },
    }


def create(cluster: Cluster, namespace: str, body: dict[str, Any]) -> None:
    """Create a pod and wait until the scheduler has given it a node."""
    path = f"{CORE}/namespaces/{namespace}/pods"
    name = cluster.api.create(path, body)["metadata"]["name"]
    wait_until("a node", lambda: "nodeName" in cluster.api.get(f"{path}/{name}")["spec"])


def phase(cluster: Cluster, namespace: str, name: str = "it") -> str:
    path = f"{CORE}/namespaces/{namespace}/pods/{name}"
    return str(cluster.api.get(path)["status"]["phase"])


@pytest.fixture(params=["mounted", "by kubeconfig"])
def identity(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test both ways in which a process can be given its ServiceAccount."""
    if request.param == "by kubeconfig":
        monkeypatch.setattr(pods, "_can_mount_secrets", lambda: False)
    elif not pods._can_mount_secrets():
        pytest.skip("this user may not make mounts")


@pytest.mark.usefixtures("identity")
def test_a_process_has_its_pods_command_environment_and_rights(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/the/developers/own")
    monkeypatch.setenv("LEAKED", "from the harness")
    cluster.kubectl("create", "serviceaccount", "worker", "-n", namespace)
    cluster.kubectl("create", "configmap", "settings", "--from-literal=COLOUR=red", "-n", namespace)
    cluster.kubectl("create", "secret", "generic", "door", "--from-literal=key=s3", "-n", namespace)
    env = yaml.safe_load("""
    - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    - {name: TIER, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
    - {name: KEY, valueFrom: {secretKeyRef: {name: door, key: key}}}
    - {name: MAYBE, valueFrom: {configMapKeyRef: {name: ghost, key: none, optional: true}}}
    - {name: GREETING, value: "$(COLOUR) in $(NAMESPACE)"}
    """)
    body = pod(
        INTROSPECT,
        "--say=$(GREETING)",
        "$(UNKNOWN)",
        "$$(GREETING)",
        env=env,
        envFrom=[{"configMapRef": {"name": "settings"}}],
        service_account="worker",
    )
    create(cluster, namespace, body)
    with cluster.run_pod(namespace, "it") as process:
        assert process.wait() == 0
    seen = json.loads(process.output())
    assert seen["argv"] == [f"--say=red in {namespace}", "$(UNKNOWN)", "$(GREETING)"]
    assert f"system:serviceaccount:{namespace}:worker" in seen["refusal"]
    expected = {"TIER": "test", "KEY": "s3", "COLOUR": "red", "HOSTNAME": "it"}
    assert expected.items() <= seen["env"].items()
    assert not {"LEAKED", "MAYBE"} & seen["env"].keys()
    assert seen["env"].get("KUBECONFIG") != "/the/developers/own"
    assert seen["env"]["PATH"].startswith(f"{Path(sys.prefix) / 'bin'}:")


def test_mounts_are_seen_by_the_process_alone(cluster: Cluster, namespace: str) -> None:
    if not pods._can_mount_secrets():
        pytest.skip("this user may not make mounts")
    script = f"print(open('{pods.SECRETS}/namespace').read())"
    create(cluster, namespace, pod(script))
    with cluster.run_pod(namespace, "it") as process:
        assert process.wait() == 0
    assert process.output().strip() == namespace
    assert not (pods.SECRETS / "namespace").exists()


@pytest.mark.parametrize(("status", "phase_after"), [(0, "Succeeded"), (7, "Failed")])
def test_the_exit_status_decides_the_phase(
    status: int, phase_after: str, cluster: Cluster, namespace: str
) -> None:
    create(cluster, namespace, pod(f"import sys; sys.exit({status})"))
    with cluster.run_pod(namespace, "it") as process:
        assert process.wait() == status
    assert phase(cluster, namespace) == phase_after


def test_the_readiness_probe_decides_readiness(cluster: Cluster, namespace: str) -> None:
    """A Deployment becomes available through it, and stops being so when the process dies."""
    port = free_port()
    template = pod(
        SERVE,
        str(port),
        ports=[{"name": "web", "containerPort": port}],
        readinessProbe={"httpGet": {"port": "web", "path": "/healthz"}},
        restart_policy="Always",
    )
    template["metadata"] = {"labels": {"app.kubernetes.io/name": "headstart"}}
    deployment = {
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": template["metadata"]["labels"]}, "template": template},
    }
    path = f"{APPS}/namespaces/{namespace}/deployments"
    cluster.api.create(path, deployment)

    def available() -> int:
        return int(cluster.api.get(f"{path}/web")["status"].get("availableReplicas", 0))

    with cluster.run_deployment(namespace, "web") as process:
        process.wait_ready()
        wait_until("an available replica", lambda: available() == 1)
        process.kill()
        wait_until("no available replica", lambda: available() == 0)
        process.start()
        wait_until("an available replica again", lambda: available() == 1)


def test_a_missing_secret_is_named(cluster: Cluster, namespace: str) -> None:
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "ghost", "key": "key"}}}]
    create(cluster, namespace, pod("pass", env=env))
    with pytest.raises(ClusterError, match=r"pod it needs what is not there: .*ghost"):
        cluster.run_pod(namespace, "it").start()


CHART = {
    "Chart.yaml": "{apiVersion: v2, name: chart, version: 0.1.0}",
    "templates/web.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app.kubernetes.io/name: headstart}}
  template:
    metadata: {labels: {app.kubernetes.io/name: headstart}}
    spec:
      containers: [{name: main, image: none, command: [sleep, "600"]}]
""",
    "templates/test.yaml": """
apiVersion: v1
kind: Pod
metadata: {name: probe, annotations: {helm.sh/hook: test}}
spec:
  restartPolicy: Never
  containers: [{name: main, image: none, command: [sh, -c, "exit {{ .Values.status }}"]}]
""",
}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """Provide a chart with a Deployment and a test that exits with ``status``."""
    for name, text in CHART.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_helm_waits_for_pods_that_run(cluster: Cluster, namespace: str, chart: Path) -> None:
    release = ["web", "-n", namespace]
    values = ["--set", "status=0", "--wait", "--timeout=60s"]
    with cluster.kubelet(namespace) as kubelet:
        cluster.helm("install", *release, chart, *values)
        assert "Phase:          Succeeded" in cluster.helm("test", *release, "--timeout=30s").stdout
        cluster.helm("upgrade", *release, chart, "--set", "status=1", "--wait")
        with pytest.raises(ClusterError, match="pod probe failed"):
            cluster.helm("test", *release, "--timeout=30s")
        web = kubelet.wait_for_pod("web-")
        cluster.helm("uninstall", *release)
        assert web.wait() != 0


def test_a_container_that_ends_is_started_again(cluster: Cluster, namespace: str) -> None:
    body = pod("print('up')", restart_policy="Always")
    with cluster.kubelet(namespace) as kubelet:
        create(cluster, namespace, body)
        path = f"{CORE}/namespaces/{namespace}/pods/it"

        def restarts() -> int:
            statuses = cluster.api.get(path)["status"].get("containerStatuses", [])
            return statuses[0]["restartCount"] if statuses else 0

        wait_until("a second restart", lambda: restarts() >= 2)
        assert kubelet.pods["it"].output().strip() in ("", "up")


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"app.kubernetes.io/name": "headstart"}},
        {"annotations": {"helm.sh/hook": "test"}},
        {"annotations": PROCESS},
    ],
    ids=["headstart", "hook", "marked"],
)
def test_kwok_leaves_process_pods_alone(
    metadata: dict[str, Any], cluster: Cluster, namespace: str
) -> None:
    """It would call them Ready without running anything, and a test of nothing would pass."""
    process, simulated = pod("pass"), pod("pass")
    process["metadata"] = {"name": "process", **metadata}
    simulated["metadata"] = {"name": "simulated"}
    create(cluster, namespace, process)
    create(cluster, namespace, simulated)
    # The one that came later has been through kwok's hands; the other never was.
    wait_until("kwok", lambda: phase(cluster, namespace, "simulated") == "Running")
    assert phase(cluster, namespace, "process") == "Pending"
    # Nobody but kwok could end it, since no kubelet would confirm its end.
    path = f"{CORE}/namespaces/{namespace}/pods"
    cluster.api.delete(f"{path}/process")
    wait_until("the end of the pod", lambda: len(cluster.api.get(path)["items"]) == 1)

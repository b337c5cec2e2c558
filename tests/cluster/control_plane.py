"""A real Kubernetes control plane on 127.0.0.1, in which only the kubelets are simulated."""

from __future__ import annotations

import os
import subprocess
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import yaml

from tests.cluster import binaries
from tests.cluster.api import APPS, CORE, Api
from tests.cluster.credentials import Credentials
from tests.cluster.kubelet import Kubelet
from tests.cluster.pods import PodProcess
from tests.cluster.processes import (
    ClusterError,
    Process,
    free_port,
    retry_lost_port,
    wait_until,
)
from tests.cluster.workplace import Workplace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_KWOK = Path(__file__).with_name("kwok.yaml")
_START_SECONDS = 60.0
_TOKEN_SECONDS = 24 * 3600


class Cluster:
    """etcd, kube-apiserver with RBAC, controller-manager, scheduler and kwok's nodes.

    Use it as a context manager: on the way in it is ready for pods, on the way out every process
    is gone and so is its folder (``HEADSTART_KEEP=1`` keeps that, with the logs).
    """

    def __init__(self, nodes: int = 2, *, audit: Mapping[str, Any] | None = None) -> None:
        """Describe a cluster with this many simulated nodes; nothing starts yet.

        With an ``audit`` policy the API server writes what it did to the file ``audit_log``.
        """
        self._nodes = nodes
        self._audit = audit
        self._processes: dict[str, Process] = {}
        self._commands: dict[str, list[str | Path]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start it.

        Raises
        ------
        ClusterError
            When a program ends or is not ready in time; it shows the end of that program's log.
        """
        with ExitStack() as stack:
            self._programs = binaries.ensure()
            workplace = Workplace("cluster")
            stack.callback(workplace.close)
            self.folder = workplace.path
            self.credentials = Credentials.create(self.folder / "credentials")
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End every process and remove the folder."""
        self._stack.close()

    # Reaching it

    @property
    def server(self) -> str:
        """URL of the API server."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        """Certificate that the API server's certificate verifies against."""
        return self.credentials.authority.path

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which a program inside the cluster finds the API server."""
        return {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(self.port),
        }

    def kubectl(
        self, *arguments: str | Path, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the admin.

        Raises
        ------
        ClusterError
            When it fails; it shows what kubectl said.
        """
        return self._client("kubectl", arguments, stdin)

    def helm(
        self, *arguments: str | Path, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run helm as the admin.

        Raises
        ------
        ClusterError
            When it fails; it shows what helm said.
        """
        return self._client("helm", arguments, stdin)

    def apply(self, *manifests: str | Mapping[str, Any]) -> None:
        """Apply manifests, each as YAML text or as an object, with kubectl on the server side."""
        texts = [m if isinstance(m, str) else yaml.safe_dump(dict(m)) for m in manifests]
        self.kubectl("apply", "--server-side", "-f", "-", stdin="\n---\n".join(texts))

    def wait_established(self, crd: str) -> None:
        """Wait until the objects of a kind are served; ``crd`` as ``scaledobjects.keda.sh``.

        ``kubectl wait`` fails on one that has no conditions yet, as in its first moment.

        Raises
        ------
        ClusterError
            They are not within half a minute.
        """
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}"

        def established() -> bool:
            conditions = self.api.get(path).get("status", {}).get("conditions") or []
            return any((c["type"], c["status"]) == ("Established", "True") for c in conditions)

        wait_until(f"{crd} to be served", established)

    # Breaking and mending it

    def process(self, name: str) -> Process:
        """Return a running program of it, such as ``etcd`` or ``kube-apiserver``."""
        return self._processes[name]

    def restart(self, name: str) -> None:
        """Start a program again that has ended, with its data and on its ports; no waiting."""
        self._launch(name)

    @property
    def audit_log(self) -> Path:
        """What the API server did, one JSON object a line."""
        return self.folder / "logs" / "audit.jsonl"

    # Identities

    def token_for(self, namespace: str, service_account: str) -> str:
        """Token of a ServiceAccount, as the TokenRequest API gives it to pods; valid for a day."""
        path = f"{CORE}/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        answer = self.api.create(path, {"spec": {"expirationSeconds": _TOKEN_SECONDS}})
        token: str = answer["status"]["token"]
        return token

    def kubeconfig_for(self, namespace: str, service_account: str) -> Path:
        """Kubeconfig with the token, and so the rights, of a ServiceAccount."""
        path = self.folder / "kubeconfigs" / namespace / f"{service_account}.yaml"
        token = self.token_for(namespace, service_account)
        return self.credentials.kubeconfig(path, self.server, token, namespace)

    def service_account_dir(self, namespace: str, service_account: str) -> Path:
        """Folder as pods find it at /var/run/secrets/kubernetes.io/serviceaccount."""
        folder = self.folder / "service-accounts" / namespace / service_account
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(self.token_for(namespace, service_account))
        (folder / "ca.crt").write_bytes(self.ca.read_bytes())
        (folder / "namespace").write_text(namespace)
        return folder

    # Namespaces and pods

    @contextmanager
    def namespace(self, prefix: str = "test") -> Iterator[str]:
        """Make a namespace in which pods can be made; delete it and what is in it at the end."""
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        self.api.create(f"{CORE}/namespaces", {"metadata": {"name": name}})
        try:
            # Until the controller has made it, pods are refused.
            wait_until(f"the ServiceAccount of {name}", lambda: self._has_service_account(name))
            yield name
        finally:
            # What is in it goes in the background: no other test looks there.
            self.api.delete(f"{CORE}/namespaces/{name}")

    def run_pod(self, namespace: str, name: str, **options: Any) -> PodProcess:
        """Run a pod's exact command as a process; see ``PodProcess`` for the options."""
        return PodProcess(self, namespace, name, **options)

    def run_deployment(self, namespace: str, name: str, **options: Any) -> PodProcess:
        """Run the newest pod of a Deployment as a process; see ``PodProcess`` for the options.

        Raises
        ------
        ClusterError
            When the Deployment has no scheduled pod within 30 s.
        """
        return PodProcess(self, namespace, self._pod_of(namespace, name), **options)

    def kubelet(self, namespace: str, **options: Any) -> Kubelet:
        """Run every pod of a namespace that kwok leaves alone, while a ``with`` block lasts."""
        return Kubelet(self, namespace, **options)

    def _pod_of(self, namespace: str, deployment: str) -> str:
        path = f"{APPS}/namespaces/{namespace}/deployments/{deployment}"
        labels = self.api.get(path)["spec"]["selector"]["matchLabels"]
        selector = ",".join(f"{key}={value}" for key, value in labels.items())

        def newest() -> str:
            pods = self.api.get(f"{CORE}/namespaces/{namespace}/pods", labelSelector=selector)
            names = {
                pod["metadata"]["creationTimestamp"]: pod["metadata"]["name"]
                for pod in pods["items"]
                if "deletionTimestamp" not in pod["metadata"] and "nodeName" in pod["spec"]
            }
            return names[max(names)] if names else ""

        return wait_until(f"a pod of deployment {namespace}/{deployment} on a node", newest)

    # Starting it

    def _start(self, stack: ExitStack) -> None:
        etcd = self._start_etcd(stack)
        self._start_apiserver(stack, etcd)
        self.kubeconfig = self.credentials.kubeconfig(
            self.folder / "kubeconfig.yaml", self.server, self.credentials.admin_token
        )
        controller_manager = self._start_controller_manager(stack)
        scheduler = self._start_scheduler(stack)
        kwok = self._start_kwok(stack)
        for number in range(self._nodes):
            self._create_node(f"node-{number}")
        kwok.wait_ready(self._nodes_ready, timeout=_START_SECONDS)
        controller_manager.wait_ready(self._nodes_untainted, timeout=_START_SECONDS)
        controller_manager.wait_ready(
            lambda: self._has_service_account("default"), timeout=_START_SECONDS
        )
        scheduler.wait_ready(lambda: "Starting Kubernetes Scheduler" in scheduler.output())

    def _process(self, stack: ExitStack, name: str, *arguments: str | Path) -> Process:
        self._commands[name] = [self._programs[name], *arguments]
        # No grace: what they would save is thrown away with the folder.
        stack.callback(lambda: self._processes[name].stop(grace=0))
        return self._launch(name)

    def _launch(self, name: str) -> Process:
        log = self.folder / "logs" / f"{name}.log"
        log.unlink(missing_ok=True)  # A start that lost its port would make the next look lost.
        process = Process(name, self._commands[name], log=log, env=self._clean_environment())
        self._processes[name] = process
        return process

    def _audit_flags(self) -> list[str]:
        if self._audit is None:
            return []
        policy = self.folder / "audit.yaml"
        policy.write_text(yaml.safe_dump(dict(self._audit)))
        return [f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}"]

    @retry_lost_port
    def _start_etcd(self, stack: ExitStack) -> str:
        # A new folder for each try: etcd refuses data that name another port.
        data = self.folder / f"etcd-{uuid.uuid4().hex[:8]}"
        url, peers = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
        process = self._process(
            stack,
            "etcd",
            f"--data-dir={data}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )
        # Its own log says so for sure; on a port that was lost, another etcd might answer.
        process.wait_ready(
            lambda: "ready to serve client requests" in process.output(), timeout=_START_SECONDS
        )
        return url

    @retry_lost_port
    def _start_apiserver(self, stack: ExitStack, etcd: str) -> None:
        self.port = free_port()
        credentials = self.credentials
        process = self._process(
            stack,
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--tls-cert-file={credentials.serving_certificate}",
            f"--tls-private-key-file={credentials.serving_key}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={credentials.token_file}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={credentials.service_account_key}",
            f"--service-account-signing-key-file={credentials.service_account_key}",
            "--service-cluster-ip-range=10.0.0.0/16",
            # It refuses to publish a loopback address as the endpoint of `kubernetes`.
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
            *self._audit_flags(),
        )
        self.api = Api(self.server, self.ca, credentials.admin_token)
        stack.callback(self.api.close)
        process.wait_ready(
            self.api.is_ready, timeout=_START_SECONDS, ignoring=(httpx.TransportError,)
        )

    def _start_controller_manager(self, stack: ExitStack) -> Process:
        return self._process(
            stack,
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            "--secure-port=0",
            "--leader-elect=false",
            f"--service-account-private-key-file={self.credentials.service_account_key}",
            f"--root-ca-file={self.ca}",
            "--horizontal-pod-autoscaler-sync-period=1s",
            *_UNHURRIED,
        )

    def _start_scheduler(self, stack: ExitStack) -> Process:
        return self._process(
            stack,
            "kube-scheduler",
            f"--kubeconfig={self.kubeconfig}",
            "--secure-port=0",
            "--leader-elect=false",
            *_UNHURRIED,
        )

    def _start_kwok(self, stack: ExitStack) -> Process:
        return self._process(stack, "kwok", f"--kubeconfig={self.kubeconfig}", f"--config={_KWOK}")

    def _create_node(self, name: str) -> None:
        metadata = {
            "name": name,
            "labels": {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        }
        self.api.create(f"{CORE}/nodes", {"metadata": metadata})

    def _nodes_ready(self) -> bool:
        nodes = self.api.get(f"{CORE}/nodes")["items"]
        return all("allocatable" in node["status"] for node in nodes)

    def _nodes_untainted(self) -> bool:
        nodes = self.api.get(f"{CORE}/nodes")["items"]
        return not any("taints" in node["spec"] for node in nodes)

    def _has_service_account(self, namespace: str) -> bool:
        accounts = self.api.get(f"{CORE}/namespaces/{namespace}/serviceaccounts")["items"]
        return any(account["metadata"]["name"] == "default" for account in accounts)

    def _client(
        self, name: str, arguments: Sequence[str | Path], stdin: str | None
    ) -> subprocess.CompletedProcess[str]:
        command = [str(word) for word in (self._programs[name], *arguments)]
        env = {**self._clean_environment(), "KUBECONFIG": str(self.kubeconfig)}
        answer = subprocess.run(
            command, input=stdin, env=env, capture_output=True, text=True, check=False
        )
        if answer.returncode != 0:
            line = " ".join([name, *command[1:]])
            said = answer.stderr.strip() or answer.stdout.strip()
            raise ClusterError(f"`{line}` ended with {answer.returncode}:\n{said}")
        return answer

    def _clean_environment(self) -> dict[str, str]:
        """Environment in which neither the user's variables nor the user's files take part."""
        return {
            "HOME": str(self.folder / "home"),
            "PATH": os.environ.get("PATH", os.defpath),
        }


# The default of 20 requests a second makes a rise by a few hundred pods crawl.
_UNHURRIED = ("--kube-api-qps=2000", "--kube-api-burst=4000")

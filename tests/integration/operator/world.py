"""A namespace with policies, workloads, their load, and an operator that runs as a process."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import numpy as np

from headstart_policy import artifact
from headstart_policy.envelope import Envelope
from headstart_policy.features import FLEET, NAMES
from headstart_policy.network import Network
from tests.cluster import APPS, CORE, ApiError, free_port, wait_until
from tests.cluster.processes import Process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster import Cluster

ROOT = Path(__file__).parents[3]
HEADSTART = Path(sys.executable).parent / "headstart"
POLICIES = "/apis/headstart.dev/v1alpha1"
LEAD_TIME = 5
CAPACITY = 5.0
# The ConfigMaps with artefacts that the tests' operators may read.
ARTIFACTS = (
    "checkout-headstart",
    "wasteful",
    "lean",
    "constant",
    "narrow",
    "random",
    "turning",
    "truncated",
    "other-schema",
    "nan-weights",
    "wrong-digest",
    "no-config-map",
)
# And the Secrets with credentials for Prometheus.
SECRETS = (
    "prom-basic",
    "prom-wrong",
    "prom-ca",
    "prom-other-ca",
    "prom-mutual",
    "prom-mutual-ca",
    "prom-token",
    "prom-guard-ca",
    "prom-no-pem",
    "prom-absent",
)
WIDE = Envelope((0, 1e6), (0, 1e6), (0, 1e6), (0, 1e12), (0, 1e12), (0, 1))


def a_network(ratio: float) -> Network:
    """Build a network that asks for ``ratio`` times the demand, whatever it sees.

    It looks at its fleet by a hair, so that nobody chooses one of its hedges.
    """
    layer = np.zeros((len(NAMES), 1))
    layer[FLEET[0]] = 1e-9
    return Network((layer,), (np.array([np.log(ratio)]),), least=0.5, most=8.0)


def an_artifact(ratio: float = 1.5, envelope: Envelope = WIDE) -> bytes:
    """Write the policy file of :func:`a_network`."""
    return artifact.dump(a_network(ratio), envelope, {"recipe": "constant"})


class World:
    """One namespace of a cluster, and the load that its services get."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        """Look at ``namespace``; files go to ``folder``."""
        self.cluster = cluster
        self.namespace = namespace
        self.folder = folder
        self.account = self._grant("operator")

    def start_operator(
        self,
        prometheus: str,
        name: str = "operator",
        *flags: str,
        kubeconfig: Path | None = None,
    ) -> Operator:
        """Start an operator with the chart's rights in this namespace, and more flags."""
        return Operator(self, name, prometheus, kubeconfig or self.account, flags)

    def config_map(self, name: str, content: bytes, key: str = "policy") -> None:
        """Create or replace a ConfigMap with an artefact."""
        encoded = base64.b64encode(content).decode()
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": self.namespace},
                "binaryData": {key: encoded},
            }
        )

    def deployment(
        self,
        name: str,
        replicas: int = 2,
        run: str = "simulated",
        lead_time: int = LEAD_TIME,
        **pod_spec: Any,
    ) -> None:
        """Create a Deployment whose pods take the lead time, s, to be ready.

        With ``run="process"`` nobody plays their kubelet.
        """
        container = {"name": "main", "image": "none"}
        labels = {"app": name}
        annotations = {
            "pod-ready.stage.kwok.x-k8s.io/delay": f"{lead_time}s",
            "tests.headstart.dev/run": run,
        }
        self.cluster.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels, "annotations": annotations},
                        "spec": {"containers": [container], **pod_spec},
                    },
                },
            }
        )

    def policy(self, name: str, query: str | None = None, **spec: Any) -> None:
        """Create a policy named as its Deployment, in mode Auto unless told otherwise."""
        prometheus = {"query": query or rate_of(name)}
        if "address" in spec:
            prometheus["address"] = spec.pop("address")
        document = {
            "scaleTargetRef": {"name": name},
            "maxReplicas": 50,
            "mode": "Auto",
            "interval": "1s",
            "rate": {"prometheus": prometheus},
            "capacity": {"requestsPerSecond": "5"},
            "leadTime": {"default": f"{LEAD_TIME}s"},
            "seasons": ["60s"],
            "policy": {"configMap": {"name": "constant", "key": "policy"}},
            **spec,
        }
        self.cluster.apply(
            {
                "apiVersion": "headstart.dev/v1alpha1",
                "kind": "ScalingPolicy",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": document,
            }
        )

    def get_policy(self, name: str) -> dict[str, Any]:
        """Read a policy."""
        path = f"{POLICIES}/namespaces/{self.namespace}/scalingpolicies/{name}"
        policy: dict[str, Any] = self.cluster.api.get(path)
        return policy

    def status(self, name: str) -> dict[str, Any]:
        """Read a policy's status."""
        status: dict[str, Any] = self.get_policy(name).get("status", {})
        return status

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """Read one condition; empty while there is none."""
        conditions = self.status(name).get("conditions", [])
        return next((c for c in conditions if c["type"] == kind), {})

    def replicas(self, name: str) -> int:
        """``spec.replicas`` of a Deployment."""
        path = f"{APPS}/namespaces/{self.namespace}/deployments/{name}"
        replicas: int = self.cluster.api.get(path)["spec"]["replicas"]
        return replicas

    def change(self, name: str, **spec: Any) -> None:
        """Change keys of a policy's spec."""
        patch = json.dumps({"spec": spec})
        arguments = ("-n", self.namespace, "patch", "scalingpolicy", name, "--type=merge")
        self.cluster.kubectl(*arguments, "-p", patch)

    def set_replicas(self, name: str, replicas: int) -> None:
        """Scale a Deployment by hand."""
        self.cluster.kubectl(
            "-n", self.namespace, "scale", "deployment", name, f"--replicas={replicas}"
        )

    def events(self, name: str) -> list[dict[str, Any]]:
        """Events about a policy."""
        found = self.cluster.api.get(
            f"{CORE}/namespaces/{self.namespace}/events",
            fieldSelector=f"involvedObject.kind=ScalingPolicy,involvedObject.name={name}",
        )
        events: list[dict[str, Any]] = found["items"]
        return events

    def metrics_of(self, operator: Operator, name: str) -> list[str]:
        """Lines of an operator's metrics that are about a policy."""
        about = f'policy="{name}"'
        return [line for line in operator.get("/metrics").text.splitlines() if about in line]

    def wait_condition(
        self, name: str, kind: str, status: str, reason: str = "", seconds: float = 30
    ) -> dict[str, Any]:
        """Wait for a condition with a status and, if given, a reason."""

        def holds() -> dict[str, Any] | None:
            condition = self.condition(name, kind)
            if condition.get("status") != status or reason not in {"", condition["reason"]}:
                return None
            return condition

        found = wait_until(
            f"{name}: {kind}={status} {reason}", holds, timeout=seconds, ignoring=(ApiError,)
        )
        assert found is not None
        return found

    def wait_event(self, name: str, reason: str, seconds: float = 15) -> dict[str, Any]:
        """Wait for an event with a reason."""

        def found() -> dict[str, Any] | None:
            return next((e for e in self.events(name) if e["reason"] == reason), None)

        event = wait_until(f"{name}: event {reason}", found, timeout=seconds)
        assert event is not None
        return event

    def wait_replicas(self, name: str, least: int, most: int, seconds: float = 30) -> int:
        """Wait until a Deployment's replicas are within bounds."""

        def within() -> int:
            replicas = self.replicas(name)
            return replicas if least <= replicas <= most else 0

        return wait_until(f"{name}: {least} to {most} replicas", within, timeout=seconds)

    def _grant(self, release: str) -> Path:
        """Apply the chart's ServiceAccount and Role for this namespace, and nothing else of it."""
        shown = [
            word
            for file in ("rbac", "service-account")
            for word in ("--show-only", f"templates/{file}.yaml")
        ]
        chart = ROOT / "charts" / "headstart"
        namespaces = f"watchNamespaces={{{self.namespace}}}"
        release_name = f"headstart-{release}"
        rendered = self.cluster.helm(
            "template",
            release_name,
            chart,
            "-n",
            self.namespace,
            *("--set", namespaces, "--set", f"artifactConfigMaps={{{','.join(ARTIFACTS)}}}"),
            *("--set", f"prometheusSecrets={{{','.join(SECRETS)}}}"),
            *shown,
        )
        self.cluster.apply(rendered.stdout)
        return self.cluster.kubeconfig_for(self.namespace, release_name)


class Operator:
    """`headstart operator` as a process; use it as a context manager."""

    def __init__(
        self,
        world: World,
        name: str,
        prometheus: str,
        kubeconfig: Path,
        flags: Sequence[str] = (),
    ) -> None:
        """Describe it; nothing runs yet."""
        self.name = name
        self.record = world.folder / f"{name}.jsonl"
        self.log = world.folder / f"{name}.log"
        self._port = free_port()
        self._command: list[str | Path] = [
            HEADSTART,
            "operator",
            f"--prometheus-address={prometheus}",
            f"--namespace={world.namespace}",
            f"--listen=127.0.0.1:{self._port}",
            f"--record={self.record}",
            *flags,
        ]
        self._environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(kubeconfig),
            "POD_NAMESPACE": world.namespace,
        }
        self._process: Process | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    @property
    def address(self) -> str:
        """Where its metrics are, as ``host:port``."""
        return f"127.0.0.1:{self._port}"

    @property
    def process(self) -> Process:
        """The running process."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it, or start it again."""
        self._process = Process(self.name, self._command, log=self.log, env=self._environment)
        self._process.wait_ready(
            lambda: self.get("/readyz").is_success, ignoring=(httpx.TransportError,)
        )

    def stop(self) -> int:
        """End it with SIGTERM and return its exit status."""
        return self.process.stop()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.stop(grace=0)

    def get(self, path: str) -> httpx.Response:
        """Ask its HTTP server."""
        return httpx.get(f"http://127.0.0.1:{self._port}{path}", trust_env=False)

    def decisions(self, policy: str) -> float:
        """Count the decisions since its start."""
        return self.metric("headstart_decisions_total", policy=policy) or 0.0

    def metric(self, name: str, **labels: str) -> float | None:
        """Read a metric; ``None`` where there is none with these labels."""
        for line in self.get("/metrics").text.splitlines():
            head, _, value = line.rpartition(" ")
            wanted = (f'{key}="{label}"' for key, label in labels.items())
            if head.split("{")[0] == name and all(part in head for part in wanted):
                return float(value)
        return None


def rate_of(service: str) -> str:
    """Query for the rate of a service of the exporter."""
    return f'sum(rate(requests_total{{service="{service}"}}[3s]))'

"""Sets the stage: control plane, service, Prometheus with a past, the chart, a policy in `Auto`."""

from __future__ import annotations

import base64
import math
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from demo.exporter import JOB, METRIC, Replay, serve
from headstart_policy import artifact
from tests.cluster.api import APPS, CORE, ApiError
from tests.cluster.control_plane import Cluster
from tests.cluster.processes import free_port, wait_until
from tests.cluster.prometheus import Prometheus, static_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.load import Scenario
    from headstart_policy.profile import Objective

CHART = Path(__file__).parents[1] / "charts" / "headstart"
SYSTEM = "headstart-system"
CRD = "scalingpolicies.headstart.dev"
SHOP = "shop"
NAME = "checkout"
DEPLOYMENT = f"{APPS}/namespaces/{SHOP}/deployments/{NAME}"
POLICY = f"/apis/headstart.dev/v1alpha1/namespaces/{SHOP}/scalingpolicies/{NAME}"
LEAD_SECONDS = 5
# rate() needs two scrapes, at one a second; a third forgives a late one.
RATE_WINDOW_SECONDS = 3
# From Prometheus' start to the replay's: the chart, the operator and the policy come up in it.
SETUP_SECONDS = 25
MOST_REPLICAS = 1000
# One minute of the load passes in a second, so prices per time are 60 times the load's.
COMPRESSION = 60


@dataclass(frozen=True)
class Sample:
    """What the cluster shows at one moment."""

    ready: int
    desired: int
    reason: str


class Stage:
    """Everything that runs; use it as a context manager."""

    def __init__(
        self, scenario: Scenario, objective: Objective, say: Callable[[str], None]
    ) -> None:
        self.scenario = scenario
        self.objective = objective
        self.start = math.inf
        self._say = say
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Bring everything up; on failure nothing stays behind.

        Raises
        ------
        ClusterError
            A part did not come up; the message shows its last words.
        """
        with ExitStack() as stack:
            self._set(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Take everything down."""
        self._stack.close()

    def look(self) -> Sample:
        """Read the service and its policy."""
        deployment = self._get(DEPLOYMENT)
        policy = self.policy()
        return Sample(
            ready=deployment["status"].get("readyReplicas", 0),
            desired=deployment["spec"]["replicas"],
            reason=policy.get("status", {}).get("lastDecision", {}).get("reason", ""),
        )

    def policy(self) -> dict[str, Any]:
        """Read the ScalingPolicy."""
        return self._get(POLICY)

    def events(self) -> list[dict[str, Any]]:
        """List the namespace's events."""
        found: list[dict[str, Any]] = self._get(f"{CORE}/namespaces/{SHOP}/events")["items"]
        return found

    def _set(self, stack: ExitStack) -> None:
        self._say("Starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok")
        cluster = stack.enter_context(Cluster())
        self._api = cluster.api
        self._say(f"Deploying {NAME}, whose replicas take {LEAD_SECONDS} s to serve")
        cluster.apply(_namespace(SHOP), _deployment(self._first_replicas()))
        wait_until("the first replicas of checkout", self._all_ready, timeout=60)

        self._say(f"Starting Prometheus with {len(self.scenario.history)} s of history")
        self.start = math.ceil(time.time()) + SETUP_SECONDS
        replay = Replay(self.scenario, self.start)
        exporter = stack.enter_context(serve(replay))
        series = f'{METRIC}{{app="{JOB}",instance="{exporter}",job="{JOB}"}}'
        prometheus = stack.enter_context(
            Prometheus(
                [static_target(JOB, exporter)],
                scrape_interval=1.0,
                history={series: replay.past(time.time())},
            )
        )

        self._say("Installing the chart and starting the operator with its ServiceAccount")
        options = {
            "prometheus.address": prometheus.url,
            "metrics.port": free_port(),
            "artifactConfigMaps": f"{{{NAME}-policy}}",
            # A second one would stand by, and share this machine's ports.
            "replicas": 1,
        }
        sets = [f"--set={key}={value}" for key, value in options.items()]
        cluster.helm(
            "install", "headstart", CHART, f"--namespace={SYSTEM}", "--create-namespace", *sets
        )
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{CRD}")
        stack.enter_context(cluster.run_deployment(SYSTEM, "headstart"))

        self._say("Applying the policy artefact and a ScalingPolicy in Auto")
        cluster.apply(*_artefact(), _scaling_policy(self.scenario, self.objective))
        wait_until("the policy to scale", self._scaling, timeout=60)
        if time.time() > self.start:
            raise RuntimeError(f"setting the stage took over {SETUP_SECONDS} s; the replay began")

    def _first_replicas(self) -> int:
        demand = self.scenario.history[-SETUP_SECONDS] / self.scenario.capacity
        return max(1, math.ceil(1.5 * float(demand)))

    def _all_ready(self) -> bool:
        return self.look().ready == self._first_replicas()

    def _scaling(self) -> bool:
        conditions = self.policy().get("status", {}).get("conditions", [])
        return any(c["type"] == "ScalingActive" and c["status"] == "True" for c in conditions)

    def _get(self, path: str) -> dict[str, Any]:
        """Read an object; nothing where it, or its kind, is not there yet."""
        try:
            return dict(self._api.get(path))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return {}
            raise


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _deployment(replicas: int) -> dict[str, Any]:
    labels = {"app": NAME}
    delay = {"pod-ready.stage.kwok.x-k8s.io/delay": f"{LEAD_SECONDS}s"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": SHOP},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": delay},
                "spec": {"containers": [{"name": NAME, "image": "checkout:demo"}]},
            },
        },
    }


def _artefact() -> list[dict[str, Any]]:
    """Give the shipped policy as a user gives an own one: in a ConfigMap."""
    file = resources.files("headstart_policy") / "policies" / "default.safetensors"
    content = base64.b64encode(file.read_bytes()).decode()
    metadata = {"name": f"{NAME}-policy", "namespace": SHOP}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "binaryData": {"policy.safetensors": content},
        }
    ]


def _scaling_policy(scenario: Scenario, objective: Objective) -> dict[str, Any]:
    query = f'sum(rate({METRIC}{{app="{JOB}"}}[{RATE_WINDOW_SECONDS}s]))'
    return {
        "apiVersion": "headstart.dev/v1alpha1",
        "kind": "ScalingPolicy",
        "metadata": {"name": NAME, "namespace": SHOP},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "mode": "Auto",
            "minReplicas": 1,
            "maxReplicas": MOST_REPLICAS,
            "interval": "1s",
            "rate": {"prometheus": {"query": query}},
            "capacity": {"requestsPerSecond": f"{1000 * scenario.capacity:.0f}m"},
            "leadTime": {"default": f"{LEAD_SECONDS}s"},
            "objective": {
                "slo": f"{100 * objective.slo:g}",
                "replicaCostPerHour": f"{objective.replica_cost:g}",
                "valuePerThousandRequests": f"{objective.request_value:g}",
                "violationCostPerMinute": f"{objective.violation_cost:g}",
            },
            "policy": {
                "configMap": {"name": f"{NAME}-policy", "key": "policy.safetensors"},
                "digest": artifact.builtin().digest,
            },
            "seasons": [f"{season}s" for season in scenario.seasons],
        },
    }

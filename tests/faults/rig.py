"""Services under load, two replicas of the operator that scale them, and what is right for them."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self

import httpx

from tests.cluster import (
    APPS,
    CORE,
    ApiError,
    Cluster,
    ClusterError,
    Prometheus,
    static_target,
    wait_until,
)
from tests.faults.gate import Gate
from tests.faults.load import Load, query
from tests.faults.replica import Replica
from tests.faults.witness import AUDIT, Evidence
from tests.integration.operator.world import CAPACITY, POLICIES, ROOT, World, an_artifact

if TYPE_CHECKING:
    from tests.cluster import Api

CRD = "scalingpolicies.headstart.dev"
# The policy asks for so many times the demand, whatever it sees: what is right is known.
RATIO = 1.5
# Loads that jump as these do, on operators that are dead, cost any policy its trust; the reactive
# formula that would decide then asks for other numbers.
UNJUDGED = {"demotion": {"regretBudget": "1000000000"}}
# Requests/s of each service, before a fault and while it lasts.
LOW, HIGH = 9.0, 39.0
# The API server is away or slow now and then: that is what these tests are about.
AWAY = (ApiError, httpx.TransportError)


def replicas_for(rate: float) -> int:
    """Replicas that are right for a rate."""
    return math.ceil(RATIO * rate / CAPACITY)


class Rig:
    """All of it; use it as a context manager.

    Parameters
    ----------
    services
        How many.
    flags
        Of the operator, such as the times of its election.
    replicas
        Names of the operator's replicas.
    """

    def __init__(
        self,
        services: int = 4,
        flags: tuple[str, ...] = (),
        replicas: tuple[str, ...] = ("a", "b"),
    ) -> None:
        """Describe it; nothing runs yet."""
        self.services = tuple(f"service-{number}" for number in range(services))
        self.goal = replicas_for(LOW)
        # How often the controller-manager had to be restarted.
        self.helped = 0
        self._flags = flags
        self._names = replicas
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start it, and wait until all services are as the low load wants them."""
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="faults-")))
            self.cluster = stack.enter_context(Cluster(audit=AUDIT))
            self.load = stack.enter_context(Load())
            target = static_target("load", self.load.address)
            self.prometheus = stack.enter_context(Prometheus([target]))
            crd = f"{ROOT}/manifests/crd/{CRD}.yaml"
            self.cluster.kubectl("apply", "--server-side", "-f", crd)
            self.cluster.wait_established(CRD)
            self.namespace = stack.enter_context(self.cluster.namespace("faults"))
            self.world = World(self.cluster, self.namespace, self.folder)
            self.world.config_map("constant", an_artifact(RATIO))
            for name in self.services:
                self.load.set(name, LOW)
                self.world.deployment(name, self.goal)
                self.world.policy(name, query(name), guardrails=UNJUDGED)
            self.replicas = [self._replica(stack, name) for name in self._names]
            for replica in self.replicas:
                replica.start()
            for replica in self.replicas:
                replica.wait_ready()
            try:
                self.settle()
            except ClusterError as error:
                logs = "\n".join(f"{r.name}:\n{r.process.tail()}" for r in self.replicas)
                raise ClusterError(f"{error}. The replicas' logs end:\n{logs}") from None
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it."""
        self._stack.close()

    @property
    def api(self) -> Api:
        """The API server, as an admin who does not pass a gate."""
        return self.cluster.api

    @property
    def leader(self) -> Replica:
        """The replica that holds the lease."""
        lease = self.api.get(f"{self._leases}/headstart-operator")
        name = lease["spec"]["holderIdentity"].partition("_")[0]
        return next(replica for replica in self.replicas if replica.name == name)

    @property
    def follower(self) -> Replica:
        """The other one."""
        leader = self.leader
        return next(replica for replica in self.replicas if replica is not leader)

    @property
    def help_given(self) -> str:
        """Say how often the control plane needed help that it does not get in a real cluster."""
        return f"controller-manager and kwok restarted, since their view was stale: {self.helped}"

    @property
    def evidence(self) -> Evidence:
        """What happened so far."""
        return Evidence.read(self.cluster.audit_log, self.namespace)

    def rise(self, rate: float = HIGH) -> None:
        """Let the load of every service jump."""
        self.goal = max(self.goal, replicas_for(rate))
        for name in self.services:
            self.load.set(name, rate)

    def set_least(self, replicas: int) -> None:
        """Set minReplicas in every policy; what is right changes with it."""
        self.goal = max(self.goal, replicas)
        for name in self.services:
            self.world.change(name, minReplicas=replicas)

    def settle(self) -> None:
        """Bring all back to the low load, with every replica up and one of them leading."""
        self.goal = replicas_for(LOW)
        for name in self.services:
            self.load.set(name, LOW)
        wait_until("a leader", lambda: self.leader.metric("headstart_leading"), ignoring=AWAY_ALL)
        try:
            wait_until("the low load's replicas", self.is_right, timeout=90, ignoring=AWAY)
        except ClusterError as error:
            reasons = ""
            with suppress(*AWAY):
                reasons = self._reasons()
            raise ClusterError(f"{error}:\n{reasons}") from None
        try:
            wait_until("their pods", self._all_ready, timeout=60, ignoring=AWAY)
        except ClusterError:
            # After an API server that was killed or hung, the controller-manager has been seen to
            # count the ready pods of before for minutes. It is no part of what is tried here.
            self.helped += 1
            for name in ("kube-controller-manager", "kwok"):
                self.cluster.process(name).stop(grace=0)
                self.cluster.restart(name)
            self._await_pods()

    def _reasons(self) -> str:
        """Say of each policy what was decided last, and what is not as it should be."""
        path = f"{POLICIES}/namespaces/{self.namespace}/scalingpolicies"
        lines = []
        for policy in self.api.get(path)["items"]:
            status = policy.get("status", {})
            odd = [
                f"{c['type']}={c['status']} {c['message']}" for c in status.get("conditions", [])
            ]
            lines += [policy["metadata"]["name"], str(status.get("lastDecision")), *odd]
        return "\n  ".join(lines)

    def _await_pods(self) -> None:
        try:
            wait_until("their pods", self._all_ready, timeout=90, ignoring=AWAY)
        except ClusterError as error:
            pods = self.cluster.kubectl("-n", self.namespace, "get", "pods,deployments").stdout
            raise ClusterError(f"{error}:\n{pods}") from None

    def is_right(self) -> bool:
        """Whether every service has the replicas that are right."""
        return set(self.asked_for().values()) == {self.goal}

    def asked_for(self) -> dict[str, int]:
        """``spec.replicas`` of each service."""
        found = self.api.get(f"{APPS}/namespaces/{self.namespace}/deployments")["items"]
        return {item["metadata"]["name"]: int(item["spec"]["replicas"]) for item in found}

    def evict_all(self) -> int:
        """Delete every pod of every service; return how many there were."""
        path = f"{CORE}/namespaces/{self.namespace}/pods"
        names = [pod["metadata"]["name"] for pod in self.api.get(path)["items"]]
        for name in names:
            eviction = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": name, "namespace": self.namespace},
            }
            self.api.create(f"{path}/{name}/eviction", eviction)
        return len(names)

    def told(self, name: str) -> int | None:
        """Desired replicas as a policy's status tells them."""
        path = f"{POLICIES}/namespaces/{self.namespace}/scalingpolicies/{name}"
        desired = self.api.get(path).get("status", {}).get("desiredReplicas")
        return None if desired is None else int(desired)

    def _all_ready(self) -> bool:
        found = self.api.get(f"{APPS}/namespaces/{self.namespace}/deployments")["items"]
        return all(item["status"].get("readyReplicas") == self.goal for item in found)

    def _replica(self, stack: ExitStack, name: str) -> Replica:
        gate = stack.enter_context(Gate(self.cluster, name))
        token = self.cluster.token_for(self.namespace, "headstart-operator")
        kubeconfig = gate.kubeconfig(self.cluster, token, self.namespace)
        address = f"--prometheus-address={self.prometheus.url}"
        flags = (address, "--lease-name=headstart-operator", *self._flags)
        replica = Replica(gate, kubeconfig, self.namespace, self.folder, flags)
        stack.callback(lambda: replica.kill() if replica.alive else None)
        return replica

    @property
    def _leases(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"


# While nobody leads there is no one of this name, or it does not answer yet.
AWAY_ALL = (*AWAY, StopIteration, KeyError)


def now() -> float:
    """Return seconds since the epoch, as the audit log has them."""
    return time.time()

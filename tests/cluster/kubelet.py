"""Does for some pods what kwok leaves undone: runs them as processes as soon as they exist."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.cluster.api import CORE
from tests.cluster.pods import PodProcess
from tests.cluster.processes import ClusterError, wait_until

if TYPE_CHECKING:
    from tests.cluster.control_plane import Cluster

_SYNC_SECONDS = 0.2
_OVER = ("Succeeded", "Failed")


def runs_as_process(pod: dict[str, Any]) -> bool:
    """Whether a pod is one that kwok.yaml leaves alone."""
    labels = pod["metadata"].get("labels", {})
    annotations = pod["metadata"].get("annotations", {})
    return (
        labels.get("app.kubernetes.io/name") == "headstart"
        or "helm.sh/hook" in annotations
        or annotations.get("tests.headstart.dev/run") == "process"
    )


class Kubelet:
    """Runs the process pods of one namespace while its ``with`` block lasts.

    For what waits for pods itself, as ``helm install --wait`` and ``helm test``. A container that
    ends is started again where its pod's restart policy says so; a deleted pod's process ends.
    """

    def __init__(self, cluster: Cluster, namespace: str, **options: Any) -> None:
        """Describe it; ``options`` go to each ``PodProcess``."""
        self._cluster = cluster
        self._path = f"{CORE}/namespaces/{namespace}/pods"
        self._namespace = namespace
        self._options = options
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelet", daemon=True)
        self._error: Exception | None = None
        self.pods: dict[str, PodProcess] = {}
        """The newest pod of each name that was started, also after its end."""

    def __enter__(self) -> Self:
        """Start looking for pods."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes of all pods.

        Raises
        ------
        ClusterError
            When a pod could not be started meanwhile.
        """
        self._over.set()
        self._thread.join()
        for pod in self.pods.values():
            pod.stop()
        if self._error:
            raise ClusterError(f"the kubelet of {self._namespace} gave up: {self._error}")

    def wait_for_pod(self, prefix: str, timeout: float = 30.0) -> PodProcess:
        """Wait at most ``timeout`` seconds for the start of a pod whose name begins so."""
        return wait_until(
            f"a pod {prefix}* in {self._namespace}",
            lambda: next((pod for name, pod in self.pods.items() if name.startswith(prefix)), None),
            timeout=timeout,
        )

    def _work(self) -> None:
        try:
            while not self._over.wait(_SYNC_SECONDS):
                self._sync()
        except (ClusterError, httpx.TransportError) as error:
            self._error = error

    def _sync(self) -> None:
        listed = self._cluster.api.get(self._path)["items"]
        there = {pod["metadata"]["uid"] for pod in listed}
        for process in self.pods.values():
            if process.uid not in there:
                process.stop()
            elif process.wants_restart:
                process.start()
        # By uid: helm gives the pod of a test the name that it had in the last run.
        known = {process.uid for process in self.pods.values()}
        for pod in listed:
            if pod["metadata"]["uid"] not in known and self._is_mine(pod):
                name = pod["metadata"]["name"]
                process = PodProcess(self._cluster, self._namespace, name, **self._options)
                process.start()
                self.pods[name] = process

    @staticmethod
    def _is_mine(pod: dict[str, Any]) -> bool:
        return (
            runs_as_process(pod)
            and "nodeName" in pod["spec"]
            and "deletionTimestamp" not in pod["metadata"]
            and pod["status"].get("phase") not in _OVER
        )

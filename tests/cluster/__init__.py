"""The local control plane: a real Kubernetes and Prometheus on 127.0.0.1, without containers.

It knows nothing of Headstart but the name of its pods, and tests nothing itself.
"""

from tests.cluster.api import APPS, CORE, Api, ApiError
from tests.cluster.control_plane import Cluster
from tests.cluster.kubelet import Kubelet
from tests.cluster.pods import PodProcess
from tests.cluster.processes import ClusterError, free_port, wait_until
from tests.cluster.prometheus import Prometheus, static_target

__all__ = [
    "APPS",
    "CORE",
    "Api",
    "ApiError",
    "Cluster",
    "ClusterError",
    "Kubelet",
    "PodProcess",
    "Prometheus",
    "free_port",
    "static_target",
    "wait_until",
]

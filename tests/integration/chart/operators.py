"""An installed chart, with its operator's pod running."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.cluster import free_port
from tests.integration.chart.charts import CHART, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster, Kubelet

RELEASE: Final = "headstart"


@contextmanager
def installed(
    cluster: Cluster, prometheus: str, *arguments: str, port: int = 0
) -> Iterator[tuple[Kubelet, int]]:
    """Install the chart, run its pods, and wait as ``helm install --wait`` does.

    The metrics are served on ``port``, by default one that is free on this machine.
    """
    port = port or free_port()
    release = (RELEASE, f"--namespace={NAMESPACE}")
    with cluster.kubelet(NAMESPACE) as kubelet:
        cluster.helm(
            *("install", *release, CHART, "--create-namespace", "--wait", "--timeout=60s"),
            *(f"--set=metrics.port={port}", f"--set=prometheus.address={prometheus}"),
            # Two would share this machine's ports.
            *("--set=replicas=1", "--set=artifactConfigMaps={trained}"),
            *arguments,
        )
        try:
            yield kubelet, port
        finally:
            cluster.helm("uninstall", *release, "--wait", "--timeout=60s")

"""An installed chart, with its operator's pod running."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.cluster import free_port
from tests.integration.chart.charts import CHART, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster, PodProcess

RELEASE: Final = "headstart"


@contextmanager
def installed(
    cluster: Cluster, prometheus: str, *arguments: str, port: int = 0
) -> Iterator[tuple[PodProcess, int]]:
    """Install the chart and run its pod, on a port that is free on this machine."""
    port = port or free_port()
    cluster.helm(
        *("install", RELEASE, CHART, f"--namespace={NAMESPACE}", "--create-namespace"),
        *("--set", f"metrics.port={port}", "--set", f"prometheus.address={prometheus}"),
        *("--set", "artifactConfigMaps={trained}"),
        # One of the two runs here: they would share this machine's ports.
        "--set=replicas=1",
        *arguments,
    )
    try:
        with cluster.run_deployment(NAMESPACE, RELEASE) as pod:
            pod.wait_ready()
            yield pod, port
    finally:
        cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait", "--timeout=60s")

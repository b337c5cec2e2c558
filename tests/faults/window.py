"""``python -m tests.faults.window``: what remains of the fence's promise, measured.

The fence is asked as the last thing before a write's last byte. Two things can still happen:
this process is stopped between the question and the kernel taking that byte; and the API server has
the request, but something behind it is slow. The one is timed here, over many writes. The other is
made here: etcd stands still while a write is under way, past the time at which its sender, and the
API server, which was told, gave up; then it goes on.
"""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from kubernetes import client, config
from rich.console import Console

from headstart_operator.kube import JSON_PATCH, Api, ApiError
from headstart_operator.leadership.fence import Fence
from tests.cluster import APPS, Cluster, ClusterError, wait_until
from tests.faults.rig import AWAY

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "window"
# The end of a chunked body.
_END = b"0\r\n\r\n"
# What is left to a write that etcd then delays, and for how long it does, s.
LEFT, FROZEN = 2.0, 5.0


# Who sends it: one that gives up in time, or one that is itself frozen with the connection open.
SENDERS = {
    "gives up": lambda pool: pool,
    "frozen": lambda pool: _Frozen(pool, told=True),
    "frozen, API server not told": lambda pool: _Frozen(pool, told=False),
}


def main() -> int:
    """Measure both, and print them."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.window", description=__doc__)
    parser.add_argument("--writes", type=int, default=1000)
    parser.add_argument("--tries", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with Cluster() as cluster, cluster.namespace("window") as namespace:
        path = f"{APPS}/namespaces/{namespace}/deployments/{NAME}"
        _deployment(cluster, namespace)
        seconds = _after_the_look(cluster, path, arguments.writes)
        late = {
            name: sum(_with_etcd_frozen(cluster, path, sender) for _ in range(arguments.tries))
            for name, sender in SENDERS.items()
        }
    data: dict[str, Any] = {
        "writes": arguments.writes,
        "look_to_kernel_microseconds": {
            "p50": round(1e6 * float(np.median(seconds)), 1),
            "p99": round(1e6 * float(np.quantile(seconds, 0.99)), 1),
            "max": round(1e6 * max(seconds), 1),
        },
        "etcd_frozen_seconds": FROZEN,
        "left_seconds": LEFT,
        "tries": arguments.tries,
        "carried_out_late": late,
    }
    Console().print_json(json.dumps(data))
    if arguments.json:
        arguments.json.write_text(json.dumps(data, indent=1))
    return 0


def _api(cluster: Cluster, deadline: float) -> tuple[Api, Fence]:
    configuration = client.Configuration()
    config.load_kube_config(  # type: ignore[no-untyped-call]
        str(cluster.kubeconfig), client_configuration=configuration
    )
    fence = Fence(deadline)
    return Api(configuration, fence), fence


def _scale(api: Api, path: str, before: int, after: int) -> None:
    unchanged = {"op": "test", "path": "/spec/replicas", "value": before}
    change = {"op": "add", "path": "/spec/replicas", "value": after}
    api.patch(f"{path}/scale", [unchanged, change], JSON_PATCH)


def _after_the_look(cluster: Cluster, path: str, writes: int) -> list[float]:
    """Time from the last look at the fence to the kernel having the last byte, s."""
    api, fence = _api(cluster, 60.0)
    looked, seconds = 0.0, []
    remaining, send = fence.remaining, http.client.HTTPConnection.send

    def look(term: int | None = None) -> float:
        nonlocal looked
        left = remaining(term)
        looked = time.perf_counter()
        return left

    def timed(self: http.client.HTTPConnection, data: Any) -> None:
        send(self, data)
        if data == _END:
            seconds.append(time.perf_counter() - looked)

    fence.remaining = look  # type: ignore[method-assign]
    http.client.HTTPConnection.send = timed  # type: ignore[method-assign]
    try:
        for number in range(writes):
            fence.renewed(fence._clock())
            _scale(api, path, 1 + number % 2, 2 - number % 2)
    finally:
        http.client.HTTPConnection.send = send  # type: ignore[method-assign]
    return seconds


def _with_etcd_frozen(cluster: Cluster, path: str, sender: Callable[[Any], Any]) -> bool:
    """Scale while etcd stands still; whether it is carried out after the fence has closed."""
    api, fence = _api(cluster, LEFT)
    api._pool = sender(api._pool)
    before = int(cluster.api.get(path)["spec"]["replicas"])
    etcd = cluster.process("etcd")
    etcd.signal(signal.SIGSTOP)
    going_on = threading.Timer(FROZEN, etcd.signal, (signal.SIGCONT,))
    going_on.start()
    fence.renewed(fence._clock())
    with suppress(ApiError):
        _scale(api, path, before, before + 1)
    going_on.join()
    wait_until("etcd", lambda: cluster.api.get(path), ignoring=AWAY)
    # What etcd took in before it stood still, it works off at once.
    time.sleep(1.0)
    return int(cluster.api.get(path)["spec"]["replicas"]) != before


class _Frozen:
    """A pool whose requests never time out here, as in a process that is stopped."""

    def __init__(self, pool: Any, *, told: bool) -> None:
        self._pool, self._told = pool, told

    def request(self, method: str, url: str, **options: Any) -> Any:
        url = url if self._told else url.partition("&timeout=")[0]
        return self._pool.request(method, url, **{**options, "timeout": 60.0})


def _deployment(cluster: Cluster, namespace: str) -> None:
    labels = {"app": NAME}
    pod = {"containers": [{"name": "main", "image": "none"}]}
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME, "namespace": namespace},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                # What is measured is the scale, not the pods.
                "paused": True,
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as error:
        sys.exit(f"error: {error}")

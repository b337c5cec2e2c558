"""From a history to `kubectl apply`, to an operator that decides by what was trained."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from headstart_cli.main import main
from headstart_policy import artifact
from tests.cluster import Prometheus, static_target, wait_until
from tests.integration.operator.exporter import Exporter
from tests.integration.operator.world import World, rate_of
from tests.unit.training.histories import write_history

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cluster import Cluster

FILES = {"policy.safetensors", "manifest.yaml", "card.md", "plot.png"}


def train(*arguments: object) -> None:
    """Call `headstart train service`."""
    result = CliRunner().invoke(main, ["train", "service", *map(str, arguments)])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def load() -> Any:
    """Provide a service whose requests are counted."""
    with Exporter() as exporter:
        yield exporter


def test_what_was_trained_is_applied_and_decides(
    cluster: Cluster,
    namespace: str,
    tmp_path: Path,
    load: Exporter,
    prometheus: Callable[..., Prometheus],
) -> None:
    """The operator reads the ConfigMap, finds the pinned digest, and asks the network."""
    load.set("checkout", 59)
    monitoring = prometheus([static_target("load", load.address)])
    folder = tmp_path / "out"
    history = write_history(tmp_path / "checkout.csv")
    options = ("--capacity", 5, "--lead-time", "15m", "--query", rate_of("checkout"))
    train(history, *options, "--namespace", namespace, "--out", folder)
    world = World(cluster, namespace, tmp_path)
    world.deployment("checkout")
    cluster.kubectl("apply", "--validate=strict", "-f", folder / "manifest.yaml")
    # Time has no dimension: a second of this test is half a minute of the manifest's.
    world.change("checkout", interval="2s", leadTime={"default": "30s"})
    with world.start_operator(monitoring.url):
        world.wait_condition("checkout", "Ready", "True", "Deciding")
        # 59 requests/s at 5 each need 12 replicas, and some more.
        wait_until("a decision", lambda: world.status("checkout")["desiredReplicas"] >= 12)
        status = world.status("checkout")
    content = (folder / "policy.safetensors").read_bytes()
    assert status["policyDigest"] == artifact.parse(content).digest
    assert status["lastDecision"]["candidate"].startswith("network")
    assert world.replicas("checkout") == 2


def test_a_history_comes_from_prometheus_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prometheus: Callable[..., Prometheus]
) -> None:
    now = int(time.time()) // 60 * 60
    times = np.arange(now - 2 * 86_400 - 3600, now, 60)
    rates = 50 + 40 * np.sin(2 * np.pi * times / 86_400)
    server = prometheus(
        [], history={"load": list(zip(times.tolist(), rates.tolist(), strict=True))}
    )
    # After the server's start: the programs of the control plane are in the same cache.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "out"
    train(
        *("--prometheus", server.url, "--query", "sum(load)", "--days", 2),
        *("--target", "checkout", "--capacity", 5, "--out", folder),
    )
    assert {path.name for path in folder.iterdir()} == FILES
    _, policy = yaml.safe_load_all((folder / "manifest.yaml").read_text())
    assert policy["spec"]["rate"]["prometheus"] == {"query": "sum(load)"}
    # 90 requests/s at noon, at 5 each; twice that.
    assert policy["spec"]["maxReplicas"] == 36

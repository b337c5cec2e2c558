"""`headstart explain` and `headstart status` of a live policy, as a person calls them."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import Prometheus, static_target, wait_until
from tests.integration.operator.world import HEADSTART

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import Operator, World


@pytest.fixture(scope="module")
def operator(world: World, load: Exporter, monitoring: Prometheus) -> Iterator[Operator]:
    """Provide an operator that has scaled one policy, and cannot serve another."""
    load.set("checkout", 19)
    world.deployment("checkout")
    world.policy("checkout")
    world.policy("lost", mode="Observe")
    with world.start_operator(monitoring.url) as running:
        world.wait_replicas("checkout", 6, 6)
        world.wait_event("checkout", "Scaled")
        yield running


@pytest.fixture(scope="module")
def its_series(programs: None, operator: Operator) -> Iterator[Prometheus]:  # noqa: ARG001
    """Provide a Prometheus that scrapes the operator, and has done so for a moment."""
    with Prometheus([static_target("headstart", operator.address)]) as prometheus:
        wait_until(
            "the operator's series",
            lambda: prometheus.query('headstart_ready_replicas{policy="checkout"}'),
        )
        yield prometheus


def headstart(world: World, *arguments: str, program: str = "headstart") -> str:
    """Run the command with the admin's kubeconfig on a terminal of 100 columns without colour."""
    environment = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(world.cluster.kubeconfig),
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    command: list[str | Path] = [HEADSTART.with_name(program), *arguments]
    answer = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    shown: str = answer.stdout
    return shown


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("program", ["headstart", "kubectl-headstart"])
def test_explain_without_prometheus_tells_status_and_events(world: World, program: str) -> None:
    """Also as kubectl's plugin, which kubectl starts by that name."""
    text = headstart(world, "explain", f"{world.namespace}/checkout", program=program)
    for words in ("Auto of Deployment checkout", "one replica serves 5", "Last decision", "Scaled"):
        assert words in text
    assert "status and events alone" in text


def test_explain_with_prometheus_plots(world: World, its_series: Prometheus) -> None:
    name = f"{world.namespace}/checkout"
    text = headstart(world, "explain", name, "--prometheus", its_series.url, "--last", "1m")
    for words in ("requests/s", "expected", "ready + warming", "the reactive formula's"):
        assert words in text
    answer = headstart(
        world, "explain", name, "--prometheus", its_series.url, "--last", "1m", "--json"
    )
    data: dict[str, Any] = json.loads(answer)
    assert data["lastDecision"]["desired"] == 6
    assert 6 in data["series"]["desired_replicas"]


def test_a_prometheus_without_the_series_is_named(world: World, monitoring: Prometheus) -> None:
    name = f"{world.namespace}/checkout"
    text = headstart(world, "explain", name, "--prometheus", monitoring.url)
    assert "does it scrape the operator's /metrics?" in " ".join(text.split())


@pytest.mark.usefixtures("operator")
def test_status_shows_all_policies_in_one_table(world: World) -> None:
    world.wait_condition("lost", "Ready", "False", "TargetNotFound")
    text = headstart(world, "status", "-n", world.namespace)
    assert "2 policies" in text
    assert "checkout" in text
    rows = json.loads(headstart(world, "status", "-n", world.namespace, "--json"))
    assert [row["name"] for row in rows] == ["checkout", "lost"]
    assert (rows[0]["desired"], rows[0]["mode"]) == (6, "Auto")
    assert "TargetNotFound" in rows[1]["troubles"]


def test_a_policy_that_does_not_exist_is_a_sentence(world: World) -> None:
    answer = subprocess.run(
        [HEADSTART, "explain", f"{world.namespace}/nothing"],
        env={"PATH": os.environ["PATH"], "KUBECONFIG": str(world.cluster.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 1
    assert "nothing" in answer.stderr
    assert "not found" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_policy_has_at_most_25_series(world: World, operator: Operator) -> None:
    """Each line of its metrics is a series; none is about a candidate."""
    lines = world.metrics_of(operator, "checkout")
    assert 20 <= len(lines) <= 25, lines
    assert not any("candidate" in line for line in lines)

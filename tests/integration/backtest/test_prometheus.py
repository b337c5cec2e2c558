"""`headstart backtest --prometheus` on a real one, with kube-state-metrics' series in it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from headstart_cli.main import main
from tests.cluster import Prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

DAYS, STEP = 3, 60
POINTS = DAYS * 1440
END = int(time.time()) // STEP * STEP - 3600
TIMES = [END - (POINTS - 1 - k) * STEP for k in range(POINTS)]
CAPACITY = 5.0
HPA = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: checkout}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: checkout}
  maxReplicas: 60
  metrics:
    - type: Pods
      pods: {metric: {name: http_requests}, target: {type: AverageValue, averageValue: "4"}}
"""


def _late(rate: np.ndarray, target: float) -> np.ndarray:
    """Count replicas of an autoscaler that is five minutes late."""
    wanted = np.max([np.roll(rate, k) for k in range(5, 10)], axis=0)
    replicas: np.ndarray = np.ceil(wanted / CAPACITY / target)
    return replicas


@pytest.fixture(scope="module")
def server(programs: None) -> Iterator[Prometheus]:  # noqa: ARG001 - built before, visibly.
    """Record three days of two services: one that ran with room, and one that ran hot."""
    minute = np.arange(POINTS)
    noise = np.random.default_rng(0).normal(1, 0.03, POINTS)
    rate = 60 * (1.3 + np.sin(2 * np.pi * minute / 1440)) * noise

    def gauge(values: np.ndarray) -> list[tuple[float, float]]:
        return list(zip(TIMES, values.tolist(), strict=True))

    history = {"rate": gauge(rate)}
    for name, target in (("checkout", 0.8), ("hot", 0.97)):
        of = f'namespace="shop",deployment="{name}"'
        ready = gauge(_late(rate, target))
        history[f"kube_deployment_spec_replicas{{{of}}}"] = ready
        history[f"kube_deployment_status_replicas_ready{{{of}}}"] = ready
    with Prometheus(history=history) as running:
        yield running


@pytest.fixture
def backtest(
    server: Prometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Call the command; what it downloads is kept for this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*options: str) -> Result:
        where = ["--prometheus", server.url, "--days", str(DAYS + 0.1), "--namespace", "shop"]
        files = ["--json", str(tmp_path / "out.json"), "--manifest", str(tmp_path / "out.yaml")]
        return CliRunner().invoke(main, ["backtest", *where, *files, *options])

    return call


def _service(tmp_path: Path) -> dict[str, Any]:
    (one,) = json.loads((tmp_path / "out.json").read_text())["services"]
    found: dict[str, Any] = one
    return found


def test_what_ran_and_the_users_hpa_play_along(
    backtest: Callable[..., Result], tmp_path: Path
) -> None:
    hpa = tmp_path / "hpa.yaml"
    hpa.write_text(HPA)
    shown = backtest(
        "--query", "rate", "--target", "checkout", "--hpa", str(hpa), "--capacity", "5"
    )
    assert shown.exit_code == 0, shown.output
    one = _service(tmp_path)
    assert one["name"] == "checkout"
    assert one["reference"] == "hpa_current"
    assert {"actual", "hpa_current"} <= one["contenders"].keys()
    assert one["days"]["labels"][0].startswith("20")
    # Both hold four requests/s per replica; they differ by how late they are.
    off = one["distance_to_actual"]["hpa_current"]
    assert off["mean_absolute"] < 3
    # The window reaches further than what is recorded, and the pods are not in it.
    assert any("nothing is recorded in the first" in repair for repair in one["repairs"])
    assert any("the lead time is unknown" in note for note in one["notes"])
    assert "Repaired: nothing is recorded in the first" in shown.output
    manifest = (tmp_path / "out.yaml").read_text()
    assert "query: rate" in manifest
    assert "namespace: shop" in manifest
    assert "ASSUMED" not in manifest


def test_a_capacity_is_proposed_and_heat_is_named(
    backtest: Callable[..., Result], tmp_path: Path
) -> None:
    shown = backtest("--query", "rate", "--target", "hot")
    assert shown.exit_code == 0, shown.output
    one = _service(tmp_path)
    assert one["assumptions"]["capacity_assumed"] is False
    assert any(note.startswith("capacity: a lower bound") for note in one["notes"])
    assert one["saturation"]["flagged_minutes"] > 0
    assert one["saturation"]["winners"].keys() == {"1", "1.2", "2"}
    assert "Saturated:" in shown.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--query", "nothing", "--target", "checkout"], "the query returned no series"),
        (["--target", "checkout"], "--query is missing"),
        (["--query", "rate"], "Give --target with --prometheus"),
        (
            ["--query", "rate", "--target", "checkout", "--days", "1"],
            "days of history, at least 2 are needed",
        ),
        (["--query", "rate", "--target", "DaemonSet/checkout"], "kind = DaemonSet, must be one of"),
    ],
)
def test_what_cannot_be_judged_is_said(
    backtest: Callable[..., Result], options: list[str], message: str
) -> None:
    shown = backtest(*options)
    assert shown.exit_code != 0
    assert message in " ".join(shown.output.split())

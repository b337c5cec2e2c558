"""`headstart bench decision` times a decision and its parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from headstart_training.commands.bench import bench

if TYPE_CHECKING:
    from pathlib import Path


def test_the_whole_and_its_parts_are_timed_and_written(tmp_path: Path) -> None:
    """On few services: what is tested is that it measures, not what it comes to."""
    file = tmp_path / "decision.json"
    arguments = ["decision", "--services", "20", "--rounds", "3", "--json", str(file)]
    shown = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert shown.exit_code == 0
    figures = json.loads(file.read_text())
    assert figures["services"] == 20
    wholes = [figures["decision"], figures["batch"]]
    for duration in [*wholes, *figures["parts"].values()]:
        assert 0 < duration["median"] <= duration["max"]
    assert {"features", "network", "selector"} <= set(figures["parts"])
    assert "features" in shown.output

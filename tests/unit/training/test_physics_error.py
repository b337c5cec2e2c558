"""The measured error of the reduced physics: none where it is exact, some where it is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from headstart_training.commands.bench import bench

if TYPE_CHECKING:
    from pathlib import Path


def test_the_error_grows_with_the_spread_of_lead_times(tmp_path: Path) -> None:
    """Through the command, on one load: the figures that the documentation shows."""
    file = tmp_path / "errors.json"
    arguments = ["physics", "--services", "1", "--minutes", "240", "--json", str(file)]
    shown = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert shown.exit_code == 0
    errors = json.loads(file.read_text())
    follows = [e for e in errors if e["contender"] == "follows the load" and e["plan"] == "mean"]
    off = [e["replicas_off"] for e in follows if e["case"].startswith("lead times")]
    assert off[0] < 0.01
    assert off[0] < off[1] < off[3]
    retries = errors[-1]
    assert retries["violations"] >= retries["predicted_violations"]
    assert retries["replicas_off"] == 0

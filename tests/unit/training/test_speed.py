"""`headstart bench simulator` measures each figure that the documentation promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from headstart_training import speed
from headstart_training.commands.bench import bench

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_figure_is_measured_and_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On small worlds: what is tested is that it measures, not what it comes to."""
    for name in ("_PATHS", "_STEPWISE", "_DECIDED", "_SLOW"):
        monkeypatch.setattr(speed, name, (8, 32))
    file = tmp_path / "speed.json"
    arguments = ["simulator", "--seconds", "0", "--json", str(file)]
    shown = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert shown.exit_code == 0
    figures = json.loads(file.read_text())
    promised = {
        "physics_steps_per_second",
        "environment_steps_per_second",
        "decision_steps_per_second",
        "scalar_reference_ratio",
    }
    assert promised <= set(figures)
    assert all(figures[name] > 0 for name in promised)

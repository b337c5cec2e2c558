"""The recipe refuses what it cannot learn from, before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from headstart_training import recipe
from headstart_training.commands.train import train
from headstart_training.loads.regular import Trace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (Trace(np.ones(2000), 120.0), "web has bins of 120 s, must be of 60 or 300 s"),
        (Trace(np.ones(288), 60.0), "web has 288 bins, must have more than 288"),
    ],
)
def test_a_recording_that_cannot_be_played_is_refused_at_once(trace: Trace, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe.draw_worlds(0, {"web": trace})


def test_the_shortest_recording_gives_loads_without_holes() -> None:
    rates = np.resize(np.array([5.0, 6.0, 9.0]), recipe.STEPS + 1)
    trace = Trace(rates, 60.0)
    (world,) = recipe.draw_worlds(0, {"web": trace}, worlds=1, kinds=["recorded"])
    assert np.isfinite(world.rates).all()


def test_kinds_take_turns_and_those_without_recordings_are_left_out() -> None:
    assert len(list(recipe.draw_worlds(0, worlds=3, kinds=["seed", "recorded"]))) == 2


@pytest.mark.parametrize(
    ("rates", "message"),
    [([0] * 400, "all 400 rates are 0 or missing"), ([5, 6] * 100, "web has 200 bins")],
)
def test_training_says_what_is_wrong_with_a_recording(
    tmp_path: Path, rates: list[int], message: str
) -> None:
    traces, out = tmp_path / "traces", tmp_path / "out"
    traces.mkdir()
    rows = [f"{1_700_000_000 + 60 * k},{rate}" for k, rate in enumerate(rates)]
    (traces / "web.csv").write_text("\n".join(["timestamp,rate", *rows]) + "\n")
    result = CliRunner().invoke(train, ["default", "--traces", str(traces), "--out", str(out)])
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output
    assert not out.exists()

"""The demo's loads: cut from the right place, counted without a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from demo.exporter import Replay
from demo.load import DAY, Scenario, seed_scenario, steepest, trace_scenario

if TYPE_CHECKING:
    from pathlib import Path


def test_the_seeds_day_is_an_hour() -> None:
    scenario = seed_scenario(1, whole_day=False)
    assert len(scenario.history) == 180
    assert len(scenario.replay) == 180
    assert scenario.seasons == (60,)
    whole = np.concatenate([scenario.history, scenario.replay])
    lag = np.corrcoef(whole[60:], whole[:-60])[0, 1]
    assert lag > 0.8
    again = seed_scenario(1, whole_day=False)
    np.testing.assert_array_equal(again.replay, scenario.replay)


def test_the_steepest_stretch_is_found() -> None:
    minutes = np.full(2000, 100.0)
    minutes[1200:1300] = np.linspace(100, 900, 100)
    start = steepest(minutes, 180)
    assert start <= 1200
    # The last quarter hour that is all climb ends at 1290.
    assert start + 180 >= 1290


@pytest.mark.parametrize("step", [1, 5])
def test_a_trace_is_cut_where_it_climbs(tmp_path: Path, step: int) -> None:
    minutes = np.arange(0, 4 * DAY, step)
    requests = 500 + 300 * np.sin(minutes * 2 * np.pi / DAY)
    file = tmp_path / "trace.csv"
    rows = [f"{m},{r:.3f}" for m, r in zip(minutes, requests, strict=True)]
    file.write_text("\n".join(["minute,requests", *rows]) + "\n")
    scenario = trace_scenario(file, whole_day=False)
    assert len(scenario.replay) == 180
    assert len(scenario.history) >= DAY
    assert scenario.replay[-1] - scenario.replay[0] > 200
    assert scenario.capacity == pytest.approx(500 / 20, rel=0.02)
    # The replay follows on the history without a step.
    assert abs(scenario.replay[0] - scenario.history[-1]) < 10


def test_a_short_trace_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "short.csv"
    rows = [f"{m},100" for m in range(DAY)]
    file.write_text("\n".join(["minute,requests", *rows]) + "\n")
    with pytest.raises(ValueError, match=r"has 1440 min, needs at least 1620"):
        trace_scenario(file, whole_day=False)


def test_the_counter_is_continuous() -> None:
    """What was back-filled, what is scraped before the start and the replay are one line."""
    scenario = Scenario("test", np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0]), 1.0, ())
    replay = Replay(scenario, start=1000.0)
    assert [replay.count(t) for t in (990, 997, 998, 1000, 1001, 1002, 1010)] == [
        0,
        0,
        1,
        6,
        10,
        15,
        15,
    ]
    assert list(replay.past(999.5)) == [(997.0, 0.0), (998.0, 1.0), (999.0, 3.0)]

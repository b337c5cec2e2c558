"""The demo's score adds up, and its screen shows what there is."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from demo.load import seed_scenario
from demo.score import TITLES, profile_of, score, violates
from demo.screen import Moment, line, screen


def moments(ready: int, minutes: int = 60) -> list[Moment]:
    """Hold a fleet through the replay."""
    scenario = seed_scenario(1, whole_day=False)
    return [
        Moment(k, rate, rate / scenario.capacity, ready, ready, "because", 0)
        for k, rate in enumerate(scenario.replay[:minutes].tolist())
    ]


@pytest.mark.parametrize(
    ("rate", "ready", "noise", "violated"),
    [
        (300.0, 1, 0.0, False),
        (302.0, 1, 0.0, True),
        (301.0, 1, 0.0, False),  # 99.67 % are served
        (300.0, 1, -1.0, True),
        (329.0, 1, 1.0, False),
        (0.0, 0, 0.0, False),
    ],
)
def test_a_minute_is_violated_below_the_slo(
    rate: float, ready: int, noise: float, *, violated: bool
) -> None:
    assert violates(rate, ready, seed_scenario(1, whole_day=False), noise) is violated


def test_the_live_fleet_is_priced_as_the_simulated_ones_are() -> None:
    """40 replicas for an hour at 0.05 $ a minute, and nothing is missed."""
    whole = seed_scenario(1, whole_day=False)
    scenario = replace(whole, replay=whole.replay[:60])
    result = score(scenario, moments(40))
    totals = result.paths["headstart"].totals
    assert totals["replica_hours"] == 40.0
    assert totals["violation_minutes"] == 0
    earned = float(scenario.replay.sum()) * 0.9 / 1000
    assert totals["dollars"] == pytest.approx(earned - 40 * 60 * 0.05, abs=0.01)
    for path in result.paths.values():
        assert path.dollars.sum() <= result.paths["clairvoyant"].dollars.sum() + 1e-6


def test_a_fleet_that_never_moves_up_in_time_failed() -> None:
    whole = seed_scenario(1, whole_day=False)
    scenario = replace(whole, replay=whole.replay[:60])
    result = score(scenario, moments(2))
    assert not result.scaled_ahead
    assert result.verdict.startswith("Headstart FAILED to scale ahead")
    document = json.loads(json.dumps(result.to_json()))
    assert document["led"] == 0
    assert document["rises"] > 0
    assert set(document["contenders"]) == set(TITLES)


def test_prices_pass_as_fast_as_the_load() -> None:
    """A second of the demo costs what a minute of the seed's game does."""
    profile = profile_of(seed_scenario(1, whole_day=False))
    assert profile.objective.replica_cost / 3600 == pytest.approx(0.05)
    assert profile.objective.violation_cost / 60 == pytest.approx(200.0)


@pytest.mark.parametrize("width", [60, 100, 160])
def test_the_screen_fits_the_terminal(width: int) -> None:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(screen(moments(10), 180, "title", width))
    text = console.export_text()
    assert "because" in text
    assert "minute 60" in text
    assert max(map(len, text.splitlines())) <= width


def test_a_line_says_the_same() -> None:
    shown = line(replace(moments(10)[-1], desired=14, violations=3))
    assert "ready  10  warming   4  desired  14  violations   3 min" in shown

"""The whole path: the chart's operator scales a real Deployment before its load arrives."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from demo.load import Scenario, seed_scenario
from demo.play import play
from demo.report import write_report
from demo.score import DEMO_OBJECTIVE, TITLES, Score, score
from demo.stage import SHOP, Stage
from headstart_policy import selector
from headstart_policy.artifact import builtin

if TYPE_CHECKING:
    from pathlib import Path

    from demo.screen import Moment

# One rise from the trough of the day to its top, and the way down again.
MINUTES = 60


@dataclass(frozen=True)
class Shown:
    """What one run of the demo left behind."""

    scenario: Scenario
    moments: list[Moment]
    score: Score
    policy: dict[str, object]
    events: list[dict[str, object]]


@pytest.fixture(scope="module")
def shown(programs: None) -> Shown:  # noqa: ARG001 - built before.
    """Run the demo on a third of its load, on a control plane of its own."""
    whole = seed_scenario(1, whole_day=False)
    scenario = replace(whole, replay=whole.replay[:MINUTES])
    with Stage(scenario, DEMO_OBJECTIVE, print) as stage:
        moments = play(stage, lambda _: None)
        policy = stage.policy()
        events = stage.events()
    return Shown(scenario, moments, score(scenario, moments), policy, events)


def test_it_scales_ahead(shown: Shown) -> None:
    assert len(shown.score.found) >= 3
    assert shown.score.scaled_ahead, shown.score.verdict


def test_it_beats_the_hpa_on_the_same_load(shown: Shown) -> None:
    totals = {name: path.totals for name, path in shown.score.paths.items()}
    assert set(totals) == set(TITLES)
    assert totals["headstart"]["dollars"] > totals["hpa_70"]["dollars"]
    assert totals["headstart"]["violation_minutes"] < totals["hpa_70"]["violation_minutes"]
    # Nobody knows better than who knows the future; the live run may start a second luckier.
    assert totals["headstart_simulated"]["dollars"] <= totals["clairvoyant"]["dollars"]


def test_the_status_explains_the_last_decision(shown: Shown) -> None:
    status = shown.policy["status"]
    assert isinstance(status, dict)
    conditions = {c["type"]: c["status"] for c in status["conditions"]}
    assert conditions["Ready"] == "True"
    assert conditions["RateAvailable"] == "True"
    assert conditions["ScalingActive"] == "True"
    assert status["policyDigest"] == builtin().digest
    assert status["lastDecision"]["candidate"] in selector.NAMES
    assert "the load needs" in status["lastDecision"]["reason"]


def test_events_say_why(shown: Shown) -> None:
    scaled = [event for event in shown.events if event["reason"] == "Scaled"]
    assert scaled
    assert all("the load needs" in str(event["message"]) for event in scaled)
    assert {event["metadata"]["namespace"] for event in scaled} == {SHOP}  # type: ignore[index]


def test_the_report_is_drawn(shown: Shown, tmp_path: Path) -> None:
    png, page = write_report(tmp_path, shown.scenario, shown.score)
    assert png.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert "<svg" in text
    assert shown.score.verdict in text
    assert not re.search(r"""(src|href)=["']?https?:|@import|url\(["']?http""", text)

"""Replays of recordings: a ruinous policy gives way, and a budget moves the price as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_policy import artifact, demotion
from headstart_policy.profile import Objective, Profile, Profiles
from headstart_training import budgets, regret
from headstart_training.loads.regular import Trace

if TYPE_CHECKING:
    from pathlib import Path

PROFILES = Profiles.stack([Profile(5.0, 300.0, 60.0, Objective())])


def a_trace(days: int = 3, spikes: int = 0) -> Trace:
    """Draw minutes of some 1,200 requests a minute that repeat daily."""
    rng = np.random.default_rng(0)
    minutes = np.arange(days * 1440)
    load = 1200.0 * (1 + 0.5 * np.sin(2 * np.pi * minutes / 1440))
    load *= np.exp(0.05 * rng.normal(size=len(load)))
    for start in rng.integers(0, len(load) - 10, spikes).tolist():
        load[start : start + 10] *= 1.5
    return Trace(load / 60.0, 60.0)


def test_a_policy_that_asks_for_the_demand_and_no_more_gives_way_within_a_day() -> None:
    one = regret.replay(a_trace(), artifact.builtin(), 1.0)
    assert one.demotions == 1
    assert one.away > 2 / 3
    assert one.reactive < one.with_demotion < one.policy


def test_the_policy_that_ships_is_trusted() -> None:
    one = regret.replay(a_trace(), artifact.builtin())
    assert (one.demotions, one.away) == (0, 0.0)
    assert one.with_demotion == one.policy < one.reactive


def test_it_comes_back_when_it_is_the_cheaper_one() -> None:
    """A dollar a minute too dear for three days, then a dollar too cheap."""
    dear = np.where(np.arange(8 * 1440) < 3 * 1440, 1.0, -1.0)
    demoted = regret.follow(
        dear + 10.0, np.full(len(dear), 10.0), np.full(len(dear), 6.0), PROFILES
    )
    changes = np.flatnonzero(np.diff(demoted.astype(int)))
    budget = float(
        demotion.VIOLATION_LEAD_TIMES * 5 * 200 + demotion.FLEET_LEAD_TIMES * 5 / 60 * 3 * 6
    )
    assert len(changes) == 2
    assert changes[0] == pytest.approx(budget, rel=0.3)
    assert 3 * 1440 < changes[1] < 3 * 1440 + budget


def test_a_budget_costs_replicas_where_it_is_tight_and_saves_them_where_it_is_not() -> None:
    trace = a_trace(10, spikes=200)
    tight = budgets.replay(trace, artifact.builtin(), 0.99)
    loose = budgets.replay(trace, artifact.builtin(), 0.9)
    assert tight.days == 2
    assert tight.budgeted < tight.declared
    assert tight.budgeted_replicas > tight.declared_replicas
    assert loose.budgeted_replicas < loose.declared_replicas
    assert loose.most_hedge < 1 < tight.least_hedge


def test_the_tables_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    regret.main(tmp_path)
    budgets.main(tmp_path, 99.9)
    assert "with demotion" in capsys.readouterr().out

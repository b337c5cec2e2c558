"""What really ran is priced as everybody else, and a saturated recording flatters nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_policy.artifact import builtin
from headstart_policy.profile import Profile
from headstart_training.backtest.actual import censor, distance, ran, saturated
from headstart_training.backtest.contenders import ACTUAL, HPA_TUNED
from headstart_training.backtest.protocol import hold
from headstart_training.backtest.saturation import repeat
from headstart_training.backtest.services import Actual
from headstart_training.backtest.worlds import split
from headstart_training.contest import settle
from tests.unit.training.backtest.recordings import observed, service

if TYPE_CHECKING:
    from headstart_training.backtest.judgement import Judgement

CAPACITY = 3.0
PROFILE = Profile(CAPACITY, lead_time=300.0, interval=300.0)


def test_what_ran_is_priced_as_a_path_that_was_asked_for() -> None:
    """Replicas that are always ready are worth the same, recorded or decided."""
    base = service()
    world = split(base, PROFILE).test
    constant = np.full(len(base.rates), float(world.initial[0]))
    recorded = ran(replace(base, actual=Actual(constant, constant)), world)
    assert recorded is not None
    decided = settle(world, constant[base.half :].astype(np.int64)[None])
    assert recorded.dollars == pytest.approx(decided.dollars)
    assert recorded.violations == pytest.approx(decided.violations)


def test_the_last_known_replicas_stand_in_a_gap() -> None:
    base = observed(CAPACITY, 0.7)
    assert base.actual is not None
    ready = base.actual.ready.copy()
    ready[600:610] = np.nan
    recorded = ran(replace(base, actual=Actual(ready, ready)), split(base, PROFILE).test)
    assert recorded is not None
    assert (recorded.ready[0, 600 - base.half : 610 - base.half] == ready[599]).all()


def test_nothing_is_known_to_be_saturated_where_nobody_counted_replicas() -> None:
    assert not saturated(service(), CAPACITY).any()
    assert ran(service(), split(service(), PROFILE).test) is None


def test_replicas_that_were_counted_too_early_only_are_unknown() -> None:
    base = observed(CAPACITY, 0.7)
    assert base.actual is not None
    early = np.where(np.arange(len(base.rates)) < base.half, base.actual.ready, np.nan)
    assert ran(replace(base, actual=Actual(early, early)), split(base, PROFILE).test) is None


def test_a_leaner_fleet_gains_nothing_where_the_recording_is_cut_off() -> None:
    base = observed(CAPACITY, 0.97)
    assert base.actual is not None
    world = split(base, PROFILE).test
    recorded = ran(base, world)
    assert recorded is not None
    flagged = saturated(base, CAPACITY)[base.half :]
    assert 0.2 < flagged.mean() < 1.0
    lean = settle(world, np.maximum(recorded.desired - 3, 0))
    mended = censor(lean, recorded, flagged)
    leaner = lean.ready < recorded.ready
    assert (mended.dollars <= np.where(leaner & flagged, recorded.dollars, np.inf)).all()
    assert mended.dollars[0, ~flagged] == pytest.approx(lean.dollars[0, ~flagged])
    # Whoever had as many ready keeps what they earned.
    ample = settle(world, recorded.desired.max() + 0 * recorded.desired)
    assert censor(ample, recorded, flagged).dollars == pytest.approx(ample.dollars)


def test_how_far_a_simulation_is_from_what_ran() -> None:
    simulated, real = np.array([[3, 5, 9]]), np.array([[4, 4, 0]])
    assert distance(simulated, real, np.array([True, True, False])) == (0.0, 1.0)


def test_a_cut_off_recording_is_judged_again() -> None:
    contest = hold(observed(CAPACITY, 0.97), PROFILE, builtin())
    assert ACTUAL in contest.results
    again = repeat(contest, builtin())
    assert again.minutes > 1000
    assert again.winners.keys() == {1.0, 1.2, 2.0}
    missed = [
        contest.accounts[HPA_TUNED].violation_minutes_per_day,
        again.accounts[2.0][ACTUAL].violation_minutes_per_day,
    ]
    assert missed[1] > missed[0]


def test_a_load_that_was_never_cut_off_is_judged_once(judgement: Judgement) -> None:
    assert judgement.saturation.winners.keys() == {1.0}
    assert judgement.saturation.conclusive

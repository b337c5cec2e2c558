"""Everybody plays the same test half, and tunes on nothing of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from headstart_policy.artifact import builtin
from headstart_policy.profile import Profile
from headstart_training.backtest.contenders import CLAIRVOYANT, COUNT, HEADSTART, NETWORK
from headstart_training.backtest.hours import worst_hour
from headstart_training.backtest.judgement import Judgement, judge, stages
from headstart_training.backtest.protocol import hold
from headstart_training.backtest.setting import MEAN_REPLICAS, Setting, usual_capacity
from headstart_training.backtest.worlds import split
from headstart_training.baselines.contenders import CONTENDERS
from tests.unit.training.backtest.recordings import service

PROMISED = {
    "headstart",
    "headstart_network",
    "hpa_default",
    "hpa_tuned",
    "holt_winters",
    "scheduled",
    "static",
    "clairvoyant",
}


def test_all_that_are_promised_play(judgement: Judgement) -> None:
    assert set(judgement.contest.results) >= PROMISED
    assert len(judgement.contest.results) == COUNT


def test_nobody_beats_the_best_possible(judgement: Judgement) -> None:
    accounts = judgement.contest.accounts
    best = accounts[CLAIRVOYANT].dollars_per_day
    assert all(account.dollars_per_day <= best + 1e-6 for account in accounts.values())


def test_a_capacity_that_nobody_gave_makes_a_service_of_usual_size() -> None:
    base = service()
    needed = base.rates[: base.half] / usual_capacity(base)
    assert needed.mean() == pytest.approx(MEAN_REPLICAS)


def test_what_happens_in_the_test_half_tunes_nobody() -> None:
    base, other = service(), service()
    rates = other.rates.copy()
    rates[other.half :] *= 3
    profile = Setting().profile(base)
    one, two = (
        split(base, profile).tuning,
        split(replace(other, rates=rates), profile).tuning,
    )
    for name, candidates in CONTENDERS.items():
        assert list(map(str, candidates(one))) == list(map(str, candidates(two))), name
    assert np.array_equal(one.rates, two.rates)


def test_decisions_know_nothing_of_what_comes(judgement: Judgement) -> None:
    """A load that changes for its last day is decided on as before until then."""
    rates = service(6).rates.copy()
    rates[-288:] *= 2.5
    contest = hold(replace(service(6), rates=rates), judgement.contest.profile, builtin())
    for name, path in judgement.contest.paths.items():
        if name != CLAIRVOYANT:
            assert np.array_equal(contest.paths[name][0, :576], path[0, :576]), name


def test_a_gap_is_held_through_and_not_counted() -> None:
    rates = service().rates.copy()
    rates[700:712] = np.nan
    contest = hold(replace(service(), rates=rates), Setting().profile(service()), builtin())
    assert contest.calendar.lengths.sum() == pytest.approx(2 - 12 / 288)
    assert all(np.isfinite(account.dollars).all() for account in contest.accounts.values())


def test_progress_hears_of_every_stage() -> None:
    heard: list[str] = []
    judge(service(2.5), Setting(), builtin(), heard=heard.append)
    assert len(heard) == stages(service(2.5), None)
    assert heard[0] == f"checkout: {HEADSTART}"


def test_the_worst_hour_is_where_the_most_was_lost(judgement: Judgement) -> None:
    contest = judgement.contest
    for name in (HEADSTART, NETWORK, "hpa_default"):
        hour = worst_hour(contest, name)
        lost = contest.results[CLAIRVOYANT].dollars[0] - contest.results[name].dollars[0]
        sums = [lost[k : k + 12].sum() for k in range(len(lost) - 11)]
        assert (hour.start, hour.end) == (int(np.argmax(sums)), int(np.argmax(sums)) + 12)
        assert hour.lost == pytest.approx(max(sums))
    assert worst_hour(contest, CLAIRVOYANT).lost == 0


def test_an_hour_is_one_step_where_steps_are_longer() -> None:
    long = service(8, interval=7200.0)
    contest = hold(long, Profile(usual_capacity(long), 300.0, 7200.0), builtin())
    hour = worst_hour(contest, "hpa_default")
    assert hour.end - hour.start == 1

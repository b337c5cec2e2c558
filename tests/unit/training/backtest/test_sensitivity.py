"""Wrong assumptions change what happens, not what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headstart_training.backtest.contenders import CLAIRVOYANT

if TYPE_CHECKING:
    from headstart_training.backtest.judgement import Judgement


def test_every_assumption_is_off_by_a_fifth_both_ways(judgement: Judgement) -> None:
    assert [(t.capacity, t.lead_time) for t in judgement.truths] == [
        (0.8, 1.0),
        (1.2, 1.0),
        (1.0, 0.8),
        (1.0, 1.2),
    ]


def test_nobody_asks_for_other_replicas(judgement: Judgement) -> None:
    for truth in judgement.truths:
        for name, account in judgement.contest.accounts.items():
            if name != CLAIRVOYANT:
                hours = truth.accounts[name].replica_hours_per_day
                assert hours == pytest.approx(account.replica_hours_per_day)


def test_weaker_replicas_and_longer_starts_miss_more(judgement: Judgement) -> None:
    weaker, stronger, quicker, slower = (
        {name: a.violation_minutes_per_day for name, a in truth.accounts.items()}
        for truth in judgement.truths
    )
    for name in judgement.contest.results:
        if name != CLAIRVOYANT:
            assert stronger[name] <= weaker[name]
            # Bins of five minutes: both start within the next one, or the one after it.
            assert quicker[name] <= slower[name]


def test_nobody_beats_who_knows_the_truth(judgement: Judgement) -> None:
    for truth in judgement.truths:
        best = truth.accounts[CLAIRVOYANT].dollars_per_day
        assert all(a.dollars_per_day <= best + 1e-6 for a in truth.accounts.values())

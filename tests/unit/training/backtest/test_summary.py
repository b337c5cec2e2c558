"""Records over several services."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_training.backtest.services import Class
from headstart_training.backtest.summary import gain, records

if TYPE_CHECKING:
    from headstart_training.backtest.judgement import Judgement
    from headstart_training.backtest.protocol import Contest


def _better(contest: Contest, dollars: float) -> Contest:
    """Let Headstart earn so much more in each step than the tuned HPA."""
    tuned = contest.results["hpa_tuned"]
    ours = replace(tuned, dollars=tuned.dollars + dollars)
    return replace(contest, results={**contest.results, "headstart": ours})


def test_a_constant_gain_is_certain(judgement: Judgement) -> None:
    found = gain([_better(judgement.contest, 0.5)] * 3)
    assert found.value == pytest.approx(3 * 0.5 * 288)
    assert (found.low, found.high) == pytest.approx((found.value, found.value))


def test_won_worst_and_pooled_are_over_all_services(judgement: Judgement) -> None:
    contests = [_better(judgement.contest, dollars) for dollars in (0.1, 0.3, -0.2)]
    record = records(contests)["headstart"]
    assert record.won == 2
    assert record.worst is not None
    assert record.worst[0] == record.closures[2] < 0
    assert record.pooled.value == pytest.approx(record.closures.mean())
    (median, count), *_ = record.medians.values()
    assert median.value == pytest.approx(np.median(record.closures))
    assert count == 3
    assert median.low < median.value <= median.high


def test_ties_are_not_won(judgement: Judgement) -> None:
    assert records([_better(judgement.contest, 0.0)])["headstart"].won == 0


def test_who_did_not_play_everywhere_has_no_record(judgement: Judgement) -> None:
    contest = judgement.contest
    fewer = {name: result for name, result in contest.results.items() if name != "kpa"}
    found = records([contest, replace(contest, results=fewer)])
    assert "kpa" not in found
    assert list(found["headstart"].medians) == [Class.COARSE]


def test_two_days_say_nothing_of_their_own_spread(judgement: Judgement) -> None:
    contest = judgement.contest
    few = contest.calendar._replace(lengths=contest.calendar.lengths / 2)
    found = gain([replace(contest, calendar=few)])
    assert np.isnan([found.low, found.high]).all()
    assert records([replace(contest, calendar=few)])["headstart"].pooled.to_json()["low"] is None

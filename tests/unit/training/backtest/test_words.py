"""The sentence that people remember says what was found, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_training.backtest.bootstrap import Interval
from headstart_training.backtest.saturation import Saturation
from headstart_training.backtest.words import closure, dollars, headline, number, signed

if TYPE_CHECKING:
    from headstart_training.backtest.judgement import Judgement


@pytest.mark.parametrize(
    ("gain", "verdict", "words"),
    [
        (Interval(10.0, 5.0, 15.0), "better", "would have saved"),
        (Interval(-10.0, -15.0, -5.0), "worse", "would have cost"),
        (Interval(10.0, -5.0, 25.0), "open", "there is no clear winner"),
        # Too few days: nobody can tell.
        (Interval(10.0, np.nan, np.nan), "open", "there is no clear winner"),
    ],
)
def test_the_interval_decides(
    judgement: Judgement, gain: Interval, verdict: str, words: str
) -> None:
    said = headline([judgement], gain)
    assert said.verdict == verdict
    assert words in said.sentence
    assert "violation minutes a day" in said.sentence


def test_a_cut_off_recording_is_inconclusive_however_clear(judgement: Judgement) -> None:
    cut_off = Saturation(90.0, {1.0: "headstart", 2.0: "hpa_tuned"}, {})
    said = headline([judgement._replace(saturation=cut_off)], Interval(10.0, 5.0, 15.0))
    assert said.verdict == "open"
    assert "Inconclusive: checkout ran saturated" in said.certainty


def test_the_users_own_hpa_is_whom_to_beat(judgement: Judgement) -> None:
    contest = judgement.contest
    results = {**contest.results, "hpa_current": contest.results["hpa_default"]}
    own = judgement._replace(contest=replace(contest, results=results))
    assert "your HPA" in headline([own], Interval(10.0, 5.0, 15.0)).sentence


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (dollars(1234.4), "$1,234"),
        (dollars(-3.456), "−$3.46"),  # noqa: RUF001
        (signed(12.0), "+$12"),
        (signed(-12.0), "−$12"),  # noqa: RUF001
        (number(0.004), "0.00"),
        (number(12.34), "12.3"),
        (number(1234.5), "1,234"),
        (closure(0.634), "+63%"),
        (closure(-0.001), "0%"),
        (closure(float("nan")), "–"),  # noqa: RUF001
    ],
)
def test_figures_as_people_write_them(shown: str, expected: str) -> None:
    assert shown == expected

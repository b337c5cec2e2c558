"""Intervals: paired over contenders, by whole days, stratified by class."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_training.backtest.accounts import Account
from headstart_training.backtest.bootstrap import draw_days, draw_services, interval


def _account(dollars: list[float]) -> Account:
    days, none = np.ones(len(dollars)), np.zeros(len(dollars))
    return Account(days, np.array(dollars), none, none)


def test_the_same_days_are_drawn_for_everybody() -> None:
    """A constant lead has no spread, however wild the days are."""
    wild = [0.0, 1000.0, -500.0, 3.0]
    drawn = draw_days([_account(wild), _account([d + 7 for d in wild])], "dollars", 0)
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(7.0)
    assert drawn[:, 0].std() > 100


def test_a_single_day_has_no_spread() -> None:
    assert np.ptp(draw_days([_account([5.0])], "dollars", 0)) == 0


def test_services_of_a_class_stand_in_for_each_other_only() -> None:
    drawn = draw_services(["noisy", "coarse", "noisy"])
    assert set(drawn[:, 1]) == {1}
    assert set(drawn[:, [0, 2]].ravel()) == {0, 2}


def test_an_interval_leaves_out_draws_without_a_value() -> None:
    found = interval(0.5, np.array([np.nan, 0.0, 1.0, np.nan]))
    assert found == pytest.approx((0.5, 0.025, 0.975))
    assert interval(0.5, np.array([np.nan])).to_json() == {"value": 0.5, "low": None, "high": None}

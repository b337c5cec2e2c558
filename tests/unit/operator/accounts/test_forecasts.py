"""Forecasts that wait for their moment."""

from __future__ import annotations

import math

from headstart_operator.accounts.forecasts import MOST, Forecasts
from tests.unit.policy.build import a_profile

PROFILE = a_profile(interval=60.0, lead_time=150.0)


def test_a_forecast_is_due_a_lead_time_after_it_was_made() -> None:
    """150 s are two and a half intervals: at the third it is half an interval old."""
    forecasts = Forecasts()
    shown = [forecasts.due(60.0 * k, PROFILE, 10.0 + k) for k in range(6)]
    assert shown == [None, None, None, 10.0, 11.0, 12.0]


def test_after_a_gap_an_old_forecast_is_not_shown() -> None:
    forecasts = Forecasts()
    forecasts.due(0.0, PROFILE, 10.0)
    assert forecasts.due(600.0, PROFILE, 11.0) is None


def test_what_is_not_known_is_not_kept() -> None:
    forecasts = Forecasts()
    forecasts.due(0.0, PROFILE, math.nan)
    assert forecasts.due(180.0, PROFILE, 11.0) is None


def test_they_do_not_grow_without_end() -> None:
    forecasts = Forecasts()
    profile = a_profile(interval=1.0, lead_time=86_400.0, seasons=())
    for time in range(2 * MOST):
        forecasts.due(float(time), profile, 1.0)
    assert len(forecasts._waiting) == MOST

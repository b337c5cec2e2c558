"""Holt-Winters: exact where the model is, and as the textbook has it where it is not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_policy.behavior import Behavior
from headstart_training.baselines.holt_winters import HoltWinters, Smoothing, grid, predict
from headstart_training.baselines.hpa import HPA
from headstart_training.baselines.seen import seen
from tests.unit.training.plain import a_world

if TYPE_CHECKING:
    from headstart_policy.types import Floats

PERIOD, LEAD = 12, 2


def _world(rates: Any, past: int = 1) -> Any:
    return a_world(rates, past=past, lead=60.0 * LEAD, seasons=(60.0 * PERIOD,))


def _textbook(rates: Floats, how: Smoothing) -> Floats:
    """Forecasts of each sample made LEAD + 1 samples before it; Hyndman, section 8.3."""
    forecasts = np.full(len(rates) + LEAD + 1, math.nan)
    mean = rates[:PERIOD].mean()
    season = list(rates[:PERIOD] / mean if how.multiplicative else rates[:PERIOD] - mean)
    level, trend = mean, 0.0
    for n, value in enumerate(rates):
        if n >= PERIOD:
            before, then = level, season[n - PERIOD]
            if how.multiplicative:
                level = how.alpha * value / then + (1 - how.alpha) * (before + trend)
                shape = how.gamma * value / (before + trend) + (1 - how.gamma) * then
            else:
                level = how.alpha * (value - then) + (1 - how.alpha) * (before + trend)
                shape = how.gamma * (value - before - trend) + (1 - how.gamma) * then
            trend = how.beta * (level - before) + (1 - how.beta) * trend
            season.append(shape)
        if n >= PERIOD - 1:
            ahead, then = level + (LEAD + 1) * trend, season[n + 1 + LEAD - PERIOD]
            forecasts[n + 1 + LEAD] = max(ahead * then if how.multiplicative else ahead + then, 0)
    return forecasts


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1000),
    # Heavier weights on noise let the recursion run away, here and there.
    weights=st.tuples(st.floats(0, 0.5), st.floats(0, 0.05), st.floats(0, 0.5)),
    multiplicative=st.booleans(),
)
def test_it_is_the_textbooks(
    seed: int, weights: tuple[float, float, float], *, multiplicative: bool
) -> None:
    rates = np.random.default_rng(seed).uniform(50.0, 100.0, 5 * PERIOD)
    how = Smoothing(*weights, multiplicative=multiplicative, binned=False)
    world = _world(rates, past=PERIOD + 3)
    known = seen(world)[0][0, :-1]
    expected = _textbook(known, how)[PERIOD + 3 + LEAD :][: world.steps]
    np.testing.assert_allclose(predict(world, how)[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("multiplicative", [True, False])
@pytest.mark.parametrize("binned", [True, False])
def test_what_repeats_is_forecast_exactly(*, multiplicative: bool, binned: bool) -> None:
    day = np.repeat(np.arange(10.0, 10.0 + PERIOD / LEAD), LEAD)
    world = _world(np.tile(day, 6), past=2 * PERIOD)
    forecast = predict(world, Smoothing(0.3, 0.1, 0.2, multiplicative, binned))[0]
    np.testing.assert_allclose(forecast[:-LEAD], world.rates[0, LEAD:])


def test_before_a_season_is_over_there_is_no_forecast() -> None:
    forecast = predict(_world(np.ones(3 * PERIOD)), Smoothing(0.3, 0.1, 0.2, False, False))[0]
    assert np.isnan(forecast[: PERIOD - 1]).all()
    assert np.isfinite(forecast[PERIOD - 1 :]).all()


@pytest.mark.parametrize("multiplicative", [True, False])
def test_gaps_and_nights_without_load_are_borne(*, multiplicative: bool) -> None:
    day = np.concatenate([np.zeros(PERIOD // 2), np.full(PERIOD // 2, 60.0)])
    rates = np.tile(day, 8)
    rates[3 * PERIOD + 2 : 4 * PERIOD + 9] = np.nan
    world = _world(rates, past=PERIOD)
    forecast = predict(world, Smoothing(0.3, 0.0, 0.2, multiplicative, False))[0]
    assert np.isfinite(forecast).all()
    np.testing.assert_allclose(forecast[-PERIOD:-LEAD], np.tile(day, 8)[-PERIOD + LEAD :])
    nothing = predict(_world(np.zeros(5 * PERIOD)), Smoothing(0.3, 0.0, 0.2, multiplicative, False))
    assert not np.nan_to_num(nothing).any()


def test_it_scales_ahead_of_what_repeats_and_never_below_the_hpa() -> None:
    day = np.concatenate([np.full(PERIOD // 2, 7.0), np.full(PERIOD // 2, 70.0)])
    world = _world(np.tile(day, 6), past=2 * PERIOD)
    hpa = HPA(0.7, behavior=Behavior())
    alone = hpa.path(world)[0]
    both = HoltWinters(hpa, Smoothing(0.3, 0.0, 0.2, False, False)).path(world)[0]
    assert (both >= alone).all()
    # The rise is at minute 6; the HPA sees it at minute 7.
    assert (alone[6], both[6 - LEAD]) == (2, 20)


def test_without_a_season_it_is_the_hpa() -> None:
    world = a_world(np.linspace(10.0, 90.0, 50))
    both = HoltWinters(HPA(0.7), Smoothing(0.3, 0.0, 0.2, False, False)).path(world)
    np.testing.assert_array_equal(both, HPA(0.7).path(world))


def test_its_grid_holds_the_smoothing_that_errs_least() -> None:
    rng = np.random.default_rng(0)
    rates = np.tile(np.linspace(50.0, 100.0, PERIOD), 20) * rng.uniform(0.9, 1.1, 20 * PERIOD)
    candidates = grid(_world(rates))
    assert len(candidates) == 2 * 13 * 4 * 3
    assert {c.smoothing.binned for c in candidates} == {True, False}
    # Nothing but noise moves the level: the lazier, the better.
    assert candidates[0].smoothing.alpha == 0.05


def test_weights_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha = 1.5, must be in \[0, 1\]"):
        Smoothing(1.5, 0.0, 0.0, multiplicative=False, binned=False)

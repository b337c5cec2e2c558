"""Grids fill themselves, after a start and after an outage, and read as the simulator does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_operator.sources.history import Gap, Grid, History
from headstart_policy.observation import MEMORY, look_around, look_back, look_far
from headstart_policy.profile import Profile
from headstart_policy.series import CumulativeRates

if TYPE_CHECKING:
    from headstart_policy.types import Floats

PROFILE = Profile(capacity=5.0, lead_time=300.0, interval=15.0, seasons=(86_400.0,))
NOW = 1_700_000_000 // 300 * 300


def true_rate(time: float) -> float:
    """Return the rate that Prometheus would tell for an instant."""
    return 100 + 50 * math.sin(time / 7000) + 10 * math.sin(time / 90)


def ask(gap: Gap) -> Floats:
    """Answer a gap as Prometheus would."""
    return np.array([true_rate(k * gap.step) for k in range(gap.first, gap.last + 1)])


def tick(history: History, now: float) -> None:
    """Fill the recent grid as a tick does."""
    gap = history.recent.gap(now, 11_000)
    assert gap is not None
    history.extend(gap, ask(gap))


def backfill(history: History, now: float, chunk: int = 100) -> int:
    """Fill the coarse grid as the back-fill does; return the number of chunks."""
    chunks = 0
    while (gap := history.coarse.gap(now, chunk)) is not None:
        assert gap.last - gap.first < chunk
        history.coarse.fill(gap, ask(gap))
        chunks += 1
    return chunks


def test_a_gap_is_asked_for_once_oldest_first_and_in_pieces() -> None:
    grid = Grid(10.0, 6)
    assert grid.gap(109, 4) == Gap(10.0, 5, 8)
    grid.fill(Gap(10.0, 5, 8), np.arange(4.0))
    assert grid.gap(109, 4) == Gap(10.0, 9, 10)
    grid.fill(Gap(10.0, 9, 10), np.array([4.0, np.nan]))
    # What was never recorded is not asked for again.
    assert grid.gap(109, 4) is None
    np.testing.assert_array_equal(grid.rates, [0, 1, 2, 3, 4, np.nan])
    assert grid.gap(119, 4) == Gap(10.0, 11, 11)


def test_an_outage_longer_than_the_grid_begins_it_anew() -> None:
    grid = Grid(10.0, 3)
    grid.fill(Gap(10.0, 1, 3), np.ones(3))
    grid.fill(Gap(10.0, 100, 100), np.array([7.0]))
    np.testing.assert_array_equal(grid.rates, [np.nan, np.nan, 7])
    # An answer that comes when the grid has moved on.
    grid.fill(Gap(10.0, 97, 98), np.array([5.0, 6.0]))
    np.testing.assert_array_equal(grid.rates, [6, np.nan, 7])
    grid.fill(Gap(10.0, 3, 4), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(grid.rates, [6, np.nan, 7])


def test_steps_are_sized_in_lead_times() -> None:
    history = History(PROFILE)
    assert (history.recent.step, len(history.recent.rates)) == (15, 642)
    assert (history.coarse.step, len(history.coarse.rates)) == (60, 2965)


def test_recent_rates_extend_the_seasons_without_a_query() -> None:
    history = History(PROFILE)
    tick(history, NOW)
    assert not history.loaded(NOW)
    assert backfill(history, NOW) == 30
    assert history.loaded(NOW)
    for now in range(NOW + 15, NOW + 1200, 15):
        tick(history, now)
    assert history.coarse.gap(NOW + 1185, 100) is None
    assert history.coarse.rates[-1] == true_rate(history.coarse.last * 60)


def test_after_any_outage_the_windows_are_those_of_a_twin_that_saw_all() -> None:
    twin, broken = History(PROFILE), History(PROFILE)
    for history in (twin, broken):
        tick(history, NOW)
        backfill(history, NOW)
    for now in range(NOW + 15, NOW + 20000, 15):
        tick(twin, now)
        if not NOW + 3000 < now < NOW + 19000:
            tick(broken, now)
    end = NOW + 19995
    assert not broken.loaded(end)
    assert backfill(broken, end) == 3
    fresh = History(PROFILE)
    tick(fresh, end)
    backfill(fresh, end)
    for other in (broken, fresh):
        for one, same in zip(twin.windows(end), other.windows(end), strict=True):
            np.testing.assert_array_equal(one, same)


def test_windows_are_those_of_one_long_series() -> None:
    history = History(PROFILE)
    tick(history, NOW)
    backfill(history, NOW)
    recent, roughness, seasonal, then, extremes = history.windows(NOW)
    lead = np.array([20.0])
    series = ask(Gap(15.0, NOW // 15 - 6000, NOW // 15))[None]
    length = np.array([float(series.shape[1])])
    back = look_back(CumulativeRates.of(series), length, lead)
    np.testing.assert_allclose(recent, back[0], rtol=1e-9)
    np.testing.assert_allclose(roughness, back[1], rtol=1e-6)
    minutes = ask(Gap(60.0, NOW // 60 - 3100, NOW // 60))[None]
    around = look_around(
        CumulativeRates.of(minutes),
        np.array([float(minutes.shape[1])]),
        np.array([5.0]),
        np.array([[1440.0, 2880.0, np.nan]]),
    )
    np.testing.assert_allclose(seasonal, around[0], rtol=1e-9)
    # What neighbours a minute apart differ by, brought to what those 15 s apart do.
    end = np.array([[float(minutes.shape[1])]])
    coarse = CumulativeRates.of(minutes).roughness(end - 32 * 5.0, end)
    np.testing.assert_allclose(then, around[1] * roughness[:, -1:] / coarse, rtol=1e-6)
    far = look_far(CumulativeRates.of(minutes), np.array([float(minutes.shape[1])]), 5.0)
    np.testing.assert_allclose(extremes, far, rtol=1e-9)


def test_the_noise_of_a_season_ago_is_that_of_neighbouring_samples() -> None:
    """Rates over a minute every 15 s overlap: the coarse grid's neighbours differ by more."""
    samples = np.random.default_rng(0).normal(100, 20, 50_000)
    rates = np.convolve(samples, np.ones(4) / 4)
    profile = Profile(capacity=5.0, lead_time=300.0, interval=15.0, seasons=(86_400.0,))
    history = History(profile)
    for grid in (history.recent, history.coarse):
        while (gap := grid.gap(NOW, 11_000)) is not None:
            stride = round(grid.step / 15)
            indices = np.arange(gap.first, gap.last + 1) * stride % len(rates)
            grid.fill(gap, rates[indices])
    then = history.windows(NOW).seasonal_roughness[0, 0]
    day_ago = np.arange(NOW // 15 - 5760 - 160, NOW // 15 - 5760 + 160) % len(rates)
    assert then == pytest.approx(np.mean(np.diff(rates[day_ago]) ** 2), rel=0.4)


def test_the_newest_rate_and_its_age() -> None:
    history = History(PROFILE)
    rate, age = history.newest(NOW)
    assert math.isnan(rate)
    assert age == math.inf
    gap = history.recent.gap(NOW, 11_000)
    assert gap is not None
    rates = ask(gap)
    rates[-2:] = np.nan
    history.extend(gap, rates)
    assert history.newest(NOW + 5) == (true_rate(NOW - 30), 35)


def test_a_service_without_seasons_is_loaded_with_the_day_that_it_remembers() -> None:
    history = History(Profile(capacity=5.0, lead_time=300.0, interval=15.0, seasons=()))
    tick(history, NOW)
    assert not history.loaded(NOW)
    assert backfill(history, NOW, 1000) == 2
    assert history.loaded(NOW)
    windows = history.windows(NOW)
    assert np.isnan(windows.seasonal).all()
    since = NOW - MEMORY * 300.0
    assert windows.extremes[0, 0] > true_rate(since)
    assert history.coarse.rates.size * 60 < 1.02 * MEMORY * 300.0

"""Everybody who plays against Headstart: tuned per service, on every kind of load."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_training.baselines import hpa, static
from headstart_training.baselines.contenders import CONTENDERS
from headstart_training.baselines.hpa import HPA
from headstart_training.baselines.seen import known, seen
from headstart_training.baselines.static import Static
from headstart_training.baselines.tuning import PerService, profit, tune
from headstart_training.contest import settle
from headstart_training.settings import seed_day
from tests.unit.training.plain import a_world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.types import Floats
    from headstart_training.baselines.tuning import Candidate
    from headstart_training.simulator import World

MINUTES = 600


def _awkward() -> Floats:
    """A smooth load, one with hours of nothing, a spiky one, and one with gaps."""
    rng = np.random.default_rng(1)
    t = np.arange(3 * MINUTES)
    wave = 60.0 + 40.0 * np.sin(2 * np.pi * t / 300)
    quiet = np.where(t % 300 < 150, 0.0, wave)
    spiky = np.where(rng.random(len(t)) < 0.02, 400.0, 20.0)
    gaps = np.where((t // 40) % 7 == 3, np.nan, wave)
    return np.stack([wave, quiet, spiky, gaps])


@pytest.mark.parametrize("name", CONTENDERS)
@pytest.mark.parametrize(("interval", "lead"), [(60.0, 300.0), (300.0, 300.0), (10.0, 45.0)])
def test_each_plays_every_kind_of_load(name: str, interval: float, lead: float) -> None:
    """Coarse steps, gaps in what is seen, hours of nothing, and no past at all."""
    loads = _awkward()[:, :MINUTES]
    world = a_world(loads, past=150, interval=interval, lead=lead, seasons=(300 * interval,))
    world = replace(world, rates=np.nan_to_num(world.rates))

    def cheap(one: World) -> Sequence[Candidate]:
        return CONTENDERS[name](one)[::17]

    choice = tune(cheap, world)
    assert len(choice.choices) == len(loads)
    assert all(str(c) for c in choice.choices)
    for later in (world, replace(world, past=None)):
        path = choice.path(later)
        assert path.shape == later.rates.shape
        assert path.dtype == np.int64
        assert (path >= 0).all()
        assert np.isfinite(settle(later, path).dollars).all()


@pytest.mark.parametrize("name", CONTENDERS)
def test_nobody_sees_what_comes(name: str) -> None:
    """Paths on two loads that part at a moment are equal up to it."""
    loads = _awkward()[:3]
    others = loads.copy()
    others[:, 900:] = 333.0
    one, two = (a_world(r, past=600, seasons=(300 * 60.0,), initial=5) for r in (loads, others))
    candidates = CONTENDERS[name](one.take(np.array([0])))
    for candidate in (candidates[0], candidates[len(candidates) // 2], candidates[-1]):
        if not isinstance(candidate, Static):
            # Step 300 is the last before column 900 is known.
            np.testing.assert_array_equal(
                candidate.path(one)[:, :301], candidate.path(two)[:, :301]
            )


def test_the_best_is_chosen_for_each_service() -> None:
    world = seed_day(3, 700)

    def some(one: World) -> Sequence[Candidate]:
        return hpa.grid(one)[::9]

    choice = tune(some, world)
    best = profit(world, choice.path(world))
    for i in range(3):
        one = world.take(np.array([i]))
        assert best[i] == max(profit(one, c.path(one))[0] for c in some(one))


def test_what_is_tuned_earns_what_settling_says() -> None:
    world = seed_day(2, 300, expected=False)
    path = HPA(0.6).path(world)
    np.testing.assert_allclose(profit(world, path), settle(world, path).dollars.sum(axis=1))
    gap = replace(world, rates=np.where(np.arange(300) == 7, np.nan, world.rates))
    left = np.delete(settle(world, path).dollars, 7, axis=1).sum(axis=1)
    np.testing.assert_allclose(profit(gap, path), left)


def test_what_was_tuned_for_other_services_is_refused() -> None:
    with pytest.raises(ValueError, match="2 services, tuned for 1"):
        PerService((HPA(0.7),)).path(seed_day(2, 30))


def test_the_best_static_fleet_is_that_of_the_load_tuned_on() -> None:
    world = seed_day(2, 500)
    choice = tune(static.grid, world)
    for i in range(2):
        one = world.take(np.array([i]))
        earned = [profit(one, Static(np.array([n])).path(one))[0] for n in range(90)]
        # Who starts with another fleet needs a lead time, which no choice of fleet prices.
        assert profit(one, choice.path(world)[i : i + 1])[0] >= max(earned) - 100


def test_what_was_seen_is_the_past_and_then_each_figure_once() -> None:
    rates = np.array([1.0, 2.0, np.nan, np.nan, 5.0, 5.0, 7.0])
    world = a_world(rates, past=2)
    series, past = seen(world)
    assert past == 2
    np.testing.assert_array_equal(series[0], rates)
    np.testing.assert_array_equal(known(world)[0], [2.0, 2.0, 2.0, 5.0, 5.0])
    np.testing.assert_array_equal(seen(replace(world, past=None))[0][0], rates[2:])


def test_before_anything_was_seen_nothing_is_known() -> None:
    world = a_world([np.nan, np.nan, 3.0, 4.0], past=1)
    assert np.isnan(known(world)[0, :2]).all()
    np.testing.assert_array_equal(seen(world)[0][0], [np.nan, np.nan, 3.0, 4.0])

"""Recordings become many more services than were recorded."""

from __future__ import annotations

import numpy as np

from headstart_training.loads.regular import Trace
from headstart_training.population import MINUTE, Population, recorded_world

SIZE = 200, 60
DAYS = 12 * 1440


def draw(*rates: np.ndarray) -> np.ndarray:
    """Loads over the size that each service was given, shape (N, T)."""
    traces = [Trace(one, MINUTE) for one in rates]
    world = recorded_world(np.random.default_rng(0), traces, *SIZE, Population())
    return world.rates / world.profiles.capacity[:, None]


def test_a_load_that_never_changes_stays_so() -> None:
    """Neither mixing nor bending makes something of nothing."""
    demand = draw(np.full(DAYS, 7.0), np.full(DAYS, 3.0))
    np.testing.assert_allclose(demand, demand[:, :1].repeat(SIZE[1], axis=1))
    assert (demand > 0).all()


def test_many_are_between_two_recordings_or_steeper_and_flatter() -> None:
    """A step of 1 to 3: of one recording alone it is that, mixed with a constant it is less."""
    steps = np.where(np.arange(DAYS) % 40 < 20, 1.0, 3.0)
    demand = draw(steps, np.full(DAYS, 2.0))
    ratio = demand.max(axis=1) / demand.min(axis=1)
    constant, whole = np.isclose(ratio, 1), np.isclose(ratio, 3)
    assert 0.1 < constant.mean() < 0.6
    assert 0.1 < whole.mean() < 0.6
    assert ((ratio > 1.01) & (ratio < 2.9)).mean() > 0.1, "mixed, or flatter"
    assert (ratio > 3.1).mean() > 0.03, "steeper"

"""Recordings become many more services than were recorded."""

from __future__ import annotations

import numpy as np

from headstart_policy.observation import RECENT_EDGES
from headstart_training.loads.regular import Trace
from headstart_training.population import MINUTE, Population, recorded_world, seed_world

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


def test_recordings_are_not_to_be_told_apart_by_their_days() -> None:
    """A recording with a jump of ten times its level and a calm one: who has it is anyone's."""
    calm, jumpy = np.full(DAYS, 10.0), np.full(DAYS, 10.0)
    jumpy[700::1440] = 100.0
    sight = recorded_world(
        np.random.default_rng(0), [Trace(calm, MINUTE), Trace(jumpy, MINUTE)], *SIZE, Population()
    ).sight
    level = sight.recent[:, 0, len(RECENT_EDGES) - 1]
    jumped = sight.extremes[:, 0, 1] > level
    never = np.isclose(sight.seasonal[:, 0, 0], level[:, None], rtol=0.01).all(axis=1)
    assert 0.2 < jumped.mean() < 0.8
    assert abs(jumped[never].mean() - jumped[~never].mean()) < 0.25


def test_half_of_the_seeds_services_play_its_game_with_all_of_its_numbers() -> None:
    games = 0
    for seed in range(20):
        profiles = seed_world(np.random.default_rng(seed), 6, 4, Population()).profiles
        if (profiles.capacity_correlation == 1).all() and (profiles.seasons[:, 0] == 86400).all():
            games += 1
            np.testing.assert_allclose(profiles.request_value / profiles.replica_cost, 5.4)
            np.testing.assert_allclose(profiles.violation_cost / profiles.replica_cost, 4000)
            np.testing.assert_allclose(profiles.capacity_noise, 0.1)
            np.testing.assert_allclose(profiles.lead_time, 300)
    assert 4 <= games <= 16

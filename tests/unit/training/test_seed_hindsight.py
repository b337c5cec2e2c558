"""Hindsight on the seed's game: its price, its gradient, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart_training import seed_benchmark, seed_game, seed_path
from headstart_training.algorithms import seed_hindsight
from headstart_training.algorithms.seed_hindsight import Config, Learner
from headstart_training.loads import seed as seed_load
from headstart_training.seed_game import Rules
from headstart_training.settings import UNSEEN

QUICK = Config(games=32, minutes=1600, iterations=150, batch=16, stretch=200, averaging=0.03)
BILLED = Rules(bill_warming=True)


def test_dollars_are_the_games() -> None:
    """What the learner climbs is what the game pays in the mean, warming aside."""
    load = np.array([[0, 100, 3000, 4480, 4500, 9000]])
    for active in (1, 15, 16, 40):
        fleet = np.full(load.shape, active)
        expected = seed_game.expected_reward(Rules(), fleet, load)
        found = seed_hindsight.dollars(torch.tensor(fleet, dtype=torch.float32), load, Rules())
        np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)


def test_the_same_seed_learns_the_same_policy() -> None:
    """Bit for bit; another seed does not."""
    config = replace(QUICK, iterations=3)
    learners = [Learner(replace(config, seed=seed)) for seed in (1, 1, 2)]
    rewards = [[progress.reward for progress in learner.train()] for learner in learners]
    assert rewards[0] == rewards[1]
    assert rewards[0] != rewards[2]
    first, second = (learner.policy.network.state_dict() for learner in learners[:2])
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_in_seconds_what_the_reactive_formula_never_does() -> None:
    """On unseen loads, warming billed: nearer to the clairvoyant than the HPA at its best."""
    load = seed_load.generate(np.random.default_rng(UNSEEN), 20, 3000)
    first = np.full(20, 50.0)
    reactive = []
    for utilization in (0.5, 0.55, 0.6, 0.65):
        want = np.ceil(load / (utilization * 300.0))
        # It sees the minute before, and holds the most of five.
        past = np.pad(want, ((0, 0), (5, 0)), constant_values=50)[:, :-1]
        held = np.lib.stride_tricks.sliding_window_view(past, 5, axis=1).max(axis=2)
        made = seed_path.fleets(BILLED, held, held, first)
        reactive.append(seed_path.dollars(BILLED, made, load).mean())
    learner = Learner(QUICK, BILLED)
    heard: list[int] = []
    learner.train(lambda progress: heard.append(progress.iteration))
    assert heard == list(range(1, QUICK.iterations + 1))
    learned = seed_benchmark.measure(learner.policy, BILLED, 20, 3000, 0.0)
    assert learned.dollars_per_day > max(reactive) * 1440
    assert learned.share_of_clairvoyant == pytest.approx(0.97, abs=0.02)


def test_free_warming_invites_to_hoard() -> None:
    """From a level that orders always it earns more by holding dozens of machines in the queue."""
    config = replace(QUICK, iterations=60)
    hoarding = Learner(replace(config, warming_price=0.0, first_order=4.0))
    honest = Learner(config)
    warming = []
    for learner in (hoarding, honest):
        learner.train()
        learned = seed_benchmark.measure(learner.policy, Rules(), 5, 2000, 0.0)
        warming.append(learned.mean_warming)
    assert warming[0] > 10
    assert warming[1] < 1

"""Hindsight prices replicas as the simulator does, and learns from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart_policy import artifact
from headstart_policy.features import NAMES, REFERENCES
from headstart_policy.network import Network
from headstart_training import recipe, scenarios
from headstart_training.algorithms.hindsight import (
    BLIND,
    LEAST,
    MOST,
    Config,
    Learner,
    desired,
    dollars,
    ready,
    regret,
    to_batch,
)
from headstart_training.simulator import Simulator, World

SMALL = replace(scenarios.DEFAULT, lead_steps=(2, 8), season_leads=(12.0, 20.0))


def a_world(seed: int, services: int = 12, steps: int = 60) -> World:
    """Draw services whose steps come to their expectation."""
    return scenarios.draw(np.random.default_rng(seed), services, steps, SMALL, expected=True)


@pytest.mark.parametrize("seed", range(3))
def test_it_prices_replicas_as_the_simulator_does(seed: int) -> None:
    world = a_world(seed)
    random = np.random.default_rng(seed)
    demand = world.rates / world.profiles.capacity[:, None]
    asked = np.ceil(demand * random.uniform(0.8, 2.0, demand.shape)).astype(np.int64) + 1
    batch = to_batch(world)
    path = torch.tensor(asked, dtype=torch.float32)
    earned, missed = dollars(path, batch)
    simulator = Simulator(world)
    unit = world.profiles.replica_cost * world.profiles.interval
    for t in range(world.steps):
        step = simulator.step(asked[:, t])
        np.testing.assert_array_equal(ready(path, batch)[:, t].numpy(), step.ready)
        np.testing.assert_allclose(missed[:, t].numpy(), step.outcome.violation, atol=1e-4)
        scale = 1 + np.abs(step.outcome.dollars / unit)
        np.testing.assert_allclose(
            earned[:, t].numpy() / scale, step.outcome.dollars / unit / scale, atol=1e-3
        )


def test_the_gradient_says_which_way_to_go() -> None:
    """Far too few replicas: more would pay. Far too many: fewer would."""
    batch = to_batch(a_world(5))
    for ratio, sign in ((0.6, -1), (6.0, 1)):
        multiples = torch.full_like(batch.references[..., :1], float(np.log(ratio)))
        multiples.requires_grad_()
        loss = regret(dollars(desired(multiples, batch), batch)[0], batch)
        (gradient,) = torch.autograd.grad(loss, multiples)
        assert torch.sign(gradient.sum()).item() == sign


def test_asked_replicas_are_whole_and_above_the_floor() -> None:
    batch = to_batch(a_world(6))
    asked = desired(torch.zeros_like(batch.references), batch)
    assert torch.equal(asked, asked.round())
    assert (asked >= batch.floor).all()
    assert asked.min() >= 1


def test_it_learns_and_learns_the_same_again() -> None:
    worlds = [a_world(seed, services=24) for seed in range(6)]
    config = Config(iterations=150, width=16, averaging=0.05)
    learner = Learner(worlds, config)
    learner.train()
    layers = learner.layers()
    again = Learner(worlds, config)
    again.train()
    for (weight, bias), (other, same) in zip(layers, again.layers(), strict=True):
        np.testing.assert_array_equal(weight, other)
        np.testing.assert_array_equal(bias, same)
    unseen = to_batch(a_world(100, services=64))

    def loss(asked: torch.Tensor) -> float:
        return float(regret(dollars(asked, unseen)[0], unseen))

    weights, biases = zip(*layers, strict=True)
    network = Network(weights, biases, least=LEAST, most=MOST)
    replicas = network.replicas(
        unseen.features.flatten(0, 1).numpy(), unseen.references.flatten(0, 1).numpy()
    )
    learned = torch.tensor(np.ceil(replicas), dtype=torch.float32).reshape(unseen.load.shape)
    level = torch.zeros_like(unseen.references[..., :1])
    constants = [loss(desired(level + float(np.log(r)), unseen)) for r in (1.2, 1.5, 2, 3)]
    assert loss(torch.maximum(learned, unseen.floor)) < min(constants)


def test_it_is_blind_to_the_fleet() -> None:
    learner = Learner([a_world(1)], Config(iterations=3))
    learner.train()
    assert not learner.layers()[0][0][BLIND].any()
    assert {NAMES[k] for k in BLIND} == {"ready", "asked", *(f"warming[{k}]" for k in range(4))}


def test_members_learn_apart_and_serve_as_their_mean() -> None:
    worlds = [a_world(seed) for seed in range(3)]
    learner = Learner(worlds, Config(iterations=8, width=8, members=3))
    learner.train()
    weights, _ = zip(*learner.layers(), strict=True)
    assert [weight.shape[1] for weight in weights] == [24, 24, len(REFERENCES)]
    blocks = weights[1].reshape(3, 8, 3, 8)
    for one in range(3):
        assert blocks[one, :, one].any(), "looks at its own"
        for other in {0, 1, 2} - {one}:
            assert not blocks[one, :, other].any(), "and at nobody else's"
            assert (blocks[one, :, one] != blocks[other, :, other]).any()


def test_the_artefact_states_the_recipes_envelope() -> None:
    network, history = recipe.learn([a_world(1)], Config(iterations=2, width=8))
    policy = artifact.parse(recipe.to_artifact(network, Config()))
    assert policy.envelope == recipe.POPULATION.envelope()
    assert len(history) == 2

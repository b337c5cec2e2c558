"""Served paths are what the guarded policy decides step by step."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_policy.artifact import builtin
from headstart_policy.guardrails import Guardrails
from headstart_training.contest import Headstart, play
from headstart_training.scenarios import draw
from headstart_training.served import network

GUARDRAILS = Guardrails(max_replicas=10_000)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_path_is_what_is_played_step_by_step(seed: int) -> None:
    world = draw(np.random.default_rng(seed), 16, 60, expected=True)
    played = play(world, Headstart(builtin(), GUARDRAILS)).desired
    np.testing.assert_array_equal(network(world, builtin(), GUARDRAILS), played)


def test_a_lost_rate_holds() -> None:
    world = draw(np.random.default_rng(3), 16, 60, expected=True)
    world.sight.age[:, 20:40] = np.inf
    world.sight.newest[:, 20:40] = world.sight.newest[:, 19:20]
    played = play(world, Headstart(builtin(), GUARDRAILS)).desired
    path = network(world, builtin(), GUARDRAILS)
    np.testing.assert_array_equal(path, played)
    assert (path[:, 20:40] == path[:, 19:20]).all()

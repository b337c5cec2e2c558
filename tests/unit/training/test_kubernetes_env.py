"""The Kubernetes game: gymnasium's contract, the operator's way of an action, and its scenarios."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from headstart_policy import envelope
from headstart_policy.decision import recommend
from headstart_policy.features import NAMES, features
from headstart_policy.network import Network
from headstart_policy.reactive import reactive
from headstart_policy.windows import load_of
from headstart_training import scenarios
from headstart_training.environments.kubernetes import (
    LEAST_RATIO,
    MOST_RATIO,
    KubernetesEnv,
    KubernetesVectorEnv,
)
from tests.unit.policy.build import a_policy

SMALL = {"season_leads": (12.0, 40.0), "lead_steps": (2, 6)}


# A log ratio is what is served; its bounds are not symmetric.
@pytest.mark.filterwarnings("ignore:.*recommend using a symmetric and normalized space")
def test_the_scalar_environment_keeps_gymnasiums_contract() -> None:
    check_env(gymnasium.make("headstart/Kubernetes-v0", steps=6).unwrapped, skip_render_check=True)


def test_the_vector_environment_is_registered() -> None:
    envs = gymnasium.make_vec("headstart/Kubernetes-v0", num_envs=3, steps=4)
    assert isinstance(envs, KubernetesVectorEnv)
    observation, info = envs.reset(seed=0)
    assert envs.observation_space.contains(observation)
    assert observation.shape == (3, len(NAMES))
    assert info["demand"].shape == (3,)


def _play(env: Any, seed: int, ratio: float, steps: int) -> list[Any]:
    action = np.full(env.action_space.shape, math.log(ratio), dtype=np.float32)
    observation, _ = env.reset(seed=seed)
    record = [observation.tolist()]
    for _ in range(steps):
        observation, reward, _, truncated, info = env.step(action)
        record += [observation.tolist(), np.asarray(reward).tolist(), truncated, info["dollars"]]
    return record


def test_equal_seeds_play_equal_games() -> None:
    env = KubernetesEnv(5, ranges=SMALL)
    first, again, other = (_play(env, seed, 1.3, 5) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_vector_of_one_plays_as_the_scalar_environment_does() -> None:
    scalar, vector = KubernetesEnv(5, ranges=SMALL), KubernetesVectorEnv(1, steps=5, ranges=SMALL)
    single, batch = _play(scalar, 7, 1.3, 5), _play(vector, 7, 1.3, 5)
    assert [np.asarray(one).tolist() for one in single] == [
        np.asarray(many)[0].tolist() for many in batch
    ]


def test_an_episode_is_truncated_and_the_next_step_begins_another() -> None:
    envs = KubernetesVectorEnv(2, steps=2, ranges=SMALL)
    envs.reset(seed=0)
    action = np.zeros((2, 1), dtype=np.float32)
    steps = [envs.step(action) for _ in range(3)]
    assert [truncated.tolist() for _, _, _, truncated, _ in steps] == [
        [False] * 2,
        [True] * 2,
        [False] * 2,
    ]
    assert not any(terminated.any() for _, _, terminated, _, _ in steps)
    assert steps[2][1].tolist() == [0.0, 0.0]


def test_an_action_becomes_replicas_as_the_operator_makes_them() -> None:
    """What is played for a ratio is what ``recommend`` asks for when the network says it."""
    envs = KubernetesVectorEnv(64, steps=3, ranges=SMALL, floor=None)
    envs.reset(seed=3)
    observation = envs._games.simulator.observe()
    constant = Network(
        (np.zeros((len(NAMES), 1)),), (np.array([math.log(1.337)]),), LEAST_RATIO, MOST_RATIO
    )
    policy = replace(a_policy(), network=constant)
    asked = recommend(policy, observation).replicas
    known = np.isfinite(load_of(observation).demand)
    envs.step(np.full((64, 1), math.log(1.337)))
    current = envs._games.simulator.fleet.current
    assert known.sum() > 50
    np.testing.assert_array_equal(current[known], np.maximum(asked, 1)[known])


def test_the_reactive_floor_holds_in_training_as_it_is_served() -> None:
    envs = KubernetesVectorEnv(32, steps=3, ranges=SMALL)
    envs.reset(seed=3)
    world = envs._games.simulator.world
    envs.step(np.full((32, 1), math.log(LEAST_RATIO)))
    floor = reactive(world.sight.newest[:, 0], world.profiles.capacity, 0.9)
    assert np.all(envs._games.simulator.fleet.current >= floor)
    assert np.any(floor > 1)


def test_siblings_share_a_load_and_their_rewards_the_mean_of_all() -> None:
    envs = KubernetesVectorEnv(12, siblings=3, steps=3, ranges=SMALL, expected_reward=True)
    plain = KubernetesVectorEnv(12, siblings=3, steps=3, ranges=SMALL, expected_reward=True)
    plain._games.siblings, first = 3, envs.reset(seed=1)[0]
    plain.reset(seed=1)
    plain._games.siblings = 1
    np.testing.assert_array_equal(first[0], first[2])
    action = np.linspace(0.0, 1.0, 12, dtype=np.float32)[:, None]
    shifted, alone = envs.step(action)[1], plain.step(action)[1]
    np.testing.assert_allclose(shifted.reshape(4, 3).mean(axis=1), alone.mean())
    # Within a family nothing but the level changes.
    np.testing.assert_allclose(
        np.diff(shifted.reshape(4, 3), axis=1), np.diff(alone.reshape(4, 3), axis=1), atol=1e-9
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 0}, "num_envs must be a multiple of siblings"),
        ({"num_envs": 3, "siblings": 2}, "num_envs must be a multiple of siblings"),
        ({"steps": 0}, "steps must be at least 1, is 0"),
    ],
)
def test_senseless_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KubernetesVectorEnv(**arguments)


def test_actions_that_are_no_numbers_are_refused() -> None:
    env = KubernetesEnv(2, ranges=SMALL)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="actions must be finite, are nan"):
        env.step(np.array([np.nan], dtype=np.float32))


def test_nearly_all_that_is_drawn_lies_in_the_envelope() -> None:
    """The envelope is what training saw: who leaves it live, training hardly met."""
    ranges = scenarios.DEFAULT
    world = scenarios.draw(np.random.default_rng(0), 256, 24, expected=True)
    outside, seen = 0, 0
    for t in range(0, 24, 4):
        none = np.zeros(256, dtype=np.int64)
        observation = world.sight.observation(
            t, world.profiles, none, np.zeros((256, 4), dtype=np.int64), none
        )
        reasons = envelope.leaves(ranges.envelope(), observation)
        outside += sum(reason is not None for reason in reasons)
        seen += len(reasons)
        assert np.isfinite(features(observation)).all()
    assert outside / seen < 0.01


def test_histories_are_whole_partial_and_missing() -> None:
    world = scenarios.draw(np.random.default_rng(1), 256, 2, expected=True)
    known = np.isfinite(world.sight.seasonal[:, 0]).all(axis=2).mean(axis=0)
    assert 0.6 < known[0] < 0.95
    assert 0.6 < known[1] < 0.95
    assert 0.02 < known[2] < 0.5
    assert np.isfinite(world.sight.recent[:, 0, 0]).all()

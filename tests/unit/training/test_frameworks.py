"""Both games keep their contract as vectors and train as they are with what people use.

Each run is real and short. A framework that is not installed is skipped, with its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest

import headstart_training.environments  # noqa: F401  # Registers the games.

if TYPE_CHECKING:
    from collections.abc import Iterator

GAMES = ("headstart/SeedGame-v0", "headstart/Kubernetes-v0")


@pytest.mark.parametrize("game", GAMES)
def test_a_vector_keeps_gymnasiums_contract(game: str) -> None:
    """Gymnasium has no check for vectors: spaces, shapes, types, seeds, and what is random."""
    envs = gymnasium.make_vec(game, num_envs=3)
    one, other = (envs.reset(seed=seed)[0] for seed in (4, 5))
    again, info = envs.reset(seed=4)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any() or game == GAMES[0]  # That game's first sight is no news.
    assert envs.observation_space.contains(again)
    assert all(f"_{key}" in info for key in info if not key.startswith("_"))
    envs.action_space.seed(0)
    for _ in range(5):
        action = envs.action_space.sample()
        kept = action.copy()
        observation, reward, terminated, truncated, _ = envs.step(action)
        np.testing.assert_array_equal(action, kept)
        assert envs.observation_space.contains(observation)
        assert reward.shape == terminated.shape == truncated.shape == (3,)
        assert np.isfinite(reward).all()
        assert terminated.dtype == truncated.dtype == np.bool_
    envs.close()


@pytest.mark.parametrize("game", GAMES)
def test_stable_baselines_trains_it(game: str) -> None:
    """PPO with its own defaults but for the length, on the scalar environment."""
    baselines = pytest.importorskip("stable_baselines3", reason="stable-baselines3 is missing")
    model = baselines.PPO(
        "MlpPolicy", gymnasium.make(game), n_steps=128, n_epochs=2, seed=0, device="cpu"
    )
    before = [parameter.detach().clone() for parameter in model.policy.parameters()]
    model.learn(256)
    assert model.num_timesteps == 256
    pairs = zip(before, model.policy.parameters(), strict=True)
    assert any((old != new).any() for old, new in pairs)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray of this process alone."""
    ray = pytest.importorskip("ray", reason="ray is missing")
    pytest.importorskip("ray.rllib", reason="ray[rllib] is missing")
    ray.init(
        num_cpus=1, include_dashboard=False, log_to_driver=False, object_store_memory=80 * 2**20
    )
    yield ray
    ray.shutdown()


# What Ray and RLlib do to themselves: their own deprecations, and sockets that they leave to the
# garbage collector.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("game", GAMES)
def test_rllib_trains_it(game: str) -> None:
    """PPO on the new API stack, without a process of its own for the environment."""
    rllib: Any = pytest.importorskip("ray.rllib.algorithms.ppo", reason="ray[rllib] is missing")
    config = (
        rllib.PPOConfig()
        .environment(game)
        .env_runners(num_env_runners=0)
        .learners(num_learners=0)
        .training(train_batch_size=256, minibatch_size=128, num_epochs=2)
    )
    algorithm = config.build_algo()
    result = algorithm.train()
    algorithm.stop()
    assert result["env_runners"]["num_env_steps_sampled_lifetime"] >= 256
    assert np.isfinite(result["learners"]["default_policy"]["total_loss"])

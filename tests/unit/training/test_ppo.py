"""The learner, on games small enough to know the answer."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from hypothesis import given
from hypothesis import strategies as st

from headstart_training import runs
from headstart_training.algorithms.ppo import (
    PPO,
    Policy,
    PPOConfig,
    RunningNorm,
    advantages,
    load_policy,
    read_checkpoint,
)
from headstart_training.baselines import Contender  # noqa: TC001  # Imports here are plain.
from headstart_training.baselines.simple import DoNothing, RandomIntegers
from headstart_training.evaluation import compare, play

LENGTH = 5
Array = npt.NDArray[Any]


class Aim(VectorEnv[Array, Array, Array]):
    """Observe (time, target) and act the target; reward 1 less the distance. Truncated after 5."""

    def __init__(
        self,
        num_envs: int,
        mode: AutoresetMode = AutoresetMode.NEXT_STEP,
        *,
        terminates: bool = False,
    ) -> None:
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": mode}
        self.single_observation_space = Box(-10, 10, (2,))
        self.single_action_space = Box(-1, 3, (1,))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.terminates = terminates

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Array, Any]:
        """Begin at different times, so that the games end one by one."""
        super().reset(seed=seed, options=options)
        self.time = np.arange(self.num_envs) % LENGTH
        self.target = self.np_random.uniform(-1, 3, self.num_envs)
        return self.see(), {}

    def see(self) -> Array:
        """Observe time and target."""
        return np.stack([self.time, self.target], axis=1).astype(np.float32)

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Move on a minute, or begin anew."""
        assert actions.min() >= -1
        assert actions.max() <= 3
        reward = 1 - np.abs(actions[:, 0] - self.target)
        info: dict[str, Any] = {}
        same_step = self.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
        restart = np.zeros_like(self.time, dtype=np.bool_) if same_step else self.time == LENGTH
        self.time = np.where(restart, 0, self.time + 1)
        reward = np.where(restart, 0, reward)
        self.target = self.np_random.uniform(-1, 3, self.num_envs)
        done = self.time == LENGTH
        observation = self.see()
        if same_step and done.any():
            final = np.full(self.num_envs, None, dtype=object)
            for index in np.flatnonzero(done):
                final[index] = observation[index]
            info["final_obs"] = final
            self.time = np.where(done, 0, self.time)
            observation = self.see()
        over = np.zeros_like(done)
        ends = (done, over) if self.terminates else (over, done)
        return observation, reward, *ends, info


TWO_ACTIONS = Box(np.array([0, -5], np.float32), np.array([1, 5], np.float32))
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]
QUICK = PPOConfig(iterations=3, rollout_steps=12, minibatches=2, epochs=2, hidden=(8,))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    """Networks of eight neurons: a second thread would only wait for the first."""
    torch.set_num_threads(1)


# ------------------------------------------------------------------------------------- experience
@pytest.mark.parametrize("mode", MODES)
def test_what_follows_is_always_of_the_same_game(mode: AutoresetMode) -> None:
    """In both autoreset modes the next observation is one minute later, also at the end."""
    learner = PPO(Aim(10, mode), QUICK)
    learner._restart()
    rollout = learner._collect()
    time, following = rollout.observation[..., 0], rollout.next_observation[..., 0]
    assert torch.equal(following[rollout.valid], time[rollout.valid] + 1)
    assert (rollout.done.bool() == (following == LENGTH))[rollout.valid].all()
    restarts = int((~rollout.valid).sum())
    assert restarts == (0 if mode == AutoresetMode.SAME_STEP else int((time == LENGTH).sum()))
    assert rollout.done.sum() > 0


numbers = st.floats(-10, 10)


@given(data=st.data(), gamma=st.floats(0, 1), gae_lambda=st.floats(0, 1))
def test_advantages_are_the_sums_they_stand_for(
    data: st.DataObject, gamma: float, gae_lambda: float
) -> None:
    """Against the definition: discounted temporal differences up to the end of the game."""
    steps = data.draw(st.integers(1, 8))

    def column(values: st.SearchStrategy[Any]) -> list[float]:
        return [float(x) for x in data.draw(st.lists(values, min_size=steps, max_size=steps))]

    reward, value, following = column(numbers), column(numbers), column(numbers)
    terminated, truncated = column(st.booleans()), column(st.booleans())
    done = [max(a, b) for a, b in zip(terminated, truncated, strict=True)]
    expected = []
    for start in range(steps):
        total, weight = 0.0, 1.0
        for t in range(start, steps):
            ahead = 0.0 if terminated[t] else gamma * following[t]
            total += weight * (reward[t] + ahead - value[t])
            weight *= gamma * gae_lambda
            if done[t]:
                break
        expected.append(total)

    def tensor(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64)[:, None]

    actual = advantages(
        *(tensor(x) for x in (reward, value, following, terminated, done)),
        gamma=gamma,
        gae_lambda=gae_lambda,
    )
    np.testing.assert_allclose(actual[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_time_limit_is_not_the_end_of_the_game(mode: AutoresetMode) -> None:
    """Cut off, the last minute is worth as much as the first; terminated, far less."""
    config = PPOConfig(
        iterations=30, rollout_steps=20, gamma=0.9, learning_rate=5e-3, hidden=(16,), minibatches=4
    )
    last_over_first = []
    for terminates in (False, True):
        learner = PPO(Aim(40, mode, terminates=terminates), config)
        learner.train()
        seen = torch.tensor([[LENGTH - 1.0, 1.0], [0.0, 1.0]])
        with torch.no_grad():
            last, first = learner.critic(learner.policy.norm(seen))[:, 0].tolist()
        last_over_first.append(last / first)
    assert last_over_first[0] > 0.8
    assert last_over_first[1] < 0.6


# ------------------------------------------------------------------------------------------ policy
def test_learns_to_aim() -> None:
    """Within a fifth of a unit after some seconds; a policy that looks away is 1 off."""
    config = PPOConfig(
        iterations=60, rollout_steps=16, gamma=0.5, learning_rate=5e-3, hidden=(16,), minibatches=4
    )
    learner = PPO(Aim(128), config)
    learner.train()
    seen = np.array([[2.0, target] for target in np.linspace(-0.9, 2.9, 20)])
    assert np.abs(learner.policy.act(seen)[:, 0] - seen[:, 1]).mean() < 0.2


@given(seed=st.integers(0, 1000), widths=st.lists(st.integers(1, 20), min_size=1, max_size=3))
def test_numpy_layers_are_the_greedy_policy(seed: int, widths: list[int]) -> None:
    """The normalisation and the action's units are folded in exactly."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        policy = Policy(Box(-1, 1, (4,)), TWO_ACTIONS, tuple(widths))
        seen = rng.normal([0, 5, -100, 1e-3], [1, 0.1, 30, 1e-3], (50, 4))
        policy.norm.update(torch.as_tensor(seen))
        torch.nn.init.normal_(policy.network[-1].weight)  # type: ignore[arg-type]
    x = seen
    *hidden, (weight, bias) = policy.layers()
    for inner_weight, inner_bias in hidden:
        x = np.maximum(x @ inner_weight + inner_bias, 0)
    x = np.clip(x @ weight + bias, [0, -5], [1, 5])
    np.testing.assert_allclose(policy.act(seen), x, atol=2e-3)


def test_norm_is_that_of_all_vectors_seen() -> None:
    """In whatever batches they came."""
    x = np.random.default_rng(0).normal([3, -40], [0.1, 9], (500, 2))
    norm = RunningNorm(2)
    for batch in np.split(x, [7, 8, 300]):
        norm.update(torch.as_tensor(batch))
    np.testing.assert_allclose(norm.mean, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(norm.variance, x.var(axis=0), rtol=1e-4)


def test_untrained_policy_does_what_it_is_told_to() -> None:
    """The initial action is where it starts, whatever it sees."""
    config = replace(QUICK, initial_action=(2.5,), initial_spread=0.1)
    policy = PPO(Aim(2), config).policy
    actions = policy.act(np.random.default_rng(0).normal(size=(20, 2)))
    assert actions == pytest.approx(np.full((20, 1), 2.5), abs=0.2)


# ------------------------------------------------------------------------- seeds and checkpoints
def weights(learner: PPO) -> list[npt.NDArray[np.float32]]:
    """All numbers of the greedy policy."""
    return [array for layer in learner.policy.layers() for array in layer]


def test_same_seed_trains_the_same_policy() -> None:
    """Bit for bit, whatever torch drew before; another seed does not."""
    learners = [PPO(Aim(6), replace(QUICK, seed=seed)) for seed in (1, 1, 2)]
    for learner in learners:
        torch.rand(3)
        learner.train()
    first, second, other = map(weights, learners)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_resumed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """Weights, optimiser, statistics, random state and history are those that were saved."""
    path = tmp_path / "checkpoint.pt"
    stopped = PPO(Aim(6), QUICK)
    stopped._restart()
    stopped._iterate(lambda: 7.0)
    stopped.save(path)
    resumed = PPO(Aim(6), QUICK)
    resumed.load(path)
    for a, b in zip(weights(stopped), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    for learner in (stopped, resumed):
        learner.train()
        assert [progress.iteration for progress in learner.history] == [1, 2, 3]
        assert learner.history[-1].seconds > 7.0
    # Both restart their games from the same seed, so all that could differ is what was saved.
    assert [replace(p, seconds=0) for p in stopped.history] == [
        replace(p, seconds=0) for p in resumed.history
    ]
    for a, b in zip(weights(stopped), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_saved_policy_acts_as_the_trained_one(tmp_path: Path) -> None:
    """Read back without the learner."""
    learner = PPO(Aim(6), QUICK)
    learner.train()
    learner.save(tmp_path / "c.pt")
    seen = np.random.default_rng(0).normal(size=(9, 2))
    policy = load_policy(tmp_path / "c.pt", Aim(1))
    np.testing.assert_array_equal(policy.act(seen), learner.policy.act(seen))


def test_checkpoint_of_another_shape_or_version_is_refused(tmp_path: Path) -> None:
    """Not half loaded."""
    path = tmp_path / "c.pt"
    PPO(Aim(6), QUICK).save(path)
    with pytest.raises(ValueError, match="does not fit this environment"):
        PPO(Aim(6), replace(QUICK, hidden=(9,))).load(path)
    other = gymnasium.make_vec("headstart/SeedGame-v0", num_envs=1)
    with pytest.raises(ValueError, match="does not fit this environment"):
        load_policy(path, other)
    torch.save({**read_checkpoint(path), "version": 99}, path)
    with pytest.raises(ValueError, match="must be 1, is 99"):
        load_policy(path, Aim(1))


# -------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"gamma": 1.5}, r"gamma must be in \[0, 1\], is 1.5"),
        ({"iterations": 0}, r"iterations must be in \[1, inf\], is 0"),
        ({"clip": math.nan}, r"clip must be in \[1e-06, 1\], is nan"),
        ({"hidden": ()}, r"hidden must be widths of at least 1, is \(\)"),
        ({"hidden": (0,)}, r"hidden must be widths of at least 1, is \(0,\)"),
    ],
)
def test_bad_settings_are_refused(bad: dict[str, Any], message: str) -> None:
    """With the key, the bound and the value."""
    with pytest.raises(ValueError, match=message):
        PPOConfig(**bad)


def test_environments_that_do_not_fit_are_refused() -> None:
    """Before any training."""
    envs = Aim(2)
    envs.single_action_space = Discrete(3)
    with pytest.raises(ValueError, match="the action space must be a flat Box, is Discrete"):
        PPO(envs, QUICK)
    envs.single_action_space = Box(0, np.inf, (1,))
    with pytest.raises(ValueError, match="the action space must be bounded"):
        PPO(envs, QUICK)
    with pytest.raises(ValueError, match="autoreset_mode must be NEXT_STEP or SAME_STEP"):
        PPO(Aim(2, AutoresetMode.DISABLED), QUICK)
    with pytest.raises(ValueError, match="initial_action must have 1 numbers"):
        PPO(Aim(2), replace(QUICK, initial_action=(1.0, 2.0)))


# ----------------------------------------------------------------------------------- the real game
def test_short_training_beats_doing_nothing_on_the_seeds_game() -> None:
    """The command's settings but a seventh of its length; paired on 300 unseen games.

    The full length, at least as good as HPA 60 % stabilised, is what `headstart train` shows.
    """
    learner = runs.make_learner("seed-game", iterations=30, num_envs=256)
    learner.train()
    contenders: dict[str, Contender] = {
        "ppo": runs.Greedy(learner.policy, "seed-game"),
        "nothing": DoNothing(),
        "random": RandomIntegers(),
    }
    results = {
        name: play("headstart/SeedGame-v0", contender, games=300, seed=10**9)
        for name, contender in contenders.items()
    }
    rows = {row.name: row for row in compare(results, "ppo")}
    assert rows["nothing"].difference_low > 100
    assert rows["random"].difference_low > 10_000

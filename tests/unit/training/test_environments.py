"""The seed's game as gymnasium environments."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv

from headstart_training import environments

ENVIRONMENT = "headstart/SeedGame-v0"
CONFIG_DEFAULTS: dict[str, Any] = {
    "warmup_latency": 5,
    "tpm_per_machine": 300,
    "tpm_sigma": 30,
    "machine_cost": 0.05,
    "transaction_val": 0.90,
    "downtime_cost": 200,
    "downtime_percent": 99.5,
    "initial_machines": 50,
    "max_time_steps": 20,
}
Trace = list[tuple[npt.NDArray[Any], ...]]


def vector(num_envs: int, **arguments: Any) -> VectorEnv[Any, Any, Any]:
    """Vector environment as a user makes it."""
    return gymnasium.make_vec(ENVIRONMENT, num_envs=num_envs, **arguments)


def actions(steps: int, games: int) -> npt.NDArray[np.float32]:
    """Some actions, the same each time."""
    return np.random.default_rng(3).uniform(0, 10, (steps, games, 2)).astype(np.float32)


def trace_of(envs: VectorEnv[Any, Any, Any], seed: int, steps: int) -> Trace:
    """Play some actions and keep all that comes back."""
    observation, _ = envs.reset(seed=seed)
    trace: Trace = [(observation,)]
    for action in actions(steps, envs.num_envs):
        *back, info = envs.step(action)
        trace.append((*back, info["load"], info["warming_machines"]))
    return trace


def assert_equal(first: Trace, second: Trace) -> None:
    """Bit for bit."""
    for one, other in zip(first, second, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_scalar_environment_passes_gymnasiums_check() -> None:
    """Spaces, types, seeding and reset as gymnasium wants them; bounds of 10 are the game's own."""
    with pytest.warns(UserWarning, match="recommend using a symmetric and normalized space"):
        check_env(gymnasium.make(ENVIRONMENT).unwrapped, skip_render_check=True)


def test_every_key_of_the_original_is_an_argument() -> None:
    """In both environments."""
    assert gymnasium.make(ENVIRONMENT, **CONFIG_DEFAULTS).unwrapped is not None
    envs = vector(2, **CONFIG_DEFAULTS, bill_warming=True, load={"period": 60.0})
    assert envs.single_observation_space.shape == (25,)


def test_latency_makes_the_queue_longer() -> None:
    """The observation has a number for each minute of it."""
    assert vector(2, warmup_latency=9).single_observation_space.shape == (29,)


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_unknown_arguments_are_refused(make: Any) -> None:
    """A misspelt key must not be ignored, as the original did."""
    with pytest.raises(TypeError, match="machines_cost"):
        make(ENVIRONMENT, machines_cost=1)


def test_same_seed_plays_the_same_game() -> None:
    """Through several games, with a staggered start; another seed plays another."""
    first, second, other = (
        trace_of(vector(5, max_time_steps=30, stagger=True), seed, 80) for seed in (1, 1, 2)
    )
    assert_equal(first, second)
    with pytest.raises(AssertionError):
        assert_equal(first, other)


def test_vector_of_one_plays_as_the_scalar_environment() -> None:
    """One kernel, two wrappings: they cannot drift apart unnoticed."""
    env = gymnasium.make(ENVIRONMENT, max_time_steps=30)
    observation, _ = env.reset(seed=5)
    scalar: Trace = [(observation[None],)]
    for action in actions(31, 1)[:, 0]:
        observation, reward, terminated, truncated, info = env.step(action)
        kept = (reward, terminated, truncated, info["load"], info["warming_machines"])
        scalar.append((observation[None], *(np.array([value]) for value in kept)))
    assert_equal(scalar, trace_of(vector(1, max_time_steps=30), 5, 31))


def test_time_limit_truncates_and_never_terminates() -> None:
    """With max_time_steps at 1000, step 1,001 is the last: t > max_time_steps."""
    envs = vector(2)
    envs.reset(seed=0)
    ends = []
    for _ in range(1001):
        _, _, terminated, truncated, _ = envs.step(np.zeros((2, 2), np.float32))
        assert not terminated.any()
        ends.append(truncated.tolist())
    assert ends == [[False, False]] * 1000 + [[True, True]]


def test_ended_games_start_anew_in_the_next_step() -> None:
    """As the metadata declares; the restarting step pays nothing and its action is lost."""
    envs = vector(3, max_time_steps=4)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    first, _ = envs.reset(seed=0)
    for _ in range(5):
        _, _, _, truncated, _ = envs.step(np.full((3, 2), 10, np.float32))
    assert truncated.all()
    observation, reward, _, truncated, info = envs.step(np.full((3, 2), 10, np.float32))
    np.testing.assert_array_equal(observation, first)
    assert (reward == 0).all()
    assert not truncated.any()
    assert (info["active_machines"] == 50).all()
    assert (info["warming_machines"] == 0).all()
    assert (info["load"] == 0).all()


def test_only_ended_games_start_anew() -> None:
    """With a staggered start they end one by one."""
    envs = vector(50, max_time_steps=60, stagger=True)
    envs.reset(seed=0)
    ended = np.zeros(50, dtype=np.bool_)
    ends = 0
    for _ in range(61):
        _, reward, _, truncated, info = envs.step(np.zeros((50, 2), np.float32))
        np.testing.assert_array_equal(reward == 0, ended)
        np.testing.assert_array_equal(info["load"] == 0, ended)
        ended = truncated
        ends += int(truncated.any())
    assert ends > 20


def test_scattered_games_go_on_with_the_same_load_and_another_fleet() -> None:
    """A truncation for the learner; for the load it never happened."""
    plain, scattered = (
        vector(40, max_time_steps=30),
        vector(40, max_time_steps=30, scatter_every=10),
    )
    nothing = np.zeros((40, 2), np.float32)
    plain.reset(seed=2)
    expected = [plain.step(nothing)[4]["load"] for _ in range(31)]
    _, info = scattered.reset(seed=2)
    fleets, loads = [info["active_machines"]], []
    for step in range(33):
        observation, reward, terminated, truncated, info = scattered.step(nothing)
        assert not terminated.any()
        assert truncated.tolist() == [step in {9, 20, 31}] * 40
        if step in {10, 21, 32}:
            assert (reward == 0).all()
            assert (info["load"] == 0).all()
            fleets.append(info["active_machines"])
            np.testing.assert_allclose(observation[:, 3] * 833, fleets[-1], rtol=1e-6)
        else:
            loads.append(info["load"])
    np.testing.assert_array_equal(loads, expected[:30])
    for fleet in fleets:
        assert (fleet.min(), fleet.max()) == (pytest.approx(2, abs=4), pytest.approx(48, abs=4))
    with pytest.raises(ValueError, match="scatter_every must be at least 1 minute, is 0"):
        vector(2, scatter_every=0)


def test_a_least_reward_is_paid_for_the_worst_minutes() -> None:
    """And all others are paid as they are."""
    rewards = []
    for least in (-np.inf, -20.0):
        envs = vector(30, initial_machines=12, least_reward=least)
        envs.reset(seed=1)
        nothing = np.zeros((30, 2), np.float32)
        rewards.append(np.stack([envs.step(nothing)[1] for _ in range(50)]))
    assert rewards[0].min() < -190
    np.testing.assert_array_equal(rewards[1], np.maximum(rewards[0], -20.0))


def test_scalar_game_refuses_steps_past_its_end() -> None:
    """The caller forgot to reset."""
    env = gymnasium.make(ENVIRONMENT, max_time_steps=0).unwrapped
    env.reset(seed=0)
    env.step(np.zeros(2, np.float32))
    with pytest.raises(RuntimeError, match="the game is over after 1 steps"):
        env.step(np.zeros(2, np.float32))


def test_a_vector_of_none_is_refused() -> None:
    """With the key, the bound and the value."""
    with pytest.raises(ValueError, match="num_envs must be at least 1, is 0"):
        vector(0)


def test_registering_twice_is_harmless() -> None:
    """Gymnasium would warn, which the tests turn into an error."""
    environments.register()
    environments.register()
    assert ENVIRONMENT in gymnasium.registry

"""A short tour of the seed's game: three pictures, from the load to a trained policy."""

from pathlib import Path

import gymnasium
import numpy as np
from matplotlib.figure import Figure

from headstart_training import plots, runs
from headstart_training.algorithms.ppo import PPO
from headstart_training.baselines import Contender
from headstart_training.baselines.seed_hpa import SeedHPA
from headstart_training.baselines.simple import DoNothing, RandomIntegers
from headstart_training.evaluation import play
from headstart_training.games import GAMES
from headstart_training.loads import seed as seed_load
from headstart_training.seed_game import Rules

GAME = "seed-game"
EPISODES = 3
MINUTES = 3 * 24 * 60
REFERENCE_GAMES = 1000
UNSEEN = 1_000_000_000


def draw_loads(folder: Path, seed: int) -> Path:
    """Three days of load, three times."""
    loads = seed_load.generate(np.random.default_rng(seed), EPISODES, MINUTES)
    return _save(plots.days_of_load(loads), folder / "1-load.png")


def draw_training(folder: Path, learner: PPO) -> Path:
    """Reward per iteration, beside what simpler players earn."""
    environment, steps = GAMES[GAME].environment, GAMES[GAME].steps
    others: dict[str, Contender] = {
        "HPA 60 %, stabilised": SeedHPA(0.6, window=5),
        "do nothing": DoNothing(),
    }
    levels = {
        name: float(play(environment, other, games=REFERENCE_GAMES, seed=UNSEEN)["return"].mean())
        for name, other in others.items()
    }
    returns = [progress.reward * steps for progress in learner.history]
    return _save(plots.reward_per_iteration(returns, levels), folder / "2-reward.png")


def draw_games(folder: Path, learner: PPO, seed: int) -> Path:
    """One unseen game, at random and by the trained policy."""
    players: dict[str, Contender] = {
        "random": RandomIntegers(),
        "trained by PPO": runs.Greedy(learner.policy, GAME),
    }
    games = {name: watch(player, seed) for name, player in players.items()}
    figure = plots.side_by_side(games, Rules().tpm_per_machine)
    return _save(figure, folder / "3-random-and-trained.png")


def watch(player: Contender, seed: int) -> dict[str, plots.Numbers]:
    """Play one game and keep every step: load, machines and reward, each of shape (T,)."""
    envs = gymnasium.make_vec(GAMES[GAME].environment, num_envs=1)
    observation, info = envs.reset(seed=seed)
    player.start(1)
    keys = ("load", "active_machines", "warming_machines")
    kept: dict[str, list[float]] = {key: [] for key in (*keys, "reward")}
    truncated = np.zeros(1, dtype=np.bool_)
    while not truncated[0]:
        action = player.act(observation, info)
        observation, reward, _, truncated, info = envs.step(action)
        kept["reward"].append(float(reward[0]))
        for key in keys:
            kept[key].append(float(info[key][0]))
    return {key: np.array(values) for key, values in kept.items()}


def _save(figure: Figure, path: Path) -> Path:
    plots.save(figure, path)
    return path

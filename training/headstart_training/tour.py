"""A short tour of the seed's game: three pictures, from the load to a trained policy."""

from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
from matplotlib.figure import Figure

from headstart_training import plots, runs
from headstart_training.algorithms.ppo import PPO, Progress
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
GREEDY_GAMES = 300
GREEDY_EVERY = 20  # iterations
UNSEEN = 1_000_000_000


def draw_loads(folder: Path, seed: int) -> Path:
    """Three days of load, three times."""
    loads = seed_load.generate(np.random.default_rng(seed), EPISODES, MINUTES)
    return _save(plots.days_of_load(loads), folder / "1-load.png")


def train(learner: PPO, show: Callable[[Progress], None]) -> dict[int, float]:
    """Train, and play greedily now and then: mean return on unseen games, by the iteration."""
    greedy: dict[int, float] = {}

    def after_iteration(progress: Progress) -> None:
        if progress.iteration % GREEDY_EVERY == 0 or progress.iteration == progress.iterations:
            greedy[progress.iteration] = _mean_return(runs.Greedy(learner.policy, GAME))
        show(progress)

    learner.train(after_iteration)
    return greedy


def draw_training(folder: Path, learner: PPO, greedy: dict[int, float]) -> Path:
    """Reward per iteration, beside what simpler players earn."""
    others: dict[str, Contender] = {
        "HPA 60 %, stabilised": SeedHPA(0.6, window=5),
        "do nothing": DoNothing(),
    }
    levels = {name: _mean_return(other) for name, other in others.items()}
    returns = [progress.reward * GAMES[GAME].steps for progress in learner.history]
    figure = plots.reward_per_iteration(returns, greedy, levels)
    return _save(figure, folder / "2-reward.png")


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


def _mean_return(player: Contender) -> float:
    results = play(GAMES[GAME].environment, player, games=GREEDY_GAMES, seed=UNSEEN)
    return float(results["return"].mean())


def _save(figure: Figure, path: Path) -> Path:
    plots.save(figure, path)
    return path

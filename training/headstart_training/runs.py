"""A training run and its folder: the learner of a game, what it leaves behind, and its policy.

The folder holds ``run.json`` (which game, which settings), ``checkpoint.pt``, ``rewards.csv``,
``rewards.png`` and whatever the game's exporter writes.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import TransformAction

from headstart_training import devices, environments, plots
from headstart_training.algorithms.ppo import PPO, Policy, PPOConfig, Progress, load_policy
from headstart_training.baselines import Actions
from headstart_training.boards import board
from headstart_training.games import GAMES, Game

CHECKPOINT = "checkpoint.pt"
RUN = "run.json"
CHECKPOINT_EVERY = 20  # iterations
# What TensorBoard shows of each iteration.
CURVES = ("reward", "spread", "kl", "explained")

Callback = Callable[[Progress], None]


class Greedy:
    """A trained policy as a contender: the mean of its distribution, nothing drawn."""

    def __init__(self, policy: Policy, game: str) -> None:
        self._policy = policy
        decision = GAMES[game].decision
        self._to_action = decision.to_action if decision else None

    def start(self, games: int) -> None:
        """Begin N games; a policy remembers nothing."""

    def act(self, observation: npt.NDArray[np.float32], info: dict[str, Any]) -> Actions:  # noqa: ARG002
        """Decide, shape (N, actions)."""
        decided = self._policy.act(observation)
        return self._to_action(decided) if self._to_action else decided


def make_learner(
    game: str, *, num_envs: int | None = None, device: str = "cpu", threads: int = 1, **ppo: Any
) -> PPO:
    """Learner of a game of :data:`headstart_training.games.GAMES`.

    Parameters
    ----------
    game
        Its name there.
    num_envs
        Games at once, instead of the table's number.
    device, threads
        Where torch computes, and with how many threads.
    **ppo
        Settings of :class:`PPOConfig` instead of the table's; None leaves the table's.

    Raises
    ------
    ValueError
        When torch cannot compute on the device.
    """
    devices.require(device)
    # The networks are small: a second thread costs about as much in waiting as it saves.
    torch.set_num_threads(threads)
    line = GAMES[game]
    given = {key: value for key, value in ppo.items() if value is not None}
    envs = _make_environments(line, num_envs or line.num_envs)
    return PPO(envs, PPOConfig(**{**line.ppo, **given}), device)


def train(
    game: str, learner: PPO, folder: Path, callback: Callback, *, tensorboard: bool = False
) -> None:
    """Train to the end, leave a checkpoint now and then, and the run's files at the end.

    With `tensorboard` the curves go to the folder's ``tensorboard`` while it trains.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"game": game, "num_envs": learner.envs.num_envs, "ppo": asdict(learner.config)}
    (folder / RUN).write_text(json.dumps(facts, indent=2) + "\n")

    with board(folder, wanted=tensorboard) as write:

        def after_iteration(progress: Progress) -> None:
            if progress.iteration % CHECKPOINT_EVERY == 0:
                learner.save(folder / CHECKPOINT)
            write(progress.iteration, {key: getattr(progress, key) for key in CURVES})
            callback(progress)

        history = learner.train(after_iteration)
    learner.save(folder / CHECKPOINT)
    with (folder / "rewards.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(asdict(history[0])))
        writer.writeheader()
        writer.writerows(asdict(progress) for progress in history)
    steps = GAMES[game].steps
    figure = plots.reward_per_iteration([progress.reward * steps for progress in history])
    plots.save(figure, folder / "rewards.png")
    export = GAMES[game].export
    if export:
        export(learner.policy, folder)


def read_game(folder: Path) -> str:
    """Name of the game that a run's folder is about.

    Raises
    ------
    ValueError
        When the folder holds no run, or one of an unknown game.
    """
    path = folder / RUN
    try:
        game = json.loads(path.read_text())["game"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} holds no training run: {path}: {error}") from error
    if game not in GAMES:
        raise ValueError(f"game in {path} must be one of {sorted(GAMES)}, is {game!r}")
    return str(game)


def read_policy(folder: Path) -> Policy:
    """Policy of a run's folder.

    Raises
    ------
    ValueError
        When there is none, or it does not fit its game.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        raise ValueError(f"{path} does not exist: train the run to its end")
    return load_policy(path, _make_environments(GAMES[read_game(folder)], 1))


def _make_environments(game: Game, num_envs: int) -> VectorEnv[Any, Any, Any]:
    """Environments to train in, in which an action is what the policy decides."""
    environments.register()
    envs = gymnasium.make_vec(game.environment, num_envs=num_envs, **game.rules, **game.training)
    if game.decision is None:
        return envs
    single = Box(
        np.array(game.decision.low, dtype=np.float32),
        np.array(game.decision.high, dtype=np.float32),
    )
    return TransformAction(
        envs,
        game.decision.to_action,
        action_space=batch_space(single, num_envs),
        single_action_space=single,
    )

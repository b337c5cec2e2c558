"""The games that `headstart train` knows: one line of a table each.

To add one: register its environment in :mod:`headstart_training.environments`, then
add a :class:`Game` to :data:`GAMES`. Nothing here imports torch; PPO's settings are plain values.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from headstart_training.baselines import Contender
from headstart_training.baselines.seed_hpa import SeedHPA
from headstart_training.baselines.simple import DoNothing, RandomIntegers
from headstart_training.evaluation import Column
from headstart_training.seed_game import orders
from headstart_training.shipping import export

if TYPE_CHECKING:
    from headstart_training.algorithms.ppo import Policy


@dataclass(frozen=True)
class Decision:
    """What a policy decides, where that is not the environment's own action.

    Attributes
    ----------
    low, high
        Bounds of each number that it decides.
    to_action
        From decisions (N, numbers) to the environment's actions (N, ...).
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    to_action: Callable[[npt.NDArray[np.floating[Any]]], npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Game:
    """What training and evaluating need to know of a game.

    Attributes
    ----------
    environment
        Id of the registered gymnasium environment.
    steps
        Steps in one game with these defaults.
    ppo
        Settings of :class:`headstart_training.algorithms.ppo.PPOConfig` that are not its defaults.
    contenders
        Makes those whom the learned policy is measured against, by their names.
    columns
        What the table of an evaluation shows besides the return.
    rules
        Arguments of the environment, in training and in evaluation.
    training
        Arguments of the environment in training only.
    num_envs
        Games at once in training.
    decision
        What the policy decides; None: the environment's action.
    export
        Writes what an operator serves into a run's folder, from the trained policy. Such a game is
        evaluated by :mod:`headstart_training.benchmark`, not by its contenders.
    """

    environment: str
    steps: int
    ppo: Mapping[str, Any]
    contenders: Callable[[], dict[str, Contender]]
    columns: tuple[Column, ...]
    rules: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    num_envs: int = 512
    decision: Decision | None = None
    export: Callable[["Policy", Path], None] | None = None


def _seed_contenders() -> dict[str, Contender]:
    return {
        "HPA 60 %, stabilised": SeedHPA(0.6, window=5),
        "HPA 70 %, naive": SeedHPA(0.7),
        "do nothing": DoNothing(),
        "random": RandomIntegers(),
    }


_SEED_GAME = Game(
    environment="headstart/SeedGame-v0",
    steps=1001,
    # The noise of the capacity draw is no news to a learner, so training pays the expectation;
    # without scattered fleets some seeds first learn to shed machines, and never recover; and
    # without a least reward those scattered fleets that are far too small drown all others, and
    # some seeds settle for a fleet that is a little too small. At -8 the minutes of a spike are too
    # cheap, and fleets come out too small again.
    training={
        "stagger": True,
        "scatter_every": 100,
        "expected_reward": True,
        "least_reward": -20.0,
    },
    ppo={
        "iterations": 200,
        "learning_rate": 2e-3,
        # A wrong fleet is mended in some minutes: what comes later is only noise.
        "gamma": 0.95,
        "gae_lambda": 0.9,
        # Of 10 machines: an untrained policy moves by about one a minute.
        "initial_spread": 0.1,
    },
    decision=Decision((-10.0,), (10.0,), orders),
    contenders=_seed_contenders,
    columns=(
        Column(
            "billed",
            "warming\nbilled [$]",
            lambda facts: facts["return"] - facts["warming_cost"],
            ",.0f",
        ),
        Column(
            "active",
            "active\nmachines",
            lambda facts: facts["active_machines"] / facts["steps"],
        ),
        Column(
            "warming",
            "warming\nmachines",
            lambda facts: facts["warming_machines"] / facts["steps"],
        ),
        Column("violations", "SLO missed\n[min]", lambda facts: facts["is_down"]),
    ),
)

GAMES: dict[str, Game] = {
    "seed-game": _SEED_GAME,
    "seed-game-billed": replace(
        # What it returns has warming billed already, so the column that says so is left out.
        _SEED_GAME,
        rules={"bill_warming": True},
        columns=_SEED_GAME.columns[1:],
    ),
    "kubernetes": Game(
        environment="headstart/Kubernetes-v0",
        steps=96,
        # Capacity noise is no news to a learner, and a load's own fortune is its siblings' too.
        training={"siblings": 4, "expected_reward": True, "steps": 64},
        num_envs=512,
        # A rollout is an episode and the step that begins the next. A fleet is as large as the
        # least ratio of a lead time, so noise makes policies generous: wide at first, to learn to
        # foresee, it is pressed to almost nothing at the end (hence an entropy below 0).
        ppo={
            "iterations": 150,
            "rollout_steps": 65,
            "initial_action": (math.log(1.4),),
            "initial_spread": 0.15,
            "entropy_end": -0.3,
        },
        contenders=dict,
        columns=(),
        export=export,
    ),
}

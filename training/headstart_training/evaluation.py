"""Contenders on the same games: equal seeds give equal loads and noise, so differences are paired.

No torch here: a learned policy is a contender like any other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

import headstart_training.environments  # noqa: F401  # Registers the games.
from headstart_training.baselines import Contender

Floats = npt.NDArray[np.float64]

BATCH = 1000  # Games at once: enough for numpy, small enough for memory.
Z_95 = 1.959964


@dataclass(frozen=True)
class Column:
    """A figure beside the return.

    Attributes
    ----------
    key, label
        In the JSON, and as a table's heading.
    value
        From what :func:`play` returns to shape (E,).
    format
        Of its mean in the table.
    """

    key: str
    label: str
    value: Callable[[Mapping[str, Floats]], Floats]
    format: str = ",.2f"


@dataclass(frozen=True)
class Row:
    """One contender's line.

    Attributes
    ----------
    name, games
        Whose, over how many games.
    mean, standard_error, deviation
        Of the return [the reward's unit].
    difference, difference_error, difference_low, difference_high
        The subject's return minus this one's on the same games: mean, standard error and 95 %
        interval; zero for the subject itself.
    figures
        Mean of each column, by its key.
    """

    name: str
    games: int
    mean: float
    standard_error: float
    deviation: float
    difference: float
    difference_error: float
    difference_low: float
    difference_high: float
    figures: dict[str, float]


def play(
    environment: str,
    contender: Contender,
    *,
    games: int,
    seed: int,
    arguments: Mapping[str, Any] | None = None,
) -> dict[str, Floats]:
    """Play E games to their end.

    Parameters
    ----------
    environment
        Id of a registered environment that has a vector form with next-step autoreset.
    contender
        Who decides.
    games, seed
        E, and where the games come from: equal ones are equal games, whoever plays.
    arguments
        Of the environment.

    Returns
    -------
    dict
        Sums over each game's steps, shape (E,): ``return``, ``steps``, and all that info has.
    """
    if games < 1:
        raise ValueError(f"games must be at least 1, is {games}")
    batches = [
        _play_batch(environment, contender, min(BATCH, games - done), seed + done, arguments or {})
        for done in range(0, games, BATCH)
    ]
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}


def _play_batch(
    environment: str, contender: Contender, games: int, seed: int, arguments: Mapping[str, Any]
) -> dict[str, Floats]:
    envs = gymnasium.make_vec(environment, num_envs=games, **arguments)
    observation, info = envs.reset(seed=seed)
    contender.start(games)
    sums: dict[str, Floats] = {}
    playing = np.ones(games, dtype=np.bool_)
    while playing.any():
        action = contender.act(observation, info)
        observation, reward, terminated, truncated, info = envs.step(action)
        for key, value in {"return": reward, "steps": playing, **info}.items():
            if not key.startswith("_"):
                sums[key] = sums.get(key, np.zeros(games)) + value * playing
        playing = playing & ~(terminated | truncated)
    envs.close()
    return sums


def compare(
    results: Mapping[str, Mapping[str, Floats]], subject: str, columns: tuple[Column, ...] = ()
) -> list[Row]:
    """Each contender's line, the subject paired against each.

    Parameters
    ----------
    results
        What :func:`play` returned, by the contenders' names, all on the same games.
    subject
        The name of the one whom the differences are about.
    columns
        Figures beside the return.
    """
    rows = []
    for name, sums in results.items():
        returns = sums["return"]
        difference = results[subject]["return"] - returns
        mean, error = float(difference.mean()), _standard_error(difference)
        rows.append(
            Row(
                name=name,
                games=len(returns),
                mean=float(returns.mean()),
                standard_error=_standard_error(returns),
                deviation=float(returns.std(ddof=1)),
                difference=mean,
                difference_error=error,
                difference_low=mean - Z_95 * error,
                difference_high=mean + Z_95 * error,
                figures={column.key: float(column.value(sums).mean()) for column in columns},
            )
        )
    return rows


def _standard_error(values: Floats) -> float:
    if len(values) < 2:  # noqa: PLR2004  # One game has no deviation.
        raise ValueError(f"games must be at least 2 for a standard error, is {len(values)}")
    return float(values.std(ddof=1) / np.sqrt(len(values)))

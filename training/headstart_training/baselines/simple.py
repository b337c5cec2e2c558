"""The least that a policy has to beat: doing nothing, and doing anything."""

from typing import Any

import numpy as np
import numpy.typing as npt

from headstart_training.baselines import Actions


class DoNothing:
    """Keep the fleet as it is.

    Parameters
    ----------
    action
        What changes nothing; one number per dimension of the action space.
    """

    def __init__(self, action: tuple[float, ...] = (0.0, 0.0)) -> None:
        self._action = np.array(action)

    def start(self, games: int) -> None:
        """Begin N games."""
        self._actions = np.tile(self._action, (games, 1))

    def act(self, observation: npt.NDArray[np.float32], info: dict[str, Any]) -> Actions:  # noqa: ARG002
        """Decide without looking."""
        return self._actions


class RandomIntegers:
    """Any whole action, each as likely.

    Parameters
    ----------
    high
        The largest number; the smallest is 0.
    dimensions
        Of the action space.
    seed
        Of the draws; each start continues them.
    """

    def __init__(self, high: int = 10, dimensions: int = 2, seed: int = 0) -> None:
        self._high = high
        self._dimensions = dimensions
        self._rng = np.random.default_rng(seed)

    def start(self, games: int) -> None:
        """Begin N games."""
        self._games = games

    def act(self, observation: npt.NDArray[np.float32], info: dict[str, Any]) -> Actions:  # noqa: ARG002
        """Draw without looking."""
        draws = self._rng.integers(self._high + 1, size=(self._games, self._dimensions))
        return draws.astype(np.float64)

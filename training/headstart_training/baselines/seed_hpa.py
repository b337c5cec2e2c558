"""The HorizontalPodAutoscaler's formula with the seed game's actions."""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from headstart_training.baselines import Actions


class SeedHPA:
    """Want ``ceil(last load / (target * capacity))`` machines, those that warm up counted.

    It does nothing before it has seen a load. The game's limit of 10 machines a minute holds.

    Parameters
    ----------
    target
        Utilisation to hold, in (0, 1].
    window
        Minutes of wants of which the largest counts: 1 is the naive formula, 5 is the
        down-stabilisation of 5 minutes.
    capacity
        Mean capacity of a machine [transactions/min].

    Raises
    ------
    ValueError
        When a number is out of its bounds; it names key, bound and value.
    """

    def __init__(self, target: float, *, window: int = 1, capacity: float = 300.0) -> None:
        if not 0 < target <= 1:
            raise ValueError(f"target must be in (0, 1], is {target}")
        if window < 1:
            raise ValueError(f"window must be at least 1 minute, is {window}")
        self._served_per_machine = target * capacity
        self._wants: deque[npt.NDArray[np.float64]] = deque(maxlen=window)
        self._first = True

    def start(self, games: int) -> None:
        """Begin N games."""
        self._games = games
        self._wants.clear()
        self._first = True

    def act(self, observation: npt.NDArray[np.float32], info: dict[str, Any]) -> Actions:  # noqa: ARG002
        """Machines to turn (on, off), shape (N, 2)."""
        if self._first:
            self._first = False
            return np.zeros((self._games, 2))
        self._wants.append(np.ceil(info["load"] / self._served_per_machine))
        want = np.max(np.stack(self._wants), axis=0)
        missing = want - info["active_machines"] - info["warming_machines"]
        return np.stack([np.maximum(missing, 0), np.maximum(-missing, 0)], axis=1)

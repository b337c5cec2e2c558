"""Who plays against the learned policy.

A contender plays N games at once. It sees what :class:`Contender` says and nothing else; the info
is what a gymnasium VectorEnv returns beside its observations.
"""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Actions = npt.NDArray[np.floating[Any]]


class Contender(Protocol):
    """A way to decide, for N games at once."""

    def start(self, games: int) -> None:
        """Forget the past: N new games begin."""

    def act(self, observation: npt.NDArray[np.float32], info: dict[str, Any]) -> Actions:
        """Decide, shape (N, actions), on the observation (N, features) and info's arrays (N,)."""

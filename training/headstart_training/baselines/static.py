"""A fleet that never changes, and the best such fleet in hindsight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.clairvoyant import static_totals

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Ints
    from headstart_training.contest import Moment
    from headstart_training.simulator import World


class Static:
    """Ask for the same replicas always.

    Parameters
    ----------
    replicas
        Shape (N,).
    """

    def __init__(self, replicas: Ints) -> None:
        self._replicas = replicas

    def decide(self, observation: Observation, moment: Moment) -> Ints:  # noqa: ARG002
        """Replicas to ask for, shape (N,)."""
        return self._replicas


def best_static(world: World, most: int) -> Static:
    """Choose for each service the fleet of 0 to ``most`` that earns the most on this very load."""
    return Static(np.argmax(static_totals(world, most), axis=1).astype(np.int64))

"""A fleet that never changes, and the best such fleet in hindsight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.clairvoyant import dollars_by_replicas

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats, Ints
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


def best_static(world: World, most: int, dollars: Floats | None = None) -> Static:
    """Choose for each service the fleet of 0 to ``most`` that earns the most on this very load.

    ``dollars`` is what :func:`headstart_training.clairvoyant.dollars_by_replicas` returned for the
    two, if it is at hand.
    """
    dollars = dollars_by_replicas(world, most) if dollars is None else dollars
    return Static(np.argmax(dollars.sum(axis=1), axis=1).astype(np.int64))

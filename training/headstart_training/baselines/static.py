"""A fleet that never changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headstart_training.clairvoyant import most_useful, static_totals

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Ints
    from headstart_training.contest import Moment
    from headstart_training.simulator import World


@dataclass(frozen=True)
class Static:
    """Ask for the same replicas always.

    Parameters
    ----------
    replicas
        Shape (N,).
    """

    replicas: Ints

    def __str__(self) -> str:
        """Say how many."""
        return f"replicas {', '.join(map(str, self.replicas))}"

    def decide(self, observation: Observation, moment: Moment) -> Ints:  # noqa: ARG002
        """Replicas to ask for, shape (N,)."""
        return self.replicas

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T)."""
        return np.repeat(self.replicas[:, None], world.steps, axis=1)


def best_static(world: World, most: int) -> Static:
    """Choose for each service the fleet of 0 to ``most`` that earns the most on this very load."""
    return Static(np.argmax(static_totals(world, most), axis=1).astype(np.int64))


def grid(world: World) -> tuple[Static]:
    """Give the best fleet for a service's load, of all sizes; an unknown rate counts as none."""
    known = replace(world, rates=np.nan_to_num(world.rates))
    return (best_static(known, int(most_useful(known).max())),)

"""Choosing a contender's settings on one half of a load, to play them on the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from headstart_training.contest import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headstart_policy.types import Floats, Ints
    from headstart_training.simulator import World

# As many as a laptop has cores to spare; the kernels release the lock.
_WORKERS = 2


class Candidate(Protocol):
    """A way to decide that looks at nothing but the load."""

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T)."""


@dataclass(frozen=True)
class PerService:
    """A candidate of its own for each service."""

    choices: tuple[Candidate, ...]

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T).

        Raises
        ------
        ValueError
            The world has another number of services.
        """
        if len(self.choices) != len(world.rates):
            raise ValueError(f"{len(world.rates)} services, tuned for {len(self.choices)}")
        rows = [choice.path(world.take(np.array([i]))) for i, choice in enumerate(self.choices)]
        return np.concatenate(rows)


def tune(candidates: Callable[[World], Sequence[Candidate]], world: World) -> PerService:
    """Choose for each service the candidate that earns the most on ``world``.

    Parameters
    ----------
    candidates
        Gives those of a service for its world of one service; where there is only one, nothing is
        played. Of equal ones the first is chosen.
    world
        To tune on. One service and a path for each worker are in memory at a time.
    """
    choices: list[Candidate] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for i in range(len(world.rates)):
            one = world.take(np.array([i]))
            some = candidates(one)
            earned = [0.0]
            if len(some) > 1:
                earned = list(pool.map(lambda c, w=one: profit(w, c.path(w))[0], some))
            choices.append(some[int(np.argmax(earned))])
    return PerService(tuple(choices))


def profit(world: World, desired: Ints) -> Floats:
    """Dollars that paths earn, shape (N,); steps whose rate is unknown count for nothing."""
    total: Floats = np.nansum(settle(world, desired).dollars, axis=1)
    return total

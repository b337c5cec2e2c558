"""A ReLU network in plain numpy: features -> replicas, as multiples of a few references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Floats

# Replicas are rounded to this grid before they meet the ceiling. BLAS kernels differ in the last
# bits between a batch and a single row; without the grid, 25.000000000000004 replicas would be
# 26 in the one and 25 in the other.
REPLICA_GRID = 1024


@dataclass(frozen=True)
class Network:
    """Layers of weights (in, out) and biases (out,).

    The first layer looks at the first of the columns, those that it knows (see
    :data:`headstart_policy.features.SCHEMAS`). The last has one output for each of the first
    references that it knows (see :data:`headstart_policy.features.REFERENCES`): the logarithm of a
    multiple, which ``least`` and ``most`` bound. What it asks for is the sum: a margin over the
    level of now, a stock for what the last hours were like, a share of the season's.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    least: float
    most: float

    def replicas(self, features: Floats, references: Floats) -> Floats:
        """Ask for replicas, fractions included, on the grid of 1/1024, shape (N,).

        Parameters
        ----------
        features, references
            As :mod:`headstart_policy.features` computes them, shape (N, F) and (N, R).
        """
        hidden = features[:, : len(self.weights[0])].astype(np.float64)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight + bias, 0.0)
        multiples = hidden @ self.weights[-1] + self.biases[-1]
        return to_replicas(multiples, references, self.least, self.most)


def to_replicas(multiples: Floats, references: Floats, least: float, most: float) -> Floats:
    """Bound log multiples, weigh the references, and put the sum on the grid.

    What training plays is what is served.
    """
    bounded = np.exp(np.clip(multiples, np.log(least), np.log(most)))
    return on_grid((bounded * references[:, : bounded.shape[1]]).sum(axis=1))


def on_grid(replicas: Floats) -> Floats:
    """Round to 1/1024 of a replica, so that the last bits of a sum do not cost a whole one."""
    rounded: Floats = np.round(replicas * REPLICA_GRID) / REPLICA_GRID
    return rounded

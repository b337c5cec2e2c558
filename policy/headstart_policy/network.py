"""A ReLU network in plain numpy: features -> ratio of replicas to demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Floats

# A ratio is rounded to this grid before it meets the ceiling. BLAS kernels differ in the last
# bits between a batch and a single row; without the grid, 1.2500000000000002 x 20 would be
# 26 replicas in the one and 25 in the other.
RATIO_GRID = 1024


@dataclass(frozen=True)
class Network:
    """Layers of weights (in, out) and biases (out,); the last has one output, a log ratio.

    ``least`` and ``most`` bound the ratio.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    least: float
    most: float

    def ratio(self, features: Floats) -> Floats:
        """Ask for the ratio of replicas to demand, shape (N,), on the grid of 1/1024."""
        hidden = features.astype(np.float64)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight + bias, 0.0)
        return to_ratio((hidden @ self.weights[-1] + self.biases[-1])[:, 0], self.least, self.most)


def to_ratio(log_ratio: Floats, least: float, most: float) -> Floats:
    """Bound a log ratio and put it on the grid: what training plays is what is served."""
    ratio = np.exp(np.clip(log_ratio, np.log(least), np.log(most)))
    return np.round(ratio * RATIO_GRID) / RATIO_GRID

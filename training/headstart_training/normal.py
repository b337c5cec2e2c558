"""The normal distribution in numpy, which has no error function of its own."""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_EDGE = 8.0  # Beyond it a double cannot tell the probability from 0 or 1 by much.
_GRID = np.linspace(-_EDGE, _EDGE, 16_001)
_TABLE = np.array([0.5 * math.erfc(-x / math.sqrt(2.0)) for x in _GRID])


def pdf(x: Floats) -> Floats:
    """Density of the standard normal distribution at `x`, any shape."""
    density: Floats = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return density


def cdf(x: Floats) -> Floats:
    """Probability below `x`, any shape, from a table; off by less than 1e-7."""
    probability: Floats = np.interp(x, _GRID, _TABLE)
    return probability

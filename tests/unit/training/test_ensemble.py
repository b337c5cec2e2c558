"""The mean of networks is a network."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_policy.network import Network
from headstart_training.algorithms.ensemble import mean_of

SHAPES = ((7, 5), (5, 6), (6, 3))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_it_gives_the_mean_of_what_the_members_give(count: int) -> None:
    """Multiples are exponentials of what is averaged: their mean is the geometric one."""
    random = np.random.default_rng(count)
    members = [
        [(random.normal(size=shape), random.normal(size=shape[1])) for shape in SHAPES]
        for _ in range(count)
    ]
    rows, one = random.normal(size=(20, 7)), np.eye(3)

    def multiples(layers: list[tuple[np.ndarray, np.ndarray]], reference: int) -> np.ndarray:
        weights, biases = zip(*layers, strict=True)
        only = np.tile(1e12 * one[reference], (20, 1))
        return Network(weights, biases, 1e-300, 1e300).replicas(rows, only)

    for reference in range(3):
        apart = [np.log(multiples(layers, reference)) for layers in members]
        together = np.log(multiples(mean_of(members), reference))
        np.testing.assert_allclose(together, np.mean(apart, axis=0), atol=1e-6)

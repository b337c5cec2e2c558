"""The network's answer is bounded, on its grid, and the same in every batch."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_policy.features import NAMES, REFERENCES
from headstart_policy.network import REPLICA_GRID, Network
from tests.unit.policy.build import a_network


@pytest.mark.parametrize(("bias", "multiple"), [(-99, 0.5), (0, 1.0), (0.6931472, 2.0), (99, 8.0)])
def test_a_multiple_is_bounded(bias: float, multiple: float) -> None:
    layer = np.zeros((len(NAMES), 1))
    network = Network((layer,), (np.array([bias], dtype=np.float64),), least=0.5, most=8.0)
    asked = network.replicas(np.ones((1, len(NAMES))), np.array([[10.0, 99.0, 99.0, 99.0]]))
    assert asked.tolist() == [10 * multiple]


def test_references_are_weighed_and_summed() -> None:
    layer = np.zeros((len(NAMES), 4))
    network = Network((layer,), (np.log([1.0, 0.5, 0.25, 2.0]),), least=1e-3, most=8.0)
    asked = network.replicas(np.ones((1, len(NAMES))), np.array([[10.0, 8.0, 16.0, 3.0]]))
    assert asked.tolist() == [10 + 4 + 4 + 6]


def test_a_thousand_rows_answer_as_each_alone() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(1000, len(NAMES)))
    references = random.uniform(0, 100, (1000, len(REFERENCES)))
    network = a_network(width=64)
    together = network.replicas(rows, references)
    order = random.permutation(1000)
    np.testing.assert_array_equal(network.replicas(rows[order], references[order]), together[order])
    alone = [network.replicas(rows[i : i + 1], references[i : i + 1])[0] for i in range(1000)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together * REPLICA_GRID, np.round(together * REPLICA_GRID))
    assert len(set(together.tolist())) > 100

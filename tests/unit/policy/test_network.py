"""The network's answer is bounded, on its grid, and the same in every batch."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_policy.features import NAMES
from headstart_policy.network import RATIO_GRID, Network
from tests.unit.policy.build import a_network


@pytest.mark.parametrize(("bias", "ratio"), [(-99.0, 0.5), (0.0, 1.0), (0.6931472, 2.0), (99, 8.0)])
def test_the_ratio_is_bounded(bias: float, ratio: float) -> None:
    layer = np.zeros((len(NAMES), 1))
    network = Network((layer,), (np.array([bias]),), least=0.5, most=8.0)
    assert network.ratio(np.ones((1, len(NAMES)))).tolist() == [ratio]


def test_a_thousand_rows_answer_as_each_alone() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(1000, len(NAMES)))
    network = a_network(width=64)
    together = network.ratio(rows)
    order = random.permutation(1000)
    np.testing.assert_array_equal(network.ratio(rows[order]), together[order])
    alone = [network.ratio(rows[i : i + 1])[0] for i in range(1000)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together * RATIO_GRID, np.round(together * RATIO_GRID))
    assert len(set(together.tolist())) > 100

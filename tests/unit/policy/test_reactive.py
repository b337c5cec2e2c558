"""The HPA's formula and its ceiling."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_policy.behavior import NO_LIMIT
from headstart_policy.reactive import ceil_replicas, reactive


@pytest.mark.parametrize(
    ("rate", "capacity", "utilization", "replicas"),
    [
        (0.0, 5.0, 0.7, 0),
        (0.001, 5.0, 0.7, 1),
        (70.0, 5.0, 0.7, 20),
        (70.1, 5.0, 0.7, 21),
        (4200.0, 300.0, 0.7, 20),  # 4200 / (0.7 * 300) is 20.000000000000004 in floats
        (np.nan, 5.0, 0.7, 0),
    ],
)
def test_formula(rate: float, capacity: float, utilization: float, replicas: int) -> None:
    counted = reactive(np.array([rate]), np.array([capacity]), utilization)
    assert counted.tolist() == [replicas]


def test_ceiling_is_of_integers_and_never_negative() -> None:
    counted = ceil_replicas(np.array([-1.0, 0.0, 1.0, 1.0 + 1e-12, 1.001]))
    assert counted.tolist() == [0, 0, 1, 1, 2]
    assert counted.dtype == np.int64


@pytest.mark.parametrize("demand", [2.0**31, 1e20, 1e300])
def test_a_demand_beyond_all_limits_does_not_wrap_to_none(demand: float) -> None:
    assert ceil_replicas(np.array([demand])).tolist() == [NO_LIMIT]

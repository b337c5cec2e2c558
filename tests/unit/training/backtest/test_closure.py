"""Closure: 0 is the tuned HPA, 1 the best possible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_training.backtest.closure import closure, pooled_closure


@pytest.mark.parametrize(
    ("dollars", "tuned", "best", "expected"),
    [
        (100.0, 100.0, 200.0, 0.0),
        (200.0, 100.0, 200.0, 1.0),
        (150.0, 100.0, 200.0, 0.5),
        (0.0, 100.0, 200.0, -1.0),
        # A service that only costs: the gap is to be measured against its size all the same.
        (-150.0, -200.0, -100.0, 0.5),
        # Under 2 % of the best possible: two small differences.
        (100.5, 99.0, 100.0, np.nan),
        (100.0, 98.0, 100.0, 1.0),
        (10.0, 100.0, 100.0, np.nan),
        # The tuned HPA above the best possible is no gap to close.
        (10.0, 110.0, 100.0, np.nan),
    ],
)
def test_closure(dollars: float, tuned: float, best: float, expected: float) -> None:
    value = closure(np.array(dollars), np.array(tuned), np.array(best))
    assert value == pytest.approx(expected, nan_ok=True)


@given(
    gaps=st.lists(st.floats(1.0, 1e6), min_size=1, max_size=8),
    share=st.floats(-2.0, 1.0),
)
def test_the_pool_of_equal_closures_is_that_closure(gaps: list[float], share: float) -> None:
    gap = np.array(gaps)
    assert pooled_closure(share * gap, 0 * gap, gap) == pytest.approx(share)


def test_small_gaps_weigh_little_in_the_pool() -> None:
    tuned, best = np.array([0.0, 100.0]), np.array([100.0, 100.1])
    assert pooled_closure(np.array([50.0, 0.0]), tuned, best) == pytest.approx(-50 / 100.1)


def test_a_pool_with_nothing_to_win_has_no_closure() -> None:
    assert np.isnan(pooled_closure(np.array([1.0]), np.array([1.0]), np.array([1.0])))

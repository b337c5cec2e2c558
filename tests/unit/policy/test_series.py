"""Window means off cumulative sums are the means that a slow loop takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headstart_policy.series import CumulativeRates

rates = hnp.arrays(
    np.float64,
    st.integers(1, 30).map(lambda n: (1, n)),
    elements=st.one_of(st.just(np.nan), st.floats(0, 1e6)),
)


def slow_mean(values: np.ndarray, start: float, end: float) -> float:
    """Integrate the step function piece by piece."""
    total = known = 0.0
    for k, value in enumerate(values):
        overlap = max(0.0, min(end, k + 1) - max(start, k))
        if np.isfinite(value):
            total += overlap * value
            known += overlap
    return total / known if known > 0 and known >= 0.5 * (end - start) else np.nan


@given(rates, st.floats(-3, 33), st.floats(0.1, 20))
def test_means_are_integrals(values: np.ndarray, start: float, length: float) -> None:
    """Also between samples, over gaps, and past both ends."""
    end = start + length
    fast = CumulativeRates.of(values).means(np.array([[start]]), np.array([[end]]))[0, 0]
    slow = slow_mean(values[0], start, end)
    # At exactly half known the last bit decides; both answers are right.
    known = sum(
        max(0.0, min(end, k + 1) - max(start, k))
        for k, value in enumerate(values[0])
        if np.isfinite(value)
    )
    if abs(known - 0.5 * length) > 1e-6:
        assert fast == pytest.approx(slow, rel=1e-6, abs=1e-6, nan_ok=True)


def test_roughness_is_the_mean_squared_step() -> None:
    values = np.array([[1.0, 3.0, 3.0, np.nan, 5.0, 8.0]])
    cumulative = CumulativeRates.of(values)
    rough = cumulative.roughness(np.array([[0.0, 4.0]]), np.array([[6.0, 6.0]]))
    # Known steps: 1 -> 3, 3 -> 3 and 5 -> 8; over the gap there is none.
    assert rough[0, 0] == pytest.approx((4 + 0 + 9) / 3)
    assert rough[0, 1] == pytest.approx(9.0)


def test_an_empty_series_knows_nothing() -> None:
    cumulative = CumulativeRates.of(np.zeros((2, 0)))
    assert np.isnan(cumulative.means(np.full((2, 1), -5.0), np.zeros((2, 1)))).all()

"""Sums of counters that restarts interrupt."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_operator.explain.series import Series


@pytest.mark.parametrize(
    ("counter", "grown"),
    [
        ([1.0, 2.0, 4.0], 3.0),
        ([1.0, np.nan, 4.0], 3.0),
        # A restarted operator begins at 0.
        ([100.0, 101.0, 0.5, 1.5], 2.5),
        ([1.0], None),
        ([np.nan, np.nan], None),
    ],
)
def test_growth(counter: list[float], grown: float | None) -> None:
    column = np.array(counter)
    series = Series(np.arange(len(column), dtype=np.float64), {"cost_dollars_total": column})
    assert series.grown("cost_dollars_total") == grown

"""Since when a service is idle: by its rates, and by what is remembered beyond them."""

from __future__ import annotations

import numpy as np
import pytest

from headstart_operator.orders.idleness import activation, busy_until
from headstart_operator.resource import ScaleToZero
from headstart_operator.sources.history import Gap, Grid

STEP, LENGTH = 10.0, 8
NAN = float("nan")


def a_grid(*rates: float) -> Grid:
    """Keep rates, the newest at 1,000 s."""
    grid = Grid(STEP, LENGTH)
    grid.fill(Gap(STEP, 101 - len(rates), 100), np.array(rates))
    return grid


@pytest.mark.parametrize(
    ("before", "rates", "asleep", "busy"),
    [
        # The newest rate above counts, and what is remembered where it is newer than the grid.
        (None, [0.0, 2.0, 0.1, 0.2], False, 980.0),
        (500.0, [0.0, 2.0, 0.1, 0.2], False, 980.0),
        (500.0, [0.0] * 8, False, 500.0),
        # The activation rate itself is not above it, and an unknown rate says nothing.
        (500.0, [1.0, 1.0], False, 500.0),
        (500.0, [NAN, NAN], False, 500.0),
        # At first: as far back as rates are known; one that sleeps is left asleep.
        (None, [NAN, 0.0, NAN, 0.0], False, 980.0),
        (None, [NAN], False, 1000.0),
        (None, [0.0, 0.0], True, 0.0),
        (None, [0.0, 2.0], True, 1000.0),
        # Noted by a clock that was ahead.
        (5000.0, [0.0], False, 1000.0),
    ],
)
def test_busy_until(before: float | None, rates: list[float], *, asleep: bool, busy: float) -> None:
    assert busy_until(before, a_grid(*rates), 1.0, 1000.0, asleep=asleep) == busy


def test_idle_for_long_enough_is_no_longer_wanted() -> None:
    rules = ScaleToZero(activation_rate="1", idle_for="1m")  # type: ignore[arg-type]
    assert activation(rules, 941.0, 1000.0).wanted
    assert not activation(rules, 940.0, 1000.0).wanted

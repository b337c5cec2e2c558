"""Quantiles of durations of which some were cut short."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_operator.workloads.survival import quantile

AGES = st.lists(st.integers(1, 500).map(float), min_size=1, max_size=40)


@given(durations=AGES, share=st.sampled_from([0.5, 0.9]))
def test_without_cancelled_ones_it_is_the_empirical_quantile(
    durations: list[float], share: float
) -> None:
    expected = np.quantile(durations, share, method="inverted_cdf")
    assert quantile(durations, [], share) == expected


def test_the_worked_example_of_kaplan_and_meier() -> None:
    """Deaths at 0.8, 3.1, 5.4 and 9.2 months, losses at 1.0, 2.7, 7.0 and 12.1 (their page 464).

    They give the survival as 7/8, 7/10, 21/40 and 21/80.
    """
    deaths, losses = [0.8, 3.1, 5.4, 9.2], [1.0, 2.7, 7.0, 12.1]
    levels = {0.8: 7 / 8, 3.1: 7 / 10, 5.4: 21 / 40, 9.2: 21 / 80}
    for time, survival in levels.items():
        assert quantile(deaths, losses, 1 - survival) == time
        assert quantile(deaths, losses, 1 - survival + 0.01) > time


@given(durations=AGES, cut_short=AGES, share=st.sampled_from([0.5, 0.9]))
def test_cancelled_ones_never_make_starts_look_quicker(
    durations: list[float], cut_short: list[float], share: float
) -> None:
    estimate = quantile(durations, cut_short, share)
    assert quantile(durations, [], share) <= estimate <= max(*durations, *cut_short)


def test_leaving_cancelled_ones_out_would_be_wrong() -> None:
    """Starts take 30 s to 90 s, and at 60 s half of those still warming are given up."""
    rng = np.random.default_rng(0)
    true = rng.uniform(30, 90, 4000)
    given_up = (true > 60) & (rng.random(4000) < 0.5)
    estimate = quantile(true[~given_up].tolist(), [60.0] * int(given_up.sum()), 0.9)
    assert estimate == pytest.approx(84, abs=1.5)
    assert np.quantile(true[~given_up], 0.9) < 82
    # To take the age at which they were given up for their start would be worse.
    assert np.quantile(np.minimum(true, np.where(given_up, 60, true)), 0.9) < 81


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="one duration at least"):
        quantile([], [60.0], 0.9)

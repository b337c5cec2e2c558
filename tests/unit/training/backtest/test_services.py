"""A recording becomes a service with a class, or is refused for a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_training.backtest.services import (
    Class,
    HistoryError,
    average,
    classify,
    day_correlation,
    from_trace,
)
from headstart_training.loads.traces import Trace
from tests.unit.training.backtest.recordings import MONDAY, waves


@pytest.mark.parametrize(
    ("noise", "bin_", "expected"),
    [
        (0.02, 60.0, Class.PREDICTABLE),
        (0.02, 299.0, Class.PREDICTABLE),
        # However regular: what happens within a lead time is not in the recording.
        (0.02, 300.0, Class.COARSE),
        (3.0, 60.0, Class.NOISY),
    ],
)
def test_classes_follow_the_protocol(noise: float, bin_: float, expected: Class) -> None:
    assert classify(waves(5, 60.0, noise), 60.0, bin_) is expected


def test_the_class_looks_at_whole_days_of_the_given_half_only() -> None:
    """A load that goes wild in the test half was predictable when it was tuned on."""
    rates = waves(6, 60.0)
    rates[len(rates) // 2 :] = np.random.default_rng(0).exponential(60, len(rates) // 2)
    assert from_trace("checkout", Trace(rates, 60.0, MONDAY)).kind is Class.PREDICTABLE


def test_a_day_without_the_one_before_has_no_correlation() -> None:
    assert day_correlation(waves(1.9, 60.0), 60.0) == 0.0


def test_a_load_that_never_varies_has_no_correlation() -> None:
    assert day_correlation(np.ones(5 * 1440), 60.0) == 0.0


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=40),
    several=st.integers(1, 6),
)
def test_averaging_keeps_the_mean_of_what_is_whole(values: list[float], several: int) -> None:
    averaged = average(np.array(values), several)
    whole = np.array(values[: len(averaged) * several])
    assert len(averaged) == len(values) // several
    if len(whole):
        assert averaged.mean() == pytest.approx(whole.mean())


def test_half_of_a_group_known_is_enough() -> None:
    assert average(np.array([np.nan, 4.0, np.nan, np.nan]), 2) == pytest.approx(
        [4.0, np.nan], nan_ok=True
    )


@pytest.mark.parametrize(("step", "interval"), [(10.0, 60.0), (45.0, 90.0), (60.0, 60.0)])
def test_fine_bins_are_averaged_up_to_a_minute(step: float, interval: float) -> None:
    made = from_trace("checkout", Trace(waves(2.1, step), step, MONDAY))
    assert (made.interval, made.bin) == (interval, step)


def test_a_gap_is_filled_for_the_simulator_and_stays_unknown() -> None:
    rates = waves(4)
    rates[100:110] = np.nan
    made = from_trace("checkout", Trace(rates, 300.0, MONDAY, ("10 bins are missing",)))
    assert np.isfinite(made.filled).all()
    assert (~made.known).sum() == 10
    assert made.repairs == ("10 bins are missing",)


def _unknown(rates: np.ndarray, start: int) -> np.ndarray:
    rates[start : start + 400] = np.nan
    return rates


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (waves(1.9), "1.90 days of history, at least 2 are needed"),
        (_unknown(waves(4), 0), "69% of the tuning half is unknown, at most 50%"),
        (_unknown(waves(4), 600), "69% of the test half is unknown, at most 50%"),
        (np.concatenate([waves(2), np.zeros(576)]), "no request arrives in the test half"),
    ],
)
def test_what_nobody_can_judge_by_is_refused(rates: np.ndarray, message: str) -> None:
    with pytest.raises(HistoryError, match=message):
        from_trace("checkout", Trace(rates, 300.0, MONDAY))

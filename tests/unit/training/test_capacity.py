"""Proposals of a capacity: near the truth where the recording tells it, a lower bound elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from headstart_training.loads.capacity import propose, saturated
from headstart_training.loads.starts import lead_time

if TYPE_CHECKING:
    from headstart_policy.types import Floats

TRUTH = 5.0
MINUTES = 7 * 1440


class Recording(NamedTuple):
    """What a service was seen to do."""

    rate: Floats
    ready: Floats
    held: Floats


def record(
    utilisation: float, seed: int = 0, *, served: bool = False, blur: float = 0.0
) -> Recording:
    """Play a service under a reactive scaler that is ten minutes late.

    Parameters
    ----------
    utilisation
        What the scaler aims at.
    seed
        Of the noise.
    served
        Whether the rate counts served requests instead of arrivals.
    blur
        Standard deviation of a minute's capacity over its mean.
    """
    rng = np.random.default_rng(seed)
    minute = np.arange(MINUTES)
    rate = 100 * (1.2 + np.sin(2 * np.pi * minute / 1440)) * rng.normal(1, 0.05, MINUTES)
    ready = np.ceil(np.roll(rate, 10) / TRUTH / utilisation)
    # A scaler keeps its replicas for a while: the largest of the last five minutes.
    ready = np.max([np.roll(ready, k) for k in range(5)], axis=0)
    capacity = ready * TRUTH * rng.normal(1, blur, MINUTES)
    held = (rate <= capacity).astype(np.float64)
    return Recording(np.minimum(rate, capacity) if served else rate, ready, held)


@pytest.mark.parametrize("served", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_where_the_slo_failed_the_capacity_is_found(seed: int, *, served: bool) -> None:
    found = propose(*record(0.95, seed, served=served))
    assert found
    assert not found.lower_bound
    assert found.estimate == pytest.approx(TRUTH, rel=0.03)
    assert found.low <= found.estimate <= found.high
    assert found.high / found.low < 1.1
    assert "the SLO fails in" in found.words


def test_where_it_fails_by_degrees_the_proposal_is_below_the_middle() -> None:
    found = propose(*record(0.95, blur=0.1))
    assert found
    assert 0.75 * TRUTH < found.estimate < TRUTH


def test_where_it_never_failed_there_is_a_lower_bound() -> None:
    rate, ready, held = record(0.6)
    assert held.all()
    found = propose(rate, ready, held)
    assert found
    assert found.lower_bound
    assert found.low <= found.estimate < TRUTH
    assert "a lower bound" in found.words
    assert "the SLO failed 0 times" in found.words


def test_without_a_service_level_there_is_a_lower_bound() -> None:
    rate, ready, _ = record(0.6)
    found = propose(rate, ready)
    assert found
    assert found.lower_bound
    assert "nothing says whether the SLO held" in found.words


@pytest.mark.parametrize("minutes", [1, 10])
@pytest.mark.parametrize("seed", range(4))
def test_failures_that_do_not_depend_on_the_load_are_no_capacity(seed: int, minutes: int) -> None:
    rate, ready, _ = record(0.6, seed)
    fails = np.random.default_rng(seed).random(MINUTES // minutes) < 0.02 / minutes**0.5
    found = propose(rate, ready, 1.0 - np.repeat(fails, minutes))
    assert found
    assert found.lower_bound
    assert "too little of it depends on the load" in found.words


def test_failures_of_a_bad_release_hardly_move_the_capacity() -> None:
    recording = record(0.95)
    recording.held[3000:3100] = 0
    found = propose(*recording)
    assert found
    assert found.estimate == pytest.approx(TRUTH, rel=0.05)


def test_what_is_unknown_is_left_out() -> None:
    rate, ready, held = record(0.95)
    rate[100:400] = np.nan
    ready[2000:2300] = np.nan
    held[5000:5300] = np.nan
    found = propose(rate, ready, held)
    assert found
    assert found.estimate == pytest.approx(TRUTH, rel=0.03)


@pytest.mark.parametrize("held", [None, np.ones(30)])
def test_half_an_hour_says_nothing(held: Floats | None) -> None:
    assert propose(np.full(30, 10.0), np.full(30, 2.0), held) is None


@pytest.mark.parametrize("factor", [1e-3, 0.3, 1e3])
def test_the_unit_of_the_rate_does_not_matter(factor: float) -> None:
    rate, ready, held = (part[:1440] for part in record(0.95))
    found, scaled = propose(rate, ready, held), propose(rate * factor, ready, held)
    assert found
    assert scaled
    np.testing.assert_allclose(scaled[:3], np.array(found[:3]) * factor)


def test_saturated_is_what_serves_nearly_all_that_it_can() -> None:
    rate = np.array([9.4, 9.5, 12.0, 0.0, np.nan, 5.0])
    ready = np.array([2.0, 2.0, 2.0, 0.0, 2.0, np.nan])
    np.testing.assert_array_equal(
        saturated(rate, ready, TRUTH), [False, True, True, False, False, False]
    )


def test_lead_times_are_a_median_and_a_plan() -> None:
    created = np.arange(11, dtype=np.float64) * 100
    found = lead_time(created, created + np.append(np.arange(10) + 60, np.nan))
    assert found
    assert (found.median, found.starts) == (64.5, 10)
    assert found.p90 == pytest.approx(68.1)


def test_few_starts_are_no_lead_time() -> None:
    created = np.arange(6, dtype=np.float64) * 100
    assert lead_time(created, created + np.array([1, 2, 3, 4, np.nan, -5])) is None

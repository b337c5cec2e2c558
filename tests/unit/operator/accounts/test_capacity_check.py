"""The declared capacity: only saturation tells, and only with an sli that it is lower."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_operator.accounts.capacity_check import DRIFT, ENOUGH, Evidence

HOUR = 240


def watch(loads: list[float], capacity: float | None, evidence: Evidence | None = None) -> Evidence:
    """Watch intervals of a service whose replicas serve so many declared capacities."""
    evidence = evidence or Evidence()
    for load in loads:
        evidence = evidence.add(load, good=None if capacity is None else load <= capacity)
    return evidence


def a_day(seed: int = 0, least: float = 0.3, most: float = 1.4, count: int = HOUR) -> list[float]:
    """Draw loads per replica, in declared capacities."""
    loads: list[float] = np.random.default_rng(seed).uniform(least, most, count).tolist()
    return loads


@pytest.mark.parametrize("capacity", [0.5, 0.7, 0.8, 1.2, 1.3])
def test_what_divides_good_from_bad_is_the_capacity(capacity: float) -> None:
    drift = watch(a_day(count=2 * HOUR), capacity).drift()
    assert drift is not None
    assert drift.reason == ("CapacityLower" if capacity < 1 else "CapacityHigher")
    assert drift.ratio == pytest.approx(capacity, rel=0.06)


@pytest.mark.parametrize("capacity", [0.9, 1.0, 1.1])
def test_a_small_drift_is_noise(capacity: float) -> None:
    evidence = watch(a_day(), capacity)
    assert evidence.drift() is None
    assert evidence.seen


def test_an_outage_divides_nothing() -> None:
    """Bad at every load, and then good at every load."""
    evidence = watch(a_day(1, most=0.9), 0.0)
    assert watch(a_day(2, most=0.9), 9.0, evidence).drift() is None


def test_replicas_that_serve_more_than_declared_without_a_bad_minute() -> None:
    drift = watch(a_day(most=1.3), 9.0).drift()
    assert drift is not None
    assert drift.reason == "CapacityHigher"
    assert drift.ratio > 1 + DRIFT


@pytest.mark.parametrize("seed", range(3))
def test_unsaturated_minutes_say_nothing_without_an_sli(seed: int) -> None:
    evidence = watch(a_day(seed, most=0.94), None)
    assert evidence == Evidence()
    assert evidence.drift() is None
    assert not evidence.seen


def test_without_an_sli_a_plateau_is_the_capacity() -> None:
    """What is served stays at 1.3 times the declared capacity while there is more to serve."""
    plateau = np.random.default_rng(0).normal(1.3, 0.01, HOUR).tolist()
    drift = watch(plateau, None).drift()
    assert drift is not None
    assert drift.reason == "CapacityHigher"
    assert drift.ratio == pytest.approx(1.3, rel=0.06)
    # Arrivals over the capacity come in every height.
    assert watch(a_day(least=1.0, most=2.5), None).drift() is None


def test_few_minutes_prove_nothing() -> None:
    few = int(ENOUGH) - 1
    assert watch([1.3] * few, None).drift() is None
    assert watch([0.5] * 200 + [0.8] * few, 0.6).drift() is None


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from([True, False, None])), max_size=60))
def test_it_is_bounded_and_survives_a_restart(samples: list[tuple[float, bool | None]]) -> None:
    evidence = Evidence()
    for load, good in samples:
        evidence = evidence.add(load, good=good)
    evidence.drift()
    again = Evidence.from_json(json.loads(json.dumps(evidence.to_json())))
    for name, counts in vars(evidence).items():
        np.testing.assert_allclose(getattr(again, name), counts, atol=1e-3)


@pytest.mark.parametrize("broken", [{"good": {"99": 1}}, {"bad": {"1": -1}}, {"full": {"x": 1}}])
def test_evidence_that_was_edited_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is no count of a bin|invalid literal"):
        Evidence.from_json({**Evidence().to_json(), **broken})

"""Compiled prices are physics', for single steps and for whole paths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_policy.profile import Objective, Profile
from headstart_training.contest import settle
from headstart_training.settings import of_rates
from headstart_training.simulator import serve, take_profiles


@settings(deadline=None)
@given(
    capacity=st.floats(0.01, 1000),
    noise=st.floats(0.0, 0.5),
    correlation=st.floats(0.0, 1.0),
    slo=st.floats(0.5, 0.9999),
    violation=st.floats(0.0, 1e5),
    seed=st.integers(0, 2**32),
    scale=st.sampled_from([1, 10, 1000, 100_000]),
    drawn=st.booleans(),
)
def test_compiled_prices_are_those_of_physics(
    *,
    capacity: float,
    noise: float,
    correlation: float,
    slo: float,
    violation: float,
    seed: int,
    scale: int,
    drawn: bool,
) -> None:
    """From no replica to a hundred thousand, from no load to three times what they serve."""
    rng = np.random.default_rng(seed)
    profile = Profile(
        capacity,
        lead_time=60.0,
        interval=60.0,
        objective=Objective(slo=slo, violation_cost=violation),
        seasons=(),
        capacity_noise=noise,
        capacity_correlation=correlation,
    )
    ready = rng.integers(0, scale + 1, (2, 40))
    rates = ready * capacity * rng.choice([0.0, 0.5, 0.9, 0.99, 1.0, 1.01, 3.0], (2, 40))
    one = np.ones(2, dtype=np.int64)
    world = of_rates(profile, np.pad(rates, ((0, 0), (1, 0))), 1, lag=0 * one, window=one)
    draws = rng.standard_normal((2, 40)) if drawn else None
    world = replace(world, noise=draws)
    each = np.repeat([0, 1], 40)
    profiles = take_profiles(world.profiles, each)
    flat = None if draws is None else draws.ravel()
    expected = serve(
        profiles, world.common[each], rates.ravel(), flat, ready.ravel(), ready.ravel()
    )
    # What a step earns is a difference of large sums: compare on their scale.
    worth = (
        rates.max() * profiles.request_value[0]
        + profiles.violation_cost[0]
        + ready.max() * profiles.replica_cost[0]
    ) * 60
    dollars, violations = world.price(ready, ready)
    np.testing.assert_allclose(dollars.ravel(), expected.dollars, atol=1e-11 * worth)
    np.testing.assert_allclose(violations.ravel(), expected.violation, atol=1e-11)
    step = world.serve(7, ready[:, 7], ready[:, 7])
    np.testing.assert_array_equal(step.dollars, dollars[:, 7])
    np.testing.assert_array_equal(step.violation, violations[:, 7])


@pytest.mark.parametrize("billed", [True, False])
def test_each_service_has_its_own_way_of_billing(billed: bool) -> None:  # noqa: FBT001
    profile = Profile(5.0, lead_time=180.0, interval=60.0, seasons=())
    one = np.ones(2, dtype=np.int64)
    world = of_rates(profile, np.full((2, 6), 9.0), 1, lag=0 * one, window=one)
    world = replace(world, initial=2 * one, bill_warming=np.array([billed, not billed]))
    asked = np.array([[4, 4, 4, 4, 4]] * 2)
    warming_unbilled = [[2, 2, 2, 4, 4], [4, 4, 4, 4, 4]]
    expected = warming_unbilled[::-1] if billed else warming_unbilled
    assert settle(world, asked).billed.tolist() == expected
    swapped = settle(world.take(np.array([1, 0])), asked)
    assert swapped.billed.tolist() == expected[::-1]

"""`headstart_policy.physics` for whole paths: what replicas serve, miss and cost.

The formulas are those of :func:`headstart_policy.physics.expected_outcome` and ``outcome``; tests
pin the two to each other. They are written without branches, and with an exponential of their own,
so that the compiler can work on several steps at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from headstart_training.kernels.compiled import compiled, inlined

if TYPE_CHECKING:
    from headstart_policy.physics import Outcome
    from headstart_policy.profile import Profiles
    from headstart_policy.types import Floats, Ints

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
# exp(x) below this is taken to be 0: nobody pays for a chance of 1e-43.
_LEAST_EXPONENT = -100.0


class Terms(NamedTuple):
    """What pricing needs to know of N services; each of shape (N,)."""

    capacity: Floats
    """Requests/s of a ready replica."""
    sigma: Floats
    """Standard deviation of it, requests/s."""
    common: Floats
    """Correlation of the replicas' noise."""
    slo: Floats
    value: Floats
    """Dollars of a step in which one request/s is served."""
    violation: Floats
    """Dollars of a step in violation."""
    replica: Floats
    """Dollars of a replica for a step."""


def terms_of(profiles: Profiles) -> Terms:
    """Collect the terms of N services."""
    return Terms(
        capacity=profiles.capacity,
        sigma=profiles.capacity * profiles.capacity_noise,
        common=profiles.capacity_correlation,
        slo=profiles.slo,
        value=profiles.request_value * profiles.interval,
        violation=profiles.violation_cost * profiles.interval,
        replica=profiles.replica_cost * profiles.interval,
    )


@inlined
def fleet_spread(ready: float, sigma: float, common: float) -> float:
    """Standard deviation of the capacity of ``ready`` replicas, requests/s."""
    return sigma * math.sqrt(ready * (1 - common) + ready * ready * common)


@inlined
def expected(rate: float, mean: float, spread: float, slo: float) -> tuple[float, float]:
    """Served requests/s and the probability of a violation, for a capacity that is normal."""
    certain = spread <= 0
    safe = 1.0 if certain else spread
    d = (rate - mean) / safe
    served = rate - (rate - mean) * _cdf(d) - safe * _DENSITY * _exp(-0.5 * d * d)
    served = min(max(served, 0.0), rate)
    violation = _cdf((slo * rate - mean) / safe)
    exact = min(rate, mean)
    missed = 1.0 if exact < slo * rate else 0.0
    violation = missed if certain else violation
    return (exact if certain else served), (violation if rate > 0 else 0.0)


@inlined
def drawn(rate: float, mean: float, spread: float, slo: float, noise: float) -> tuple[float, float]:
    """Served requests/s and whether the SLO is missed, for one draw of the capacity."""
    served = min(rate, max(mean + spread * noise, 0.0))
    return served, 1.0 if served < slo * rate else 0.0


@inlined
def _cdf(x: float) -> float:
    """:func:`headstart_policy.physics.normal_cdf`."""
    z = abs(x) * _ROOT_HALF
    t = 1.0 / (1.0 + 0.5 * z)
    poly = 0.17087277
    poly = -0.82215223 + t * poly
    poly = 1.48851587 + t * poly
    poly = -1.13520398 + t * poly
    poly = 0.27886807 + t * poly
    poly = -0.18628806 + t * poly
    poly = 0.09678418 + t * poly
    poly = 0.37409196 + t * poly
    poly = 1.00002368 + t * poly
    poly = -1.26551223 + t * poly
    upper = 0.5 * t * _exp(poly - z * z)
    return 1.0 - upper if x > 0 else upper


@inlined
def _exp(x: float) -> float:
    """Exponential of x <= 0 by Taylor's series of x / 1024 and ten squarings; relative error 2e-13.

    A call of the C library's would keep the compiler from working on several steps at once.
    """
    y = max(x, _LEAST_EXPONENT) / 1024
    e = 1.0 + y * (1 / 9) * (1.0 + y * (1 / 10))
    e = 1.0 + y * (1 / 8) * e
    e = 1.0 + y * (1 / 7) * e
    e = 1.0 + y * (1 / 6) * e
    e = 1.0 + y * (1 / 5) * e
    e = 1.0 + y * (1 / 4) * e
    e = 1.0 + y * (1 / 3) * e
    e = 1.0 + y * (1 / 2) * e
    e = 1.0 + y * e
    e *= e  # Not a loop: the compiler does not look into a loop within a loop.
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return e if x > _LEAST_EXPONENT else 0.0


@compiled
def price_step(
    terms: Terms, rate: Floats, noise: Floats | None, ready: Ints, billed: Ints, outcome: Outcome
) -> None:
    """Price one step of N services into ``outcome``; ``noise`` of ``None`` asks for expectations.

    The others have shape (N,).
    """
    for i in range(len(rate)):
        n = float(ready[i])
        mean = n * terms.capacity[i]
        spread = fleet_spread(n, terms.sigma[i], terms.common[i])
        if noise is None:
            served, missed = expected(rate[i], mean, spread, terms.slo[i])
        else:
            served, missed = drawn(rate[i], mean, spread, terms.slo[i], noise[i])
        outcome.served[i], outcome.violation[i] = served, missed
        outcome.dollars[i] = (
            served * terms.value[i] - missed * terms.violation[i] - billed[i] * terms.replica[i]
        )


@compiled
def price_paths(
    start: int,
    stop: int,
    terms: Terms,
    rates: Floats,
    noise: Floats | None,
    ready: Ints,
    billed: Ints,
    dollars: Floats,
    violations: Floats,
) -> None:
    """Price the services from start to stop into ``dollars`` and ``violations``, shape (N, T).

    ``noise`` of ``None`` asks for expectations; the others have shape (N, T).
    """
    for i in range(start, stop):
        capacity, sigma, common = terms.capacity[i], terms.sigma[i], terms.common[i]
        slo, value, violation = terms.slo[i], terms.value[i], terms.violation[i]
        replica = terms.replica[i]
        for t in range(rates.shape[1]):
            n = float(ready[i, t])
            mean, spread = n * capacity, fleet_spread(n, sigma, common)
            if noise is None:
                served, missed = expected(rates[i, t], mean, spread, slo)
            else:
                served, missed = drawn(rates[i, t], mean, spread, slo, noise[i, t])
            dollars[i, t] = served * value - missed * violation - billed[i, t] * replica
            violations[i, t] = missed

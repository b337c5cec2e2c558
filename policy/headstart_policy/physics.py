"""Replicas -> served requests, violations and money: one truth for everything that prices.

Money is in dollars, rates in requests/s, durations in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.profile import Profiles
    from headstart_policy.types import Bools, Floats, Ints


# Standard deviations beyond which everything is certain: the normal density is 0.0 from 39 on.
_FAR = 1e3


class Outcome(NamedTuple):
    """What one step of N services came to; each of shape (N, ...)."""

    served: Floats
    """Requests/s."""
    violation: Bools | Floats
    """Whether, or with which probability, the SLO was missed."""
    dollars: Floats
    """Earned less spent in the step."""


def serve(rate: Floats, capacity: Floats, slo: Floats) -> tuple[Floats, Bools]:
    """Serve ``rate`` with the fleet's ``capacity`` (both requests/s): served rate, violation.

    No load is no violation: the original game divided by the load and called an idle minute down.
    """
    served = np.minimum(rate, capacity)
    return served, served < slo * rate


def price(
    served: Floats, violation: Bools | Floats, billed: Ints | Floats, profiles: Profiles
) -> Floats:
    """Dollars of one interval: request value less violations less ``billed`` replicas."""
    per_second = (
        served * profiles.request_value
        - violation * profiles.violation_cost
        - billed * profiles.replica_cost
    )
    return per_second * profiles.interval


def outcome(rate: Floats, capacity: Floats, billed: Ints | Floats, profiles: Profiles) -> Outcome:
    """Price one interval with a fleet whose ``capacity``, requests/s, is known."""
    served, violation = serve(rate, capacity, profiles.slo)
    return Outcome(served, violation, price(served, violation, billed, profiles))


def expected_outcome(
    rate: Floats, ready: Ints | Floats, billed: Ints | Floats, profiles: Profiles, common: Floats
) -> Outcome:
    """Price one interval with the capacity noise integrated out.

    Parameters
    ----------
    rate, ready, billed
        Requests/s, replicas, replicas; shape (N,).
    profiles
        Of the N services.
    common
        Correlation of the replicas' capacity noise, in [0, 1]: 0, each draws its own; 1, one draw
        for the fleet (the seed's).

    Notes
    -----
    The fleet's capacity is normal with mean ``m = n mu`` and ``s^2 = sigma^2 (n (1 - c) + n^2 c)``.
    For a load L and ``d = (L - m)/s``: ``E[min(L, C)] = L - (L - m) Phi(d) - s phi(d)`` and
    ``P(C < slo L) = Phi((slo L - m)/s)``.
    """
    mean = ready * profiles.capacity
    spread = fleet_spread(ready, profiles, common)
    certain = spread <= 0
    safe = np.where(certain, 1.0, spread)
    # Noise of 1e-156 puts a load 1e156 deviations off, whose square is no double.
    d = np.clip((rate - mean) / safe, -_FAR, _FAR)
    density = np.exp(-0.5 * d**2) / np.sqrt(2 * np.pi)
    # Both at once: for few services a call costs more than its numbers.
    short = np.clip((profiles.slo * rate - mean) / safe, -_FAR, _FAR)
    below, violation = normal_cdf(np.stack([d, short]))
    served = rate - (rate - mean) * below - safe * density
    exact, missed = serve(rate, mean, profiles.slo)
    served = np.where(certain, exact, np.clip(served, 0.0, rate))
    violation = np.where(rate > 0, np.where(certain, missed, violation), 0.0)
    return Outcome(served, violation, price(served, violation, billed, profiles))


def fleet_spread(ready: Ints | Floats, profiles: Profiles, common: Floats) -> Floats:
    """Standard deviation of the fleet's capacity, requests/s; arguments of expected_outcome."""
    sigma = profiles.capacity * profiles.capacity_noise
    spread: Floats = np.sqrt(sigma**2 * (ready * (1 - common) + ready**2 * common))
    return spread


def ready_path(desired: Ints, lead_steps: int, start: Ints) -> Ints:
    """Reduce a path of desired replicas to the replicas that are ready, shape (N, T).

    With one constant lead time, youngest-first scale-down and every first pod ready, what is
    ready at step t was asked for at each of the steps t - lead_steps .. t: a moving minimum.

    Parameters
    ----------
    desired
        Replicas asked for at each step, shape (N, T).
    lead_steps
        Whole steps from asking to ready, at least 0.
    start
        Replicas that were ready before the first step, shape (N,).
    """
    before = np.repeat(start[:, None], lead_steps, axis=1)
    least: Ints = np.concatenate([before, desired], axis=1)
    # Column t holds the least of `width` steps from t on: two such windows, the second `shift`
    # steps later, overlap into a wider one, so a window of w steps takes log2(w) passes.
    width = 1
    while width <= lead_steps:
        shift = min(width, lead_steps + 1 - width)
        least = np.minimum(least[:, :-shift], least[:, shift:])
        width += shift
    return least


def normal_cdf(x: Floats) -> Floats:
    """Standard normal distribution function, absolute error below 1e-7.

    Source: the complementary error function by a Chebyshev fit, W. H. Press et al., Numerical
    Recipes in C, 2nd ed., section 6.2 (relative error below 1.2e-7).
    """
    z = np.abs(x) / np.sqrt(2)
    t = 1.0 / (1.0 + 0.5 * z)
    exponent = np.polynomial.polynomial.polyval(t, _ERFC) - z * z
    upper_tail: Floats = 0.5 * t * np.exp(exponent)
    return np.where(x > 0, 1.0 - upper_tail, upper_tail)


_ERFC = (
    -1.26551223,
    1.00002368,
    0.37409196,
    0.09678418,
    -0.18628806,
    0.27886807,
    -1.13520398,
    1.48851587,
    -0.82215223,
    0.17087277,
)

"""The region that a policy was trained for, in dimensionless quantities, and how it is left."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.windows import load_of

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Envelope:
    """Least and most of each quantity.

    Attributes
    ----------
    demand
        Replicas that the load needs, before any margin.
    ramp
        Level over the mean of the lead time before it.
    lead_steps
        Lead time in intervals.
    stake
        Price of violating the SLO for an hour over the price of a replica for an hour.
    worth
        What a fully used replica earns over what it costs.
    slo
        Share of requests to be served.
    """

    demand: Bounds
    ramp: Bounds
    lead_steps: Bounds
    stake: Bounds
    worth: Bounds
    slo: Bounds

    def __post_init__(self) -> None:
        """Refuse bounds that are not two ordered numbers."""
        for f in fields(self):
            low, high = map(float, getattr(self, f.name))
            if not -np.inf < low <= high < np.inf:
                raise ValueError(
                    f"envelope.{f.name} = [{low}, {high}], must be ordered, finite numbers"
                )
            object.__setattr__(self, f.name, (low, high))


def leaves(envelope: Envelope, observation: Observation) -> list[str | None]:
    """Say for each of N services which bound it left, or ``None`` where it is inside."""
    reasons: list[str | None] = [None] * len(observation)
    for name, values in _quantities(observation).items():
        low, high = getattr(envelope, name)
        # A quantity that is unknown (NaN) left nothing; metric loss is another guardrail's.
        outside = (values < low) | (values > high)
        for i in np.flatnonzero(outside):
            reasons[i] = reasons[i] or f"{name} = {values[i]:.4g}, trained for [{low:g}, {high:g}]"
    return reasons


def _quantities(observation: Observation) -> dict[str, Floats]:
    profiles = observation.profiles
    demand = load_of(observation).demand
    # Windows 0..2 are the last lead time, window 3 the one before it. One replica is added to
    # both, so that a night of 0.01 replicas can wake without leaving the envelope.
    before = observation.recent[:, 3] / profiles.capacity
    return {
        "demand": demand,
        "ramp": (demand + 1.0) / (before + 1.0),
        "lead_steps": profiles.lead_time / profiles.interval,
        "stake": profiles.violation_cost / profiles.replica_cost,
        "worth": profiles.request_value * profiles.capacity / profiles.replica_cost,
        "slo": profiles.slo,
    }

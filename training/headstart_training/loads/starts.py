"""How long pods took from creation to ready: the lead time, as a recording tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Floats

# As many as the operator wants before it plans with what it measured.
FEWEST = 5


class LeadTime(NamedTuple):
    """Time from a pod's creation to its being ready [s]."""

    median: float
    p90: float
    """Plan with this: for a plan with the median, half of the replicas would be late."""
    starts: int


def lead_time(created: Floats, ready: Floats) -> LeadTime | None:
    """Measure the lead time; ``None`` if fewer than five pods tell it.

    Parameters
    ----------
    created, ready
        Unix times of each pod [s], NaN where unknown or never, shape (P,).
    """
    took = ready - created
    took = took[np.isfinite(took) & (took >= 0)]
    if took.size < FEWEST:
        return None
    median, p90 = np.quantile(took, [0.5, 0.9])
    return LeadTime(float(median), float(p90), int(took.size))

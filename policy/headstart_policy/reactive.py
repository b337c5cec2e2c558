"""The HorizontalPodAutoscaler's formula: floor, fallback and baseline.

Source: https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/
#algorithm-details
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.behavior import NO_LIMIT

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

# 20 / (0.7 x 30) x 21 is 20.000000000000004 in floats; a ceiling without this slack adds one.
_SLACK = 1e-9


def reactive(rate: Floats, capacity: Floats, utilization: Floats | float) -> Ints:
    """Count the replicas that serve ``rate`` at ``utilization`` of their capacity, shape (N,).

    Parameters
    ----------
    rate
        Requests/s, shape (N,); an unknown (NaN) rate needs 0 replicas, the caller holds.
    capacity
        Requests/s per replica.
    utilization
        Share of the capacity that is to be used, in (0, 1].
    """
    return ceil_replicas(np.nan_to_num(rate) / (capacity * utilization))


def ceil_replicas(demand: Floats) -> Ints:
    """Round a demand up to whole replicas, forgiving float noise below a billionth.

    At most :data:`headstart_policy.behavior.NO_LIMIT`: 1e20 replicas would wrap to less than none.
    """
    return np.ceil(demand - _SLACK).clip(0, NO_LIMIT).astype(np.int64)

"""What is expected a lead time ahead: for people to compare with what came, not to decide with.

The network answers in replicas and has no forecast to show. This is the seasonal naive one with a
level correction, the first thing that a forecast must beat (Hyndman & Athanasopoulos, Forecasting:
Principles and Practice, 3rd ed., section 5.2): where it is off, a policy has less to plan with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.observation import ECHOES, SEASONAL_EDGES
from headstart_policy.windows import LEAST, load_of

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats

# The half lead time before the same moment one season ago; and the windows before and after one
# lead time later, with the shares by which their middles give that moment.
_THEN = int(np.flatnonzero(SEASONAL_EDGES == 0.0)[0]) - 1
_AFTER = int(np.flatnonzero(SEASONAL_EDGES == 1.0)[0])
_MIDDLES = (SEASONAL_EDGES[_AFTER - 1 : _AFTER + 1] + SEASONAL_EDGES[_AFTER : _AFTER + 2]) / 2
_SHARE = float((1.0 - _MIDDLES[0]) / (_MIDDLES[1] - _MIDDLES[0]))
# A season ago, each season's own; two days ago is no forecast of its own.
_LAST = [row for row, (_, times) in enumerate(ECHOES) if times == 1]


def forecast(observation: Observation) -> Floats:
    """Expect of N services that the level moves as it did in the seasons before.

    Returns
    -------
    The rate one lead time ahead, requests/s, shape (N,): the level, where no season is known; NaN,
    where nothing is.
    """
    level = load_of(observation).level
    least = LEAST * observation.profiles.capacity
    then = observation.seasonal[:, _LAST, _THEN] + least[:, None]
    around = observation.seasonal[:, _LAST, _AFTER - 1 : _AFTER + 1]
    # Of two windows a hole may leave one.
    around = np.where(np.isnan(around), around[..., ::-1], around)
    ahead = (1 - _SHARE) * around[..., 0] + _SHARE * around[..., 1] + least[:, None]
    moves = np.log(ahead / then)
    known = ~np.isnan(moves)
    # The geometric mean of a day and a week, or the one that is known.
    total = np.where(known, moves, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    expected: Floats = np.maximum((level + least) * np.exp(total) - least, 0.0)
    return expected

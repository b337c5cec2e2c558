"""Forecasts that wait for their moment, so that they stand beside what came."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headstart_policy.profile import Profile

# A lead time of a day decided on each second would be 86,400 of them; what is longer ago than so
# many decisions is not shown.
MOST = 1_000


class Forecasts:
    """Forecasts of one service in the order in which they were made."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, float]] = deque(maxlen=MOST)

    def due(self, time: float, profile: Profile, forecast: float) -> float | None:
        """Put a new forecast in, and take out the one that was made for ``time``.

        Parameters
        ----------
        time
            Of the decision, s since the epoch.
        profile
            Of the service: a forecast is for one horizon after it was made.
        forecast
            Requests/s; NaN: nothing is known.

        Returns
        -------
        The newest forecast for ``time`` or before it, at most an interval old, requests/s.
        """
        due = None
        while self._waiting and self._waiting[0][0] <= time:
            due = self._waiting.popleft()
        if math.isfinite(forecast):
            self._waiting.append((time + profile.horizon, forecast))
        return due[1] if due is not None and due[0] > time - profile.interval else None

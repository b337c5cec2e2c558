"""The HorizontalPodAutoscaler on a rate per replica, for N services at once."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.reactive import reactive

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats, Ints
    from headstart_training.contest import Moment


class HPA:
    """Want ``ceil(rate / (target * capacity))`` replicas, and go down late.

    Parameters
    ----------
    target
        Utilisation to hold, in (0, 1].
    window
        Down-stabilisation [s]: go down only to the largest want of this time (autoscaling/v2: 300).
    tolerance
        Do nothing while the rate per replica is off its target by no more than this share
        (autoscaling/v2: 0.1).
    least, most
        ``minReplicas`` and ``maxReplicas``.

    Raises
    ------
    ValueError
        A number is out of its bounds; the message names key, bound and value.

    Notes
    -----
    A metric of type ``External`` or ``Object`` with an ``AverageValue`` target: the replicas that
    count are ``status.replicas``, warming ones included, so no readiness correction applies.
    Source: ``GetExternalPerPodMetricReplicas`` and ``stabilizeRecommendation`` in Kubernetes'
    ``pkg/controller/podautoscaler``.
    """

    def __init__(
        self,
        target: float,
        *,
        window: float = 300.0,
        tolerance: float = 0.1,
        least: int = 1,
        most: int = 2**31 - 1,
    ) -> None:
        if not 0 < target <= 1:
            raise ValueError(f"target = {target}, must be in (0, 1]")
        if window < 0:
            raise ValueError(f"window = {window}, must be at least 0 s")
        if not 0 <= tolerance < 1:
            raise ValueError(f"tolerance = {tolerance}, must be in [0, 1)")
        self._target, self._window, self._tolerance = target, window, tolerance
        self._least, self._most = least, most
        self._wants: deque[tuple[Floats, Ints]] = deque()

    def decide(self, observation: Observation, moment: Moment) -> Ints:
        """Replicas to ask for, shape (N,); where no rate is known, those that there are."""
        current, capacity = observation.current, observation.profiles.capacity
        usage = moment.rate / (capacity * self._target * np.maximum(current, 1))
        # NaN is within no tolerance, hence the negation.
        calm = ~(np.abs(usage - 1.0) > self._tolerance) & (current > 0)
        want = np.where(calm, current, reactive(moment.rate, capacity, self._target))
        self._wants.append((moment.now, want))
        while np.all(self._wants[0][0] <= moment.now - self._window) and len(self._wants) > 1:
            self._wants.popleft()
        recent = [
            np.where(then > moment.now - self._window, wanted, want) for then, wanted in self._wants
        ]
        highest = np.max(recent, axis=0)
        stable: Ints = np.clip(np.clip(current, want, highest), self._least, self._most)
        return stable

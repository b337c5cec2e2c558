"""What is known of a service before its first request: economics, capacity, lead time, seasons."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.types import Floats, Ints

DAY = 86_400.0
WEEK = 7 * DAY
# 2.1 / 0.7 is 3.0000000000000004 intervals in floats; a ceiling without this slack adds one.
_SLACK = 1e-9


@dataclass(frozen=True)
class Objective:
    """The money behind a decision; the defaults are the seed's game.

    Parameters
    ----------
    slo
        Share of requests that must be served for an instant to count as good, in (0, 1).
    replica_cost
        Price of one replica, dollars per hour; greater than 0.
    request_value
        Earned by serving 1,000 requests, dollars; at least 0.
    violation_cost
        Price of one minute under the SLO, dollars; at least 0.

    Raises
    ------
    ValueError
        A value is out of its bounds; the message names key, bound and value.
    """

    slo: float = 0.995
    replica_cost: float = 3.00
    request_value: float = 0.90
    violation_cost: float = 200.0

    def __post_init__(self) -> None:
        """Refuse economics that have no optimum."""
        if not 0.0 < self.slo < 1.0:
            raise ValueError(f"slo = {self.slo}, must be in (0, 1)")
        _require_finite("replica_cost", self.replica_cost, above=0.0)
        _require_finite("request_value", self.request_value, least=0.0)
        _require_finite("violation_cost", self.violation_cost, least=0.0)


@dataclass(frozen=True)
class Profile:
    """One service.

    Parameters
    ----------
    capacity
        Rate that one ready replica serves within its SLO, requests/s; greater than 0.
    lead_time
        From asking for a replica to it being ready, s; greater than 0.
    interval
        Between two decisions, s; greater than 0.
    objective
        What serving earns, and what replicas and violations cost.
    seasons
        Lengths after which the load tends to repeat, s, each longer than two lead times;
        at most :data:`headstart_policy.observation.SEASONS` of them.
    capacity_noise
        Standard deviation of one replica's capacity over its mean, at least 0. The seed's is 0.1.
    capacity_correlation
        Between the capacities of two replicas, in [0, 1]: 0, each has its own noise, which evens
        out in a large fleet; 1, all have the same at once (the seed's game).

    Raises
    ------
    ValueError
        A value is out of its bounds; the message names key, bound and value.
    """

    capacity: float
    lead_time: float
    interval: float
    objective: Objective = field(default_factory=Objective)
    seasons: tuple[float, ...] = (DAY, WEEK)
    capacity_noise: float = 0.1
    capacity_correlation: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what the decision could only answer with nonsense."""
        _require_finite("capacity", self.capacity, above=0.0)
        _require_finite("lead_time", self.lead_time, above=0.0)
        _require_finite("interval", self.interval, above=0.0)
        _require_finite("capacity_noise", self.capacity_noise, least=0.0)
        if not 0.0 <= self.capacity_correlation <= 1.0:
            raise ValueError(
                f"capacity_correlation = {self.capacity_correlation}, must be in [0, 1]"
            )
        for season in self.seasons:
            _require_finite("season", season, above=2 * self.lead_time)

    @property
    def horizon(self) -> float:
        """How far a decision looks ahead [s]: the lead time, and to the next decision at least.

        With rates of five minutes, a replica that is ready after two serves from the next rate on.
        """
        return max(self.lead_time, self.interval)


@dataclass(frozen=True)
class Profiles:
    """N profiles as arrays of shape (N,), money per second and per request.

    ``lead_time`` holds each profile's :attr:`Profile.horizon`.

    Build it with :meth:`stack`. ``seasons`` has shape (N, S) and is NaN where a service has fewer.
    """

    capacity: Floats
    capacity_noise: Floats
    capacity_correlation: Floats
    lead_time: Floats
    interval: Floats
    slo: Floats
    replica_cost: Floats
    request_value: Floats
    violation_cost: Floats
    seasons: Floats

    def __len__(self) -> int:
        """Count the services."""
        return len(self.capacity)

    @property
    def lead_steps(self) -> Ints:
        """Whole intervals from asking for a replica to it being ready, at least 1, shape (N,)."""
        steps = np.ceil(self.lead_time / self.interval - _SLACK)
        return np.maximum(steps, 1).astype(np.int64)

    @classmethod
    def stack(cls, profiles: Sequence[Profile], seasons: int = 2) -> Profiles:
        """Put services side by side.

        Raises
        ------
        ValueError
            A profile has more than ``seasons`` seasons.
        """
        lengths = np.full((len(profiles), seasons), np.nan)
        for row, profile in zip(lengths, profiles, strict=True):
            if len(profile.seasons) > seasons:
                raise ValueError(f"seasons has {len(profile.seasons)} entries, at most {seasons}")
            row[: len(profile.seasons)] = sorted(profile.seasons)
        goals = [profile.objective for profile in profiles]
        return cls(
            capacity=np.array([p.capacity for p in profiles], dtype=np.float64),
            capacity_noise=np.array([p.capacity_noise for p in profiles], dtype=np.float64),
            capacity_correlation=np.array(
                [p.capacity_correlation for p in profiles], dtype=np.float64
            ),
            lead_time=np.array([p.horizon for p in profiles], dtype=np.float64),
            interval=np.array([p.interval for p in profiles], dtype=np.float64),
            slo=np.array([o.slo for o in goals], dtype=np.float64),
            replica_cost=np.array([o.replica_cost / 3600 for o in goals], dtype=np.float64),
            request_value=np.array([o.request_value / 1000 for o in goals], dtype=np.float64),
            violation_cost=np.array([o.violation_cost / 60 for o in goals], dtype=np.float64),
            seasons=lengths,
        )


def _require_finite(
    key: str, value: float, *, above: float | None = None, least: float | None = None
) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{key} = {value}, must be finite")
    if above is not None and not value > above:
        raise ValueError(f"{key} = {value:g}, must be greater than {above:g}")
    if least is not None and not value >= least:
        raise ValueError(f"{key} = {value:g}, must be at least {least:g}")

"""What a backtest assumes of a service: its economics, its capacity and its lead time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.observation import FURTHEST
from headstart_policy.profile import DAY, WEEK, Objective, Profile
from headstart_training.backtest.services import HistoryError
from headstart_training.manifest import CAPACITY

if TYPE_CHECKING:
    from headstart_training.backtest.services import Service

# Where nobody says what a replica serves, the service is this large on average: large enough that
# whole replicas do not decide, small enough that each one counts.
MEAN_REPLICAS = 20.0
LEAD_TIME = 300.0


@dataclass(frozen=True)
class Setting:
    """What to assume; the defaults are the seed's.

    Attributes
    ----------
    objective
        What serving earns, and what replicas and violations cost.
    lead_time
        From asking for a replica to it being ready [s].
    capacity
        Rate that one replica serves within its SLO, requests/s; ``None``: such that the tuning
        half needs :data:`MEAN_REPLICAS` on average.
    capacity_noise
        Standard deviation of one replica's capacity over its mean.
    """

    objective: Objective = field(default_factory=Objective)
    lead_time: float = LEAD_TIME
    capacity: float | None = None
    capacity_noise: float = 0.1

    def profile(self, service: Service) -> Profile:
        """Make the profile of one service.

        Raises
        ------
        ValueError
            A value is out of its bounds; the message names key, bound and value.
        """
        return Profile(
            capacity=usual_capacity(service) if self.capacity is None else self.capacity,
            lead_time=self.lead_time,
            interval=service.interval,
            objective=self.objective,
            # What would come next in a shorter one is still to come.
            seasons=tuple(season for season in (DAY, WEEK) if season > FURTHEST * self.lead_time),
            capacity_noise=self.capacity_noise,
        )


def usual_capacity(service: Service) -> float:
    """Requests/s per replica with which the tuning half needs :data:`MEAN_REPLICAS` on average.

    Raises
    ------
    HistoryError
        No ScalingPolicy may say so: the service is too small, or too large, to be of usual size.
    """
    usual = float(np.nanmean(service.rates[: service.half])) / MEAN_REPLICAS
    least, most = CAPACITY
    if not least <= usual <= most:
        raise HistoryError(
            f"{service.name}: nobody gave a capacity, and with {MEAN_REPLICAS:.0f} replicas on"
            f" average one would serve {usual:.3g} requests/s, must be in [{least:g}, {most:g}]:"
            " say what one serves, --capacity"
        )
    return usual

"""Scale to zero and from zero: when a service sleeps, and what wakes it."""

from __future__ import annotations

from typing import NamedTuple


class Activation(NamedTuple):
    """Of one service that may sleep.

    Attributes
    ----------
    rate
        ``scaleToZero.activationRate``, requests/s: a rate above it wakes the service.
    idle_for
        ``scaleToZero.idleFor``, s.
    idle
        For how long the rate was at or under ``rate``, s.
    """

    rate: float
    idle_for: float
    idle: float

    @property
    def wanted(self) -> bool:
        """Whether the rate keeps the service awake."""
        return self.idle < self.idle_for

    @property
    def reason(self) -> str:
        """Why it is awake or asleep."""
        if self.wanted:
            return (
                f"the rate was above activationRate = {self.rate:g} requests/s {self.idle:.0f} s "
                f"ago, within idleFor = {self.idle_for:g} s: at least 1"
            )
        return (
            f"the rate is not above activationRate = {self.rate:g} requests/s "
            f"for idleFor = {self.idle_for:g} s"
        )

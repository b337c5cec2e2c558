"""How the result moves when what was assumed is wrong, and nobody noticed.

Everybody asks for what they asked for; what a replica serves, or how long it takes to start, is
another. The best possible knows the truth.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_training import clairvoyant
from headstart_training.backtest.accounts import account
from headstart_training.backtest.closure import closure
from headstart_training.backtest.contenders import CLAIRVOYANT, HPA_TUNED
from headstart_training.contest import settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headstart_policy.types import Ints
    from headstart_training.backtest.accounts import Account, Calendar
    from headstart_training.simulator import World

OFF = 0.2


class Truth(NamedTuple):
    """How far the truth is from what was assumed, and what everybody then comes to."""

    capacity: float
    """Over the assumed one."""
    lead_time: float
    """Over the assumed one."""
    accounts: dict[str, Account]

    @property
    def closures(self) -> dict[str, float]:
        """Of each contender; NaN where the gap is too small."""
        tuned = np.array(self.accounts[HPA_TUNED].dollars_per_day)
        best = np.array(self.accounts[CLAIRVOYANT].dollars_per_day)
        return {
            name: float(closure(np.array(of.dollars_per_day), tuned, best))
            for name, of in self.accounts.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values."""
        return {
            "capacity": self.capacity,
            "lead_time": self.lead_time,
            "contenders": {name: of.to_json() for name, of in self.accounts.items()},
            "closure": {
                name: value if math.isfinite(value) else None
                for name, value in self.closures.items()
            },
        }


def sensitivity(world: World, calendar: Calendar, paths: Mapping[str, Ints]) -> tuple[Truth, ...]:
    """Price what everybody asked for where capacity or lead time is :data:`OFF` by a share.

    Parameters
    ----------
    world, calendar
        The test half, as assumed.
    paths
        Desired replicas by contender, shape (1, T).
    """
    cases = ((1 - OFF, 1.0), (1 + OFF, 1.0), (1.0, 1 - OFF), (1.0, 1 + OFF))
    return tuple(_true(world, calendar, paths, *case) for case in cases)


def _true(
    world: World, calendar: Calendar, paths: Mapping[str, Ints], capacity: float, lead_time: float
) -> Truth:
    lead = world.profiles.lead_time * lead_time
    profiles = replace(world.profiles, capacity=world.profiles.capacity * capacity, lead_time=lead)
    steps = np.ceil(lead / profiles.interval - 1e-9).astype(np.int64)
    true = replace(world, profiles=profiles, lead_steps=steps)
    known = {**paths, CLAIRVOYANT: clairvoyant.path(true)}
    came = {name: account(settle(true, desired), calendar) for name, desired in known.items()}
    return Truth(capacity, lead_time, came)

"""Worlds in which decisions see each step's rate as soon as it has passed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy.profile import Profile
from headstart_training.settings import of_rates

if TYPE_CHECKING:
    from headstart_training.simulator import World


def a_world(
    rates: Any,
    *,
    past: int = 1,
    initial: int | None = None,
    capacity: float = 5.0,
    lead: float = 300.0,
    interval: float = 60.0,
    seasons: tuple[float, ...] = (),
) -> World:
    """Play given rates, requests/s, shape (past + T,) or (N, past + T).

    Before step t, the rate of column ``past + t - 1`` is the newest known.
    """
    loads = np.atleast_2d(np.asarray(rates, dtype=np.float64))
    one = np.ones(len(loads), dtype=np.int64)
    profile = Profile(capacity, lead_time=lead, interval=interval, seasons=seasons)
    world = of_rates(profile, loads, past, lag=0 * one, window=one)
    return world if initial is None else replace(world, initial=initial * one)

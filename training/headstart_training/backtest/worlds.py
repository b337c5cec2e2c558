"""A service's two halves, as worlds to play: the first tunes, the second tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.backtest.actual import saturated
from headstart_training.backtest.services import DAY, Actual
from headstart_training.served import Recorded
from headstart_training.settings import of_rates

if TYPE_CHECKING:
    from headstart_policy.profile import Profile
    from headstart_policy.types import Bools
    from headstart_training.backtest.services import Service
    from headstart_training.simulator import World


class Halves(NamedTuple):
    """One service, before and after the moment that nobody may look past when tuning."""

    tuning: World
    """Its first day is history, or half of it where there is less than two days."""
    test: World
    """All of the tuning half is history."""
    counted: Bools
    """Steps of the test half whose rate is known, shape (T,): the others cost nobody anything."""
    recorded: Recorded
    """Of the steps of both, one after the other."""


def split(service: Service, profile: Profile) -> Halves:
    """Make both worlds; the capacity noise is integrated out."""
    half = service.half
    before = min(round(DAY / service.interval), half // 2)
    return Halves(
        tuning=play(service, profile, before, half),
        test=play(service, profile, half, len(service.rates)),
        counted=service.known[half:],
        recorded=_recorded(service, profile.capacity).part(slice(before, None)),
    )


def _recorded(service: Service, capacity: float) -> Recorded:
    """Say what an operator would have known, of all steps."""
    full = saturated(service, capacity)
    nobody = np.zeros(len(full))
    actual = service.actual or Actual(nobody, nobody)
    ready, asked = (
        np.where(full, np.nan_to_num(part), 0).astype(np.int64)[None]
        for part in (actual.ready, actual.replicas)
    )
    return Recorded(service.known[None], full[None], ready, asked)


def play(service: Service, profile: Profile, past: int, end: int) -> World:
    """Play steps ``past`` to ``end``; decisions see gaps, the simulator sees them filled."""
    filled = service.filled[None, :end]
    world = of_rates(
        profile,
        np.where(service.known[:end], filled, np.nan),
        past,
        # The mean of the interval that just ended is known at its end, and nothing of the next.
        lag=np.zeros(1, dtype=np.int64),
        window=np.ones(1, dtype=np.int64),
    )
    needed = filled[:, past - 1] / profile.capacity
    return replace(
        world,
        rates=filled[:, past:],
        # The fleet that an HPA at 60 % would hold: nobody starts ahead.
        initial=np.ceil(needed / 0.6).astype(np.int64),
    )

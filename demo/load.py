"""The load of the demo: what went before, and what is replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart_training.loads.seed import SeedLoad, generate
from headstart_training.loads.traces import read_trace

if TYPE_CHECKING:
    from pathlib import Path

    from headstart_policy.types import Floats

# One minute of the load passes in one second: requests/min of the load are requests/s of the demo.
SEED_CAPACITY = 300.0
SEED_SEASON = 60
REPLAY_MINUTES = 180
DAY = 1440
WEEK = 7 * DAY
# Replicas that a trace's service has on average; its capacity follows.
AVERAGE_REPLICAS = 20.0
# Steepness is that of quarter hours: single minutes are steep from noise alone.
SMOOTH_MINUTES = 15


@dataclass(frozen=True)
class Scenario:
    """A load in the demo's time: arrays of requests/s, one value a second.

    Attributes
    ----------
    name
        Where it comes from.
    history, replay
        What Prometheus is back-filled with, and what is played; shape (T,) each.
    capacity
        Requests/s that one replica serves.
    seasons
        In seconds of the demo.
    """

    name: str
    history: Floats
    replay: Floats
    capacity: float
    seasons: tuple[int, ...]

    @property
    def demand(self) -> Floats:
        """Replicas that the replayed load needs, before any margin."""
        return self.replay / self.capacity


def seed_scenario(seed: int, *, whole_day: bool) -> Scenario:
    """Draw the seed's load, its day compressed to an hour unless a whole day is to be played."""
    season = DAY if whole_day else SEED_SEASON
    replay = DAY if whole_day else REPLAY_MINUTES
    history = 3 * season
    random = np.random.default_rng(seed)
    load = generate(random, 1, history + replay, SeedLoad(period=season))[0].astype(np.float64)
    return Scenario(
        name=f"The seed's generator (seed {seed}), its day compressed to {season} min",
        history=load[:history],
        replay=load[history:],
        capacity=SEED_CAPACITY,
        seasons=(season,),
    )


def trace_scenario(file: Path, *, whole_day: bool) -> Scenario:
    """Cut the steepest stretch out of a recorded trace, with up to a week and a day before it.

    Raises
    ------
    ValueError
        The trace is shorter than a day and the stretch, or not a trace.
    """
    trace = read_trace(file)
    minutes = _per_minute(trace.filled * 60, trace.step / 60)
    replay = DAY if whole_day else REPLAY_MINUTES
    if len(minutes) < DAY + replay:
        raise ValueError(f"{file} has {len(minutes)} min, needs at least {DAY + replay}")
    start = DAY + steepest(minutes[DAY:], replay)
    history = minutes[max(0, start - WEEK - DAY) : start]
    return Scenario(
        name=f"{file.name}, minutes {start} to {start + replay}",
        history=history,
        replay=minutes[start : start + replay],
        capacity=float(minutes.mean()) / AVERAGE_REPLICAS,
        seasons=(DAY, WEEK),
    )


def steepest(minutes: Floats, length: int) -> int:
    """Find where the ``length`` minutes begin in which the load climbs most, added up."""
    whole = len(minutes) // SMOOTH_MINUTES * SMOOTH_MINUTES
    quarters = minutes[:whole].reshape(-1, SMOOTH_MINUTES).mean(axis=1)
    climbs = np.maximum(np.diff(quarters), 0.0)
    totals = np.convolve(climbs, np.ones(length // SMOOTH_MINUTES - 1), "valid")
    return int(totals.argmax()) * SMOOTH_MINUTES


def _per_minute(values: Floats, step_minutes: float) -> Floats:
    """Spread coarser bins over their minutes, by straight lines between their centres."""
    if step_minutes == 1:
        return values
    centres = (np.arange(len(values)) + 0.5) * step_minutes
    minutes = np.arange(int(len(values) * step_minutes)) + 0.5
    return np.asarray(np.interp(minutes, centres, values), dtype=np.float64)

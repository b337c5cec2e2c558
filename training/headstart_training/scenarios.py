"""Which services a policy is trained on: what is drawn, from which ranges, and the envelope.

Loads come from the seed's generator with everything that a policy sees as a ratio drawn anew: the
length of the day in lead times, the size of the service, its economics, how late and how smooth its
rate is, how much of its past is known. What these ranges do not cover, the policy was not trained
for: :meth:`Ranges.envelope` tells the operator so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.envelope import Envelope
from headstart_policy.observation import RECENT_WINDOWS, SEASONAL_WINDOWS, SEASONS, echoes
from headstart_policy.profile import Profiles
from headstart_training.loads import seed as seed_load
from headstart_training.loads.seed import SeedLoad
from headstart_training.sight import measure, see
from headstart_training.simulator import World

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

Range = tuple[float, float]

# The seed's spikes and waits are in minutes of a service whose lead time is 5 of them.
_SEED_LEAD = 5
# Services of one group share lead time and season, so that their loads come from one call.
_GROUPS = 16


@dataclass(frozen=True)
class Ranges:
    """What an episode is drawn from; a pair is a range, uniform in the logarithm.

    Attributes
    ----------
    demand
        Replicas that the mean load needs.
    lead_steps
        Lead time in intervals.
    interval
        Between two decisions [s].
    season_leads
        Length of the season in lead times. A day of 24 h at a lead time of 5 min has 288; a
        demonstration that plays a day in an hour has 12.
    step_requests
        Requests that a replica serves in an interval; sets the capacity.
    stake
        Price of an hour in violation over the price of a replica for an hour (seed: 4,000).
    worth
        What a fully used replica earns over what it costs (seed: 5.4).
    missed
        Share of requests that the SLO allows to fail (seed: 0.005).
    capacity_noise
        Standard deviation of a replica's capacity over its mean (seed: 0.1).
    noise
        Standard deviation of each step's load over its mean (seed: 0.01 to 0.05).
    metric_lag, rate_window
        Whole steps, uniform: how late the newest rate is, and how many steps it averages.
    longest_lag, longest_window
        The same in lead times, at most: a policy cannot see them, and has to hedge for all of them.
    jump
        Factor of a lasting change of level.
    poisson
        Requests that a replica serves in an interval from which on the load may have Poisson noise:
        a step of a few requests breaks its SLO by chance, whatever is decided.
    common
        Share of services whose replicas' capacities vary as one; the others' are independent.
    jumps, counted, seasonal_history, recent_history, second_season, unrelated_season
        Shares of services: with a jump; with Poisson noise; with a whole season of known history;
        that know nothing but the last lead times (the rest: part of a season); with a second
        season of 7 times the first; whose load does not repeat after the season it is said to have.
    longest_history
        Steps; a second season that is longer is left out.
    """

    demand: Range = (1.0, 250.0)
    lead_steps: tuple[int, int] = (2, 24)
    interval: Range = (1.0, 60.0)
    season_leads: Range = (12.0, 288.0)
    step_requests: Range = (5.0, 3000.0)
    stake: Range = (400.0, 32_000.0)
    worth: Range = (1.5, 20.0)
    missed: Range = (0.001, 0.02)
    capacity_noise: Range = (0.05, 0.15)
    noise: Range = (0.005, 0.15)
    metric_lag: tuple[int, int] = (0, 2)
    rate_window: tuple[int, int] = (1, 4)
    longest_lag: float = 0.25
    longest_window: float = 0.6
    jump: Range = (0.4, 2.5)
    poisson: float = 50.0
    common: float = 0.5
    jumps: float = 0.05
    counted: float = 0.5
    seasonal_history: float = 0.75
    recent_history: float = 0.15
    second_season: float = 0.3
    unrelated_season: float = 0.1
    longest_history: int = 8000

    def envelope(self) -> Envelope:
        """Bounds of what the policy is trained for.

        A load swings about its mean, so demand reaches from nothing to twice the largest mean, and
        with a jump on top of a short season it changes by a factor of 4 within a lead time.
        """
        return Envelope(
            demand=(0.0, 2 * self.demand[1]),
            ramp=(0.25, 4.0),
            lead_steps=self.lead_steps,
            stake=self.stake,
            worth=self.worth,
            slo=(1 - self.missed[1], 1 - self.missed[0]),
        )


DEFAULT = Ranges()


def draw(
    rng: np.random.Generator, services: int, steps: int, ranges: Ranges = DEFAULT, *, expected: bool
) -> World:
    """Draw N services and their loads over T steps, with the past that comes before.

    Parameters
    ----------
    rng
        Where the randomness comes from: equal states draw equal worlds.
    services, steps
        N and T.
    ranges
        What to draw from.
    expected
        Whether steps come to their expectation over the capacity noise, or to a draw of it.
    """
    groups = np.array_split(np.arange(services), min(_GROUPS, services))
    shapes = [_shape(rng, ranges) for _ in groups]
    past = max(shape.history for shape in shapes)
    loads = np.full((services, past + steps), np.nan)
    for rows, shape in zip(groups, shapes, strict=True):
        loads[rows, past - shape.history :] = _loads(rng, ranges, shape, len(rows), steps)
    sizes = [len(rows) for rows in groups]
    lead = np.repeat([shape.lead for shape in shapes], sizes)
    lag = _steps(rng, ranges.metric_lag, ranges.longest_lag * lead)
    window = _steps(rng, ranges.rate_window, ranges.longest_window * lead)
    seasons = np.repeat([shape.seasons for shape in shapes], sizes, axis=0)
    profiles = _profiles(rng, ranges, lead, seasons)
    demand = _log_uniform(rng, ranges.demand, services)
    rates = loads * (demand * profiles.capacity)[:, None]
    per_step = profiles.capacity * profiles.interval
    counted = (rng.random(services) < ranges.counted) & (per_step >= ranges.poisson)
    requests = np.nan_to_num(rates[counted]) * profiles.interval[counted, None]
    rates[counted] = np.where(
        np.isfinite(rates[counted]),
        rng.poisson(requests) / profiles.interval[counted, None],
        np.nan,
    )
    seen = measure(rates, lag, window)
    seen[np.arange(seen.shape[1]) < (past - _known(rng, ranges, lead, seasons))[:, None]] = np.nan
    first = np.nan_to_num(rates[:, past]) / profiles.capacity
    return World(
        profiles=profiles,
        rates=rates[:, past:],
        sight=see(seen, past + np.arange(steps + 1.0), profiles, profiles.interval),
        lead_steps=lead,
        initial=np.ceil(first * rng.uniform(1.0, 2.0, services)).astype(np.int64),
        noise=None if expected else rng.standard_normal((services, steps)),
        past=seen[:, :past],
    )


@dataclass(frozen=True)
class _Shape:
    """What the services of one group share, in steps."""

    lead: int
    season: float
    seasons: tuple[float, ...]
    history: int


def _shape(rng: np.random.Generator, ranges: Ranges) -> _Shape:
    low, high = ranges.lead_steps
    lead = int(np.clip(math.floor(_one(rng, (low, high + 1))), low, high))
    season = lead * _one(rng, ranges.season_leads)
    said = season
    if rng.random() < ranges.unrelated_season:
        said = lead * _one(rng, ranges.season_leads)
    both = rng.random() < ranges.second_season and 7 * said <= ranges.longest_history
    seasons = (said, 7 * said if both else np.nan)
    longest = np.nanmax(echoes(np.array([seasons])))
    # The windows before a season reach further back; lag and smoothing take some more.
    before = -min(RECENT_WINDOWS.min(), SEASONAL_WINDOWS.min()) * lead
    history = math.ceil(longest + before) + 8
    return _Shape(lead, season, seasons, history)


def _loads(
    rng: np.random.Generator, ranges: Ranges, shape: _Shape, services: int, steps: int
) -> Floats:
    """Loads around a mean of 1, shape (N, history + T)."""
    pace = shape.lead / _SEED_LEAD
    default = seed_load.DEFAULT
    parameters = SeedLoad(
        noise=(0.0, 0.0),
        spike_wait=(default.spike_wait[0] * pace, default.spike_wait[1] * pace),
        spike_width_least=default.spike_width_least * pace,
        spike_width_log_mean=default.spike_width_log_mean + math.log(pace),
        period=shape.season,
    )
    length = shape.history + steps
    load = seed_load.generate(rng, services, length, parameters).astype(np.float64)
    noise = _log_uniform(rng, ranges.noise, services)[:, None]
    load *= np.maximum(1 + noise * rng.standard_normal(load.shape), 0.0)
    load /= load.mean(axis=1, keepdims=True)
    factor = np.where(
        rng.random(services) < ranges.jumps, _log_uniform(rng, ranges.jump, services), 1.0
    )
    # Later than the start of the history that matters, mostly within what is played.
    moment = rng.integers(length - 2 * steps if length > 2 * steps else 0, length, services)
    return load * np.where(np.arange(length) >= moment[:, None], factor[:, None], 1.0)


def _profiles(rng: np.random.Generator, ranges: Ranges, lead: Ints, seasons: Floats) -> Profiles:
    count = len(lead)
    interval = _log_uniform(rng, ranges.interval, count)
    capacity = _log_uniform(rng, ranges.step_requests, count) / interval
    # Only ratios of money matter: a replica costs one dollar per hour.
    replica_cost = np.full(count, 1 / 3600)
    return Profiles(
        capacity=capacity,
        capacity_noise=_log_uniform(rng, ranges.capacity_noise, count),
        capacity_correlation=np.where(rng.random(count) < ranges.common, 1.0, 0.0),
        lead_time=lead * interval,
        interval=interval,
        slo=1 - _log_uniform(rng, ranges.missed, count),
        replica_cost=replica_cost,
        request_value=_log_uniform(rng, ranges.worth, count) * replica_cost / capacity,
        violation_cost=_log_uniform(rng, ranges.stake, count) * replica_cost,
        seasons=np.asarray(seasons, dtype=np.float64).reshape(count, SEASONS) * interval[:, None],
    )


def _known(rng: np.random.Generator, ranges: Ranges, lead: Ints, seasons: Floats) -> Ints:
    """Count the steps of the past that are known, shape (N,)."""
    count = len(lead)
    chance = rng.random(count)
    recent = np.ceil(lead * rng.uniform(0.5, 10.0, count))
    part = np.ceil(rng.uniform(0.0, 1.0, count) * np.nanmax(seasons, axis=1)) + recent
    known = np.where(chance < ranges.seasonal_history + ranges.recent_history, recent, part)
    return np.where(chance < ranges.seasonal_history, 2**31, known).astype(np.int64)


def _steps(rng: np.random.Generator, bounds: tuple[int, int], most: Floats) -> Ints:
    """Whole steps, uniform between the bounds, the upper one lowered to ``most`` (rounded)."""
    high = np.clip(np.round(most), bounds[0], bounds[1]).astype(np.int64)
    return rng.integers(bounds[0], high + 1)


def _log_uniform(rng: np.random.Generator, bounds: Range, count: int) -> Floats:
    return np.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1]), count))


def _one(rng: np.random.Generator, bounds: Range) -> float:
    return float(_log_uniform(rng, bounds, 1)[0])

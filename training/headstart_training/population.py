"""Which services a policy is trained on: their loads, sizes, lead times, economics and histories.

Three kinds of load, drawn apart so that their shares can be chosen: synthetic ones as real
services have them, the seed's, and stretches of recordings where there are any. What a policy sees
of them is dimensionless, so sizes, lead times and prices are drawn anew for every service; half of
them get the seed's prices, which is what a user without numbers of their own has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.envelope import Envelope
from headstart_policy.observation import RECENT_EDGES
from headstart_policy.profile import DAY, WEEK, Profiles
from headstart_policy.windows import LEAST
from headstart_training.loads import seed as seed_load
from headstart_training.loads import synthetic
from headstart_training.loads.seed import SeedLoad
from headstart_training.sight import measure, see
from headstart_training.simulator import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.types import Floats, Ints
    from headstart_training.loads.regular import Trace

Range = tuple[float, float]

MINUTE = 60.0
# Steps of recordings that are averages over minutes at least; their lead times are few steps.
COARSE = 300.0
# The past that is drawn before the first step: a week for the second season, and its windows.
_PAST_DAYS = 9
# Services whose history has a whole season, only the newest lead times, or some part of it.
_WHOLE, _RECENT = 0.75, 0.15
# Lead times of a young service's history.
_YOUNG = 20
# What a fully used replica of the seed's earns over what it costs.
_SEED_WORTH = 5.4
# The window of an observation that holds the level of now.
_LEVEL = len(RECENT_EDGES) - 1
# Recordings that are mixed with another one, and that are raised to a power, and the largest
# logarithm of that: flatter or steeper days, with their noise.
_MIXED, _BENT, _BEND = 0.4, 0.5, 0.4


@dataclass(frozen=True)
class Population:
    """What services are drawn from; a pair is a range, uniform in the logarithm.

    Attributes
    ----------
    demand
        Replicas that the mean load needs.
    coarse_demand
        The same for services whose rates are means over 5 minutes.
    lead_steps
        Lead time in intervals.
    stake
        Price of an hour in violation over the price of a replica for an hour (seed: 4,000).
    missed
        Share of requests that the SLO allows to fail (seed: 0.005).
    worth
        What a fully used replica earns over what it costs (seed: 5.4).
    capacity_noise
        Standard deviation of a replica's capacity over its mean (seed: 0.1).
    season_leads
        Length of the seed's day in lead times.
    """

    demand: Range = (1.0, 300.0)
    coarse_demand: Range = (3.0, 100.0)
    lead_steps: tuple[int, int] = (1, 40)
    stake: Range = (400.0, 32_000.0)
    missed: Range = (0.001, 0.02)
    worth: Range = (0.001, 20.0)
    capacity_noise: Range = (0.02, 0.2)
    season_leads: Range = (12.0, 288.0)

    def envelope(self) -> Envelope:
        """Bounds of what the policy is trained for.

        Features show ratios, so what a fleet of 300 replicas learned serves one of 10,000; and the
        loads of a few replicas among them rise from nothing to a multiple within a lead time.
        """
        return Envelope(
            demand=(0.0, 20_000.0),
            ramp=(0.02, 50.0),
            lead_steps=self.lead_steps,
            stake=self.stake,
            worth=(0.0, 1000.0),
            slo=(1 - self.missed[1], 1 - self.missed[0]),
        )


def synthetic_world(
    rng: np.random.Generator, services: int, steps: int, step: float, population: Population
) -> World:
    """Draw N services with synthetic loads over T steps, each of ``step`` seconds."""
    past = int(_PAST_DAYS * DAY / step)
    load = synthetic.generate(rng, services, past + steps, step)
    return _world(rng, load, steps, step, (DAY, WEEK), population)


def seed_world(
    rng: np.random.Generator, services: int, steps: int, population: Population
) -> World:
    """Draw N services with the seed's loads over T minutes.

    Half of the time it is the seed's game with all of its numbers, but for the size; else days of
    an hour to 24 h, at any prices.
    """
    game = rng.random() < 0.5  # noqa: PLR2004
    lead = 5 if game else rng.choice([3, 5, 10])
    day = DAY / MINUTE if game else float(round(lead * _one(rng, population.season_leads)))
    past = int(2.2 * day) + 40 * lead
    pace = lead / 5
    default = seed_load.DEFAULT
    parameters = SeedLoad(
        spike_wait=(default.spike_wait[0] * pace, default.spike_wait[1] * pace),
        spike_width_least=default.spike_width_least * pace,
        spike_width_log_mean=default.spike_width_log_mean + math.log(pace),
        period=day,
    )
    load = seed_load.generate(rng, services, past + steps, parameters).astype(np.float64)
    load /= load.mean(axis=1, keepdims=True)
    leads = np.full(services, lead, dtype=np.int64)
    return _world(rng, load, steps, MINUTE, (day * MINUTE,), population, leads, game=game)


def recorded_world(
    rng: np.random.Generator,
    traces: Sequence[Trace],
    services: int,
    steps: int,
    population: Population,
) -> World:
    """Draw N stretches of T steps from recordings that all have the same bin.

    Many are mixed with a stretch of another recording, or are made flatter or steeper.
    """
    step = traces[0].step
    past = int(_PAST_DAYS * DAY / step)
    load = np.full((services, past + steps), np.nan)
    least = steps + int(DAY / step)
    for row in load:
        stretch = _stretch(rng, traces, least, len(row))
        # A dozen recordings are soon known by heart; their like are what is to be learned.
        if rng.random() < _MIXED:
            other = _stretch(rng, traces, least, len(stretch))
            share = rng.uniform(0.2, 0.8)
            stretch = share * stretch[-len(other) :] + (1 - share) * other
        if rng.random() < _BENT:
            stretch = stretch ** math.exp(rng.uniform(-_BEND, _BEND))
            stretch /= stretch.mean() or 1.0
        row[len(row) - len(stretch) :] = stretch
    return _anonymous(rng, _world(rng, load, steps, step, (DAY, WEEK), population))


def _anonymous(rng: np.random.Generator, world: World) -> World:
    """Let services trade their extremes, which are kept over their levels.

    A day's extremes are the same all along a recording: by them a dozen recordings are told apart
    and learned by heart, one by one, where their like are to be served.
    """
    sight, capacity = world.sight, world.profiles.capacity[:, None, None]
    level = np.nan_to_num(sight.recent[..., _LEVEL, None]) + LEAST * capacity
    other = rng.permutation(len(level))
    extremes = sight.extremes[other]
    extremes[..., :2] *= level / level[other]
    return replace(world, sight=sight._replace(extremes=extremes))


def _stretch(rng: np.random.Generator, traces: Sequence[Trace], least: int, most: int) -> Floats:
    """Cut a stretch of up to ``most`` steps out of a recording, over the recording's mean."""
    rates = traces[int(rng.integers(len(traces)))].filled
    end = int(rng.integers(min(least, len(rates) - 1), len(rates) + 1))
    stretch: Floats = rates[max(0, end - most) : end] / rates.mean()
    return stretch


def _world(
    rng: np.random.Generator,
    load: Floats,
    steps: int,
    step: float,
    seasons: tuple[float, ...],
    population: Population,
    lead: Ints | None = None,
    *,
    game: bool = False,
) -> World:
    """Give loads of mean 1, NaN before they are known, a size, a lead time, prices and a past."""
    services, past = load.shape[0], load.shape[1] - steps
    coarse = step >= COARSE
    bounds = population.coarse_demand if coarse else population.demand
    typical = rng.random(services) < 0.4  # noqa: PLR2004  # What a backtest without numbers takes.
    demand = np.where(typical, 20.0, _log_uniform(rng, bounds, services))
    lead = _lead(rng, population, services, coarse=coarse) if lead is None else lead
    profiles = _profiles(rng, population, lead * np.float64(step), step, seasons, game=game)
    rates = load * (demand * profiles.capacity)[:, None]
    lag, window = _lateness(rng, lead)
    seen = measure(rates, lag, window)
    seen[np.arange(seen.shape[1]) < _first(rng, lead, past)[:, None]] = np.nan
    first = np.nan_to_num(rates[:, past - 1]) / profiles.capacity
    return World(
        profiles=profiles,
        rates=rates[:, past:],
        sight=see(seen, past + np.arange(steps + 1.0), profiles, profiles.interval),
        lead_steps=lead,
        initial=np.ceil(first * 1.4 + 1).astype(np.int64),
    )


def _lead(rng: np.random.Generator, population: Population, services: int, *, coarse: bool) -> Ints:
    """Lead times in steps, shape (N,): many of 2, 5 and 10 minutes, the rest from the range."""
    if coarse:
        return rng.choice([1, 1, 2, 3], services)
    low, high = population.lead_steps
    any_ = np.floor(_log_uniform(rng, (low, high + 1), services)).astype(np.int64)
    return np.where(rng.random(services) < 0.5, rng.choice([2, 5, 10], services), any_)  # noqa: PLR2004


def _profiles(
    rng: np.random.Generator,
    population: Population,
    lead_time: Floats,
    step: float,
    seasons: tuple[float, ...],
    *,
    game: bool,
) -> Profiles:
    """Draw prices; only their ratios matter: a replica serves 1 request/s and costs 1 $/h."""
    count = len(lead_time)
    seeds = game | (rng.random(count) < 0.5)  # noqa: PLR2004
    common = game | (rng.random(count) < 0.25)  # noqa: PLR2004
    worth = _log_uniform(rng, population.worth, count)
    one = np.full(count, 1.0)
    lengths = np.full((count, 2), np.nan)
    lengths[:, : len(seasons)] = seasons

    def either(usual: float, bounds: Range) -> Floats:
        return np.where(seeds, usual, _log_uniform(rng, bounds, count))

    return Profiles(
        capacity=one,
        capacity_noise=either(0.1, population.capacity_noise),
        capacity_correlation=common.astype(np.float64),
        lead_time=lead_time,
        interval=one * step,
        slo=1 - either(0.005, population.missed),
        replica_cost=one / 3600,
        request_value=(_SEED_WORTH if game else worth) * one / 3600,
        violation_cost=either(4000.0, population.stake) / 3600,
        seasons=lengths,
    )


def _lateness(rng: np.random.Generator, lead: Ints) -> tuple[Ints, Ints]:
    """Steps that rates are late by and average over, each of shape (N,); most are neither.

    A policy cannot see how late its rates are, and hedges in all services for what some have.
    """
    late = rng.random(len(lead)) < 0.1  # noqa: PLR2004
    lag = np.where(late, rng.integers(0, np.minimum(1, lead // 4) + 1), 0)
    window = np.where(late, rng.integers(1, np.clip(lead * 4 // 10, 1, 4) + 1), 1)
    return lag.astype(np.int64), window.astype(np.int64)


def _first(rng: np.random.Generator, lead: Ints, past: int) -> Ints:
    """First sample that is known, shape (N,)."""
    chance = rng.random(len(lead))
    part = (past * rng.random(len(lead))).astype(np.int64)
    young = np.maximum(past - _YOUNG * lead, 0)
    some = np.where(chance < _WHOLE + _RECENT, young, part)
    return np.where(chance < _WHOLE, 0, some).astype(np.int64)


def _log_uniform(rng: np.random.Generator, bounds: Range, count: int) -> Floats:
    return np.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1]), count))


def _one(rng: np.random.Generator, bounds: Range) -> float:
    return float(_log_uniform(rng, bounds, 1)[0])

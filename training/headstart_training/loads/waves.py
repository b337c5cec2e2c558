"""Seasons of a synthetic load: what every day and every week of a service look like.

A day is a random smooth curve, squashed so that it may have a plateau and steep flanks; each day
varies a little in level, phase and shape; weekends and holidays follow another curve. A sine has
none of that, and a policy that only ever saw sines learns that what falls now falls for hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Bools, Floats

DAY = 86_400.0
# Points of a day's curve, linear between them: 5 min apart.
_POINTS = 288
_GRID = DAY / _POINTS
_HARMONICS = 8
# Days before the first and after the last that a path's first and last hours lean on.
_MARGIN = 2
_SATURDAY = 5
# Share of a day that the change from a working day to a free one takes, about midnight.
_CHANGEOVER = 0.25


class Seasons(NamedTuple):
    """What the days of N services are drawn from; every array has shape (N,)."""

    night: Floats
    """Lowest point of a day over its highest; 1: no day at all."""
    sharpness: Floats
    """How much of a plateau the day has: 0.5, nearly a sum of sines; 4, nearly a switch."""
    day_level: Floats
    """Standard deviation of the logarithm of a day's level."""
    day_phase: Floats
    """Standard deviation of a day's shift in time [s]."""
    day_shape: Floats
    """Standard deviation of what a day adds to the curve, over the curve's own."""
    weekend_likeness: Floats
    """Correlation of a free day's curve with a working day's."""
    weekend_level: Floats
    """Level of a free day over a working day's."""
    holidays: Floats
    """Share of working days that are free."""


def waves(rng: np.random.Generator, seasons: Seasons, steps: int, step: float) -> Floats:
    """Draw the seasonal load of N services.

    Parameters
    ----------
    rng
        Where the randomness comes from.
    seasons
        Of N services; each starts at a moment of the week of its own.
    steps, step
        T, and its length [s].

    Returns
    -------
    numpy.ndarray
        Load, shape (N, T), in (0, 1] on an average working day.
    """
    if step < _GRID:
        # A wave is smooth: what lies between two points of its curve is a straight line.
        coarse = waves(rng, seasons, int(np.ceil(steps * step / _GRID)) + 1, _GRID)
        place = np.arange(steps) * (step / _GRID)
        index = place.astype(np.int64)
        return coarse[:, index] + (coarse[:, index + 1] - coarse[:, index]) * (place - index)
    services = seasons.night.size
    # Days since a Monday's midnight, shape (N, T).
    day = rng.uniform(0.0, 7.0, (services, 1)) + np.arange(steps) * (step / DAY)
    first = np.floor(day[:, :1]) - _MARGIN
    since = day - first
    days = int(np.ceil(steps * step / DAY)) + 2 * _MARGIN + 1
    free = _free(rng, first.astype(np.int64), days, seasons)
    weight = _by_day(free.astype(np.float64), since, _CHANGEOVER)
    shift, level, change = (
        _by_day(rng.standard_normal((services, days)), since, 1.0) * sd[:, None]
        for sd in (seasons.day_phase / DAY, seasons.day_level, seasons.day_shape)
    )
    work, other, variation = (curves(rng, services) for _ in range(3))
    likeness = seasons.weekend_likeness[:, None]
    # Without what it shares with the working day by chance, or the likeness would not be one.
    other -= (other * work).mean(axis=1, keepdims=True) * work
    other /= other.std(axis=1, keepdims=True)
    weekend = likeness * work + np.sqrt(1 - likeness**2) * other
    moment = day + shift
    curve = _at(work, moment) * (1 - weight) + _at(weekend, moment) * weight
    curve += _at(variation, moment) * change
    wave = _squash(curve, np.hstack([work, weekend]), seasons)
    return wave * np.exp(level) * seasons.weekend_level[:, None] ** weight


def curves(rng: np.random.Generator, services: int) -> Floats:
    """Draw smooth day curves of mean 0 and deviation 1, shape (N, points).

    A few Fourier terms, of which the first usually leads, and up to two humps of some hours.
    """
    angle = np.linspace(0.0, 2 * np.pi, _POINTS, endpoint=False)
    order = np.arange(1, _HARMONICS + 1)
    size = rng.lognormal(0.0, 0.4, (services, order.size)) / order**1.6
    phase = rng.uniform(0.0, 2 * np.pi, (services, order.size))
    curve = np.einsum("nk,nkp->np", size, np.sin(order[:, None] * angle + phase[:, :, None]))
    for _ in range(2):
        # A hump as of lunch or of prime time: a von Mises bell of 1 to 3 hours.
        place, height = rng.uniform(0.0, 2 * np.pi, (2, services, 1))
        width = rng.uniform(0.25, 0.8, (services, 1))
        curve += (height / 5 - 0.4) * np.exp((np.cos(angle - place) - 1) / width**2)
    curve -= curve.mean(axis=1, keepdims=True)
    scaled: Floats = curve / curve.std(axis=1, keepdims=True)
    return scaled


def _free(rng: np.random.Generator, first: Floats, days: int, seasons: Seasons) -> Bools:
    """Which days are weekends or holidays, shape (N, days)."""
    weekday = (first + np.arange(days)) % 7
    holiday = rng.random(weekday.shape) < seasons.holidays[:, None]
    free: Bools = (weekday >= _SATURDAY) | holiday
    return free


def _by_day(values: Floats, since: Floats, changeover: float) -> Floats:
    """Values of days at moments, shape (N, T); smooth from midday to midday, or about midnight."""
    place = since - 0.5
    index = np.floor(place).astype(np.int64)
    weight = np.clip((place - index - 0.5) / changeover + 0.5, 0.0, 1.0)
    weight *= weight * (3 - 2 * weight)
    before = np.take_along_axis(values, index, axis=1)
    after = np.take_along_axis(values, index + 1, axis=1)
    between: Floats = before + (after - before) * weight
    return between


def _at(curve: Floats, day: Floats) -> Floats:
    """Value of day curves at moments [days], shape (N, T)."""
    place = (day % 1.0) * _POINTS
    index = place.astype(np.int64) % _POINTS
    before = np.take_along_axis(curve, index, axis=1)
    after = np.take_along_axis(curve, (index + 1) % _POINTS, axis=1)
    value: Floats = before + (after - before) * (place % 1.0)
    return value


def _squash(curve: Floats, usual: Floats, seasons: Seasons) -> Floats:
    """Bend curves so that what is usual spans from ``night`` to 1."""

    def bend(value: Floats) -> Floats:
        bent: Floats = 1 / (1 + np.exp(-seasons.sharpness[:, None] * value))
        return bent

    night = seasons.night[:, None]
    low, high = (bend(end(usual, axis=1, keepdims=True)) for end in (np.min, np.max))
    share = (bend(curve) - low) / (high - low)
    # A day of another shape may go below the usual night, but never to nothing.
    wave: Floats = np.maximum(night + (1 - night) * share, 0.5 * night)
    return wave

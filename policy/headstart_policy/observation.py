"""What a policy may see of N services at one instant, and how it is read off rate series.

Windows are laid out in lead times, so that one policy serves a JVM that warms up for minutes and
a cache that fills for an hour. The operator and the simulator build the same object with the same
code: :func:`look_back` for the recent past, :func:`look_around` for the seasons, and
:func:`look_far` for what happens once a day.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy.profile import Profiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_policy.series import CumulativeRates
    from headstart_policy.types import Floats, Ints

# Lead times before now, newest first: window k is [RECENT_EDGES[k], RECENT_EDGES[k + 1]].
RECENT_EDGES = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
# Lead times after the same moment in a season before: what came next, last time. Wide ones too:
# where a lead time is two minutes, two minutes of a day ago are mostly noise.
SEASONAL_EDGES = np.array([-4.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0])
# Lead times after that moment that are looked at: of a season that is not longer, they are to come.
FURTHEST = float(SEASONAL_EDGES[-1])
# Half lead times that end a whole number of lead times back, newest first: how the level moved
# from one lead time to the next says how far a forecast over a lead time misses.
LEVELS = 17
_LEVEL_ENDS = -np.arange(LEVELS, dtype=np.float64)
_LEVEL_WINDOWS = np.stack([_LEVEL_ENDS - 0.5, _LEVEL_ENDS], axis=1)
# Start and end of each window in lead times after now, and after the moment in a season before:
# first those between the edges, then the levels.
RECENT_WINDOWS = np.concatenate(
    [np.stack([-RECENT_EDGES[1:], -RECENT_EDGES[:-1]], axis=1), _LEVEL_WINDOWS]
)
SEASONAL_WINDOWS = np.concatenate(
    [np.stack([SEASONAL_EDGES[:-1], SEASONAL_EDGES[1:]], axis=1), _LEVEL_WINDOWS]
)
# Those of the recent ones that lie within the last two lead times.
PEAK_WINDOWS = np.flatnonzero(RECENT_WINDOWS[:, 0] >= -2.0)  # noqa: PLR2004
# A level and the one that it rose from, lead times after a moment.
RISE_WINDOWS = ((-0.5, 0.0), (-1.5, -1.0))
# Windows for the noise estimate, lead times before now.
NOISE_WINDOWS = np.array([2.0, 8.0, 32.0])
# The window for the noise around a moment in a season before: it is how noisy the hour to come is.
THEN_WINDOW = (-8.0, 8.0)
# Lead times over which extremes are remembered: a day, where a lead time is five minutes. At night
# a flash crowd of the size of the day's is a multiple of all that the windows above still hold.
MEMORY = 288.0
# Since a rise of half the largest one; a hair less, lest rounding decide about exactly half.
LARGE = 0.5 - 1e-9
# A rise of a smaller share of the highest level is what rounding leaves of a constant one.
LEAST_RISE = 1e-9
# Seasons that a policy sees at most.
SEASONS = 2
# The moments before that are looked at: which season, and how many of it ago. Two days that agree
# say more than one.
ECHOES = ((0, 1), (0, 2), (1, 1))
# A season that there is not, in samples: nothing is known of so long ago.
_NEVER = 1e12
# Warming replicas are told apart by the quarter of their lead time that remains.
WARMING_BINS = 4


@dataclass(frozen=True)
class Observation:
    """N services at one instant.

    Attributes
    ----------
    profiles
        Capacity, lead time, objective and seasons of each.
    recent
        Mean rate of ``RECENT_WINDOWS``, requests/s, shape (N, 25); NaN: unknown.
    roughness
        Mean squared difference of neighbouring samples over ``NOISE_WINDOWS``, (requests/s)^2,
        shape (N, 3).
    seasonal
        Mean rate of ``SEASONAL_WINDOWS`` around the moments of ``ECHOES``, shape (N, 3, 25).
    seasonal_roughness
        Mean squared difference of neighbouring samples over ``THEN_WINDOW`` around the moments of
        ``ECHOES``, (requests/s)^2, shape (N, 3).
    extremes
        Over ``MEMORY``: the highest level and its largest rise within a lead time, both in
        requests/s, and the lead times since the last rise of half that; shape (N, 3).
    ready
        Replicas that serve, shape (N,).
    warming
        Replicas asked for that do not serve yet, by remaining lead time: column k holds those
        with a remaining share in (k/4, (k+1)/4], the overdue among the first; shape (N, 4).
    current
        Replicas asked for at present (``spec.replicas``), shape (N,).
    """

    profiles: Profiles
    recent: Floats
    roughness: Floats
    seasonal: Floats
    seasonal_roughness: Floats
    extremes: Floats
    ready: Ints
    warming: Ints
    current: Ints

    def __len__(self) -> int:
        """Count the services."""
        return len(self.profiles)

    @classmethod
    def concatenate(cls, parts: Sequence[Observation]) -> Observation:
        """Put observations side by side, in order."""
        profiles = Profiles(
            **{
                f.name: np.concatenate([getattr(part.profiles, f.name) for part in parts])
                for f in fields(Profiles)
            }
        )
        arrays = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(cls)
            if f.name != "profiles"
        }
        return cls(profiles=profiles, **arrays)

    def take(self, rows: Ints | slice) -> Observation:
        """Pick services by index, in the order given; those of a slice are not copied."""
        profiles = {f.name: getattr(self.profiles, f.name)[rows] for f in fields(Profiles)}
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "profiles"}
        return Observation(profiles=Profiles(**profiles), **arrays)

    def to_json(self) -> dict[str, Any]:
        """Turn into plain lists and numbers, without loss; the inverse is :meth:`from_json`."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "profiles"}
        profiles = {f.name: getattr(self.profiles, f.name) for f in fields(Profiles)}
        return {
            "profiles": {name: _to_lists(values) for name, values in profiles.items()},
            **{name: _to_lists(values) for name, values in arrays.items()},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Observation:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        KeyError
            A field is missing.
        """
        counts = {"ready", "warming", "current"}
        arrays: dict[str, Any] = {
            f.name: np.array(document[f.name], dtype=np.int64 if f.name in counts else np.float64)
            for f in fields(cls)
            if f.name != "profiles"
        }
        profiles = Profiles(
            **{
                f.name: np.array(document["profiles"][f.name], dtype=np.float64)
                for f in fields(Profiles)
            }
        )
        return cls(profiles=profiles, **arrays)


def look_back(rates: CumulativeRates, now: Floats, lead_time: Floats) -> tuple[Floats, Floats]:
    """Read the recent windows and the roughness at ``now``.

    Parameters
    ----------
    rates
        N series.
    now
        Samples from the left edge of each series to now, shape (N,). Nothing after it is read.
    lead_time
        In samples, shape (N,).

    Returns
    -------
    ``recent`` and ``roughness`` of an :class:`Observation`.
    """
    windows = now[:, None, None] + RECENT_WINDOWS * lead_time[:, None, None]
    starts = now[:, None] - NOISE_WINDOWS * lead_time[:, None]
    ends = np.broadcast_to(now[:, None], starts.shape)
    return rates.means(windows[..., 0], windows[..., 1]), rates.roughness(starts, ends)


def look_around(
    rates: CumulativeRates, now: Floats, lead_time: Floats, ago: Floats
) -> tuple[Floats, Floats]:
    """Read the windows around the same moment in the seasons before, and the noise there.

    Parameters are those of :func:`look_back`; ``ago`` is how many samples ago the moments were,
    shape (N, A), NaN where there is none (:func:`echoes`). A season shorter than the windows ahead
    would look into the future; those windows are unknown.

    Returns
    -------
    ``seasonal`` and ``seasonal_roughness`` of an :class:`Observation`.
    """
    moments = now[:, None] - np.where(np.isfinite(ago), ago, _NEVER)
    windows = moments[..., None, None] + SEASONAL_WINDOWS * lead_time[:, None, None, None]
    starts, ends = windows[..., 0], windows[..., 1]
    means = rates.means(starts.reshape(len(now), -1), ends.reshape(len(now), -1))
    first, last = (moments + edge * lead_time[:, None] for edge in THEN_WINDOW)
    return (
        np.where(ends <= now[:, None, None], means.reshape(ends.shape), np.nan),
        np.where(last <= now[:, None], rates.roughness(first, last), np.nan),
    )


def look_far(rates: CumulativeRates, moments: Floats, lead_time: float) -> Floats:
    """Read the extremes of one series at T moments, shape (T, 3).

    A level is the mean over half a lead time that ends with a sample; a rise is a level less the
    one a lead time before. Of a moment between two samples they are those at the sample before.

    Parameters
    ----------
    rates
        One series.
    moments
        Samples from its left edge, shape (T,). Nothing after them is read.
    lead_time
        In samples, above 0.

    Returns
    -------
    ``extremes`` of an :class:`Observation`; NaN where no level, or no rise, is known. Where nothing
    rose, that was as long ago as is remembered.
    """
    ends = np.arange(rates.total.shape[1], dtype=np.float64)
    levels, before = (
        rates.means((ends + start * lead_time)[None], (ends + end * lead_time)[None])[0]
        for start, end in RISE_WINDOWS
    )
    span = memory_samples(lead_time)
    at = np.clip(moments, 0, len(ends) - 1).astype(np.int64)
    top = _last(levels, span)[at].max(axis=1)
    rises = _last(levels - before, span)[at, ::-1]
    most = rises.max(axis=1)
    since = (rises >= LARGE * most[:, None]).argmax(axis=1)
    since = np.where(most > LEAST_RISE * top, since, span)
    far = np.stack([top, most, since / lead_time], axis=1)
    far[np.isneginf(top), 0] = np.nan
    far[np.isneginf(most), 1:] = np.nan
    return far


def memory_samples(lead_time: float) -> int:
    """Count the samples over which extremes are remembered; ``lead_time`` is in samples."""
    return max(1, math.floor(MEMORY * lead_time))


def _last(values: Floats, span: int) -> Floats:
    """Show the last ``span`` values at each one, unknown ones as none at all."""
    known = np.where(np.isnan(values), -np.inf, values)
    padded = np.concatenate([np.full(span - 1, -np.inf), known])
    return np.lib.stride_tricks.sliding_window_view(padded, span)


def echoes(seasons: Floats) -> Floats:
    """How long ago the moments of ``ECHOES`` were, shape (N, 3); ``seasons`` has shape (N, S)."""
    return np.stack([times * seasons[:, season] for season, times in ECHOES], axis=1)


def recent_peak(observation: Observation) -> Floats:
    """Highest mean rate of a window in the last two lead times, requests/s, shape (N,).

    What the reactive formula stands on, as an HPA stands on the most of its stabilisation window:
    on the newest rate alone it would follow every dip of a noisy load down, and not get back up
    within a lead time.
    """
    peak: Floats = np.fmax.reduce(observation.recent[:, PEAK_WINDOWS], axis=1)
    return peak


def warming_by_remaining(remaining: Floats) -> Ints:
    """Count one service's warming replicas by remaining share of the lead time, shape (4,)."""
    bins = np.clip(np.ceil(remaining * WARMING_BINS).astype(np.int64) - 1, 0, WARMING_BINS - 1)
    return np.bincount(bins, minlength=WARMING_BINS).astype(np.int64)


def _to_lists(values: Floats | Ints) -> Any:
    """Write NaN as null: JSON has no NaN."""
    if values.dtype.kind == "f":
        plain = values.astype(object)
        plain[np.isnan(values)] = None
        return plain.tolist()
    return values.tolist()

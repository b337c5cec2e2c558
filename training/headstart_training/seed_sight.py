"""What can be seen of the seed's load before each minute, as the features of a small network.

All levels are logarithms of their ratio to the *recent* load, the mean of the last 8 minutes, so
that one network serves quiet and busy hours. Beyond the levels of the recent past, three estimates
follow from how :mod:`headstart_training.loads.seed` makes a load:

- the daily wave, fitted by least squares to all that was seen, the old fading;
- the noise, by how much neighbouring minutes differ;
- the spike: a load that jumps by more than its noise is on a spike until it is back at where the
  wave would have taken it. The wait for the next spike begins there and is 100 minutes at least, so
  the time since then says whether machines have to stand by.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled
from headstart_training.threads import over_rows

if TYPE_CHECKING:
    from headstart_training.seed_game import Floats, Ints

# Windows of minutes before now, as (newest, oldest), whose mean is compared with the recent load.
_WINDOWS = (
    *((k, k + 1) for k in range(10)),
    *((8, 12), (12, 17), (17, 25), (25, 40), (40, 60), (60, 90), (90, 120), (120, 240)),
    *((0, 15), (0, 30), (0, 60)),
)
RECENT = 8
_NOISE_WINDOWS = (3, 10, 30, 120, 10**9)
_SLOPE_WINDOWS = (20, 60, 180)
_DAY = 1440
# Before anything was seen: the middle of what the generator makes.
_FIRST_LOAD, _FIRST_NOISE = 4500.0, 0.04
# The wave's fit forgets with this time constant [min]; a day and a half keeps the slow wave out.
_MEMORY = 2000.0
# Neighbours of a standard normal draw differ by 2 / sqrt(pi) on average.
_DEVIATION_PER_DIFFERENCE = math.sqrt(math.pi) / 2
_LARGEST_DIFFERENCE = 0.25
_LOW, _HIGH = -3.0, 5.0


def see(load: Ints) -> tuple[Floats, Floats]:
    """See N loads before each of T minutes; nothing depends on that minute or later ones.

    Parameters
    ----------
    load
        Transactions/min, shape (N, T).

    Returns
    -------
    Features, shape (N, T, F), and the recent load [transactions/min], shape (N, T).
    """
    # A load of 0 has no logarithm.
    shown = load.astype(np.float64) + 1.0
    features = np.empty((*load.shape, len(_columns(shown[:1, :1])[0])), dtype=np.float32)
    recent = np.empty_like(shown)

    def look(start: int, stop: int) -> None:
        # One game at a time stays in the processor's cache.
        for game in range(start, stop):
            columns, recent[game] = _columns(shown[game : game + 1])
            np.clip(np.concatenate(columns).T, _LOW, _HIGH, out=features[game], casting="same_kind")

    over_rows(len(load), features.size, look)
    return features, recent


def _columns(load: Floats) -> tuple[list[Floats], Floats]:
    """All features of some loads, each of shape (N, T), and the recent load."""
    past = _Past(load)
    recent = past.mean(0, RECENT, _FIRST_LOAD)
    noise = _noise(past, recent)
    top = _top(past)
    wave = _wave(load)
    columns = [
        *(np.log(past.mean(newest, oldest, recent) / recent) for newest, oldest in _WINDOWS),
        *(10 * deviation for deviation in noise),
        *_yesterday(past, recent),
        *(60 * past.slope(window) / recent for window in _SLOPE_WINDOWS),
        *_size(past, recent, top),
        *_ahead(wave, recent),
        *_spikes(past, recent, noise[-2], top, wave[0]),
    ]
    return columns, recent


class _Past:
    """Sums over windows that end before each minute of N loads."""

    def __init__(self, load: Floats) -> None:
        self.load = load
        self.minute = np.arange(load.shape[1])
        self._sums = _sums(load)
        self._moments = _sums(load * self.minute)

    def mean(self, newest: int, oldest: int, unknown: Floats | float) -> Floats:
        """Mean from `oldest` to `newest` minutes before now; as much of it as there is."""
        stop, start = self._before(newest), self._before(oldest)
        sums = self._sums[:, stop] - self._sums[:, start]
        mean: Floats = np.where(stop > start, sums / np.maximum(stop - start, 1), unknown)
        return mean

    def slope(self, window: int) -> Floats:
        """Least-squares slope over the last minutes [transactions/min^2]; 0 for fewer than 5."""
        start = self._before(window)
        count = (self.minute - start).astype(np.float64)
        sums = self._sums[:, self.minute] - self._sums[:, start]
        moments = self._moments[:, self.minute] - self._moments[:, start] - start * sums
        spread = np.maximum(count * (count**2 - 1) / 12, 1.0)
        slope: Floats = np.where(count >= 5, (moments - (count - 1) / 2 * sums) / spread, 0.0)  # noqa: PLR2004
        return slope

    def _before(self, minutes: int) -> Ints:
        return np.maximum(self.minute - minutes, 0)


def _sums(values: Floats) -> Floats:
    """Sum of all before each minute, and of all: shape (N, T + 1)."""
    return np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))


def _noise(past: _Past, recent: Floats) -> list[Floats]:
    """Standard deviation of a minute's noise, relative, over each window; each of shape (N, T)."""
    # Each minute is compared with the one before it, in units of what was recent then.
    difference = np.abs(np.diff(past.load, axis=1, prepend=past.load[:, :1])) / recent
    difference[:, 0] = _FIRST_NOISE / _DEVIATION_PER_DIFFERENCE
    sums = _Past(np.minimum(difference, _LARGEST_DIFFERENCE) * _DEVIATION_PER_DIFFERENCE)
    return [sums.mean(0, window, _FIRST_NOISE) for window in _NOISE_WINDOWS]


def _top(past: _Past) -> Floats:
    """Highest mean of 20 minutes so far, shape (N, T): spikes are a share of the wave's top."""
    return np.maximum.accumulate(past.mean(0, 20, 1.0), axis=1)


def _yesterday(past: _Past, recent: Floats) -> list[Floats]:
    """Where the load went from here yesterday, how it was then, and whether there is a then."""
    known = past.minute > _DAY + 20
    then = past.mean(_DAY - 15, _DAY + 16, 1.0)
    ahead = past.mean(_DAY - 21, _DAY + 10, 1.0)
    nearby = past.mean(_DAY - RECENT, _DAY + RECENT, 1.0)
    return [
        np.where(known, 10 * np.log(ahead / then), 0.0),
        np.where(known, np.log(recent / nearby), 0.0),
        np.broadcast_to(known, recent.shape),
    ]


def _size(past: _Past, recent: Floats, top: Floats) -> list[Floats]:
    """How large the load is, among all loads and for this one, and how much of it was seen."""
    started = past.minute >= 20  # noqa: PLR2004  # The top is a mean of 20.
    lowest = np.minimum.accumulate(np.where(started, past.mean(0, 20, 1.0), np.inf), axis=1)
    shares = [
        np.log(recent / _FIRST_LOAD),
        np.where(started, np.log(recent / top), 0.0),
        np.where(started, np.log(recent / np.where(started, lowest, 1.0)), 0.0),
    ]
    seen = [np.minimum(past.minute / span, 1.0) for span in (RECENT, 60, _DAY)]
    return [*shares, *(np.broadcast_to(column, recent.shape) for column in seen)]


def _wave(load: Floats) -> tuple[Floats, Floats, Floats]:
    """Daily wave fitted to what was seen: now, in 5 minutes, and its top; each of shape (N, T).

    Least squares on 1, sin and cos of the day, in which a minute's weight fades with its age. A
    weak prior keeps the waves at 0 while less than some hours were seen.
    """
    minutes = np.arange(load.shape[1] + 1)
    basis = _basis(minutes)
    # Weights that grow instead of fading come to the same, and make all fits running sums.
    weight = np.exp(minutes[:-1] / _MEMORY)
    weighted = basis[:-1] * weight[:, None]
    squares = np.cumsum(weighted[:, :, None] * basis[:-1, None, :], axis=0)
    products = np.cumsum(load[..., None] * weighted, axis=1)
    prior = np.diag([1e-3, 30.0, 30.0]) * weight[:, None, None]
    # What is fitted to the minutes before t is used at t.
    inverse = np.linalg.inv(squares + prior)[:-1]
    fit = np.einsum("tij,ntj->nti", inverse, products[:, :-1])
    fit = np.concatenate([np.zeros((len(load), 1, 3)), fit], axis=1)
    fit[:, :30] = 0.0
    top = fit[..., 0] + np.hypot(fit[..., 1], fit[..., 2])
    now, ahead = ((fit * _basis(minutes[:-1] + later)).sum(axis=2) for later in (-4, 5))
    return now, ahead, top


def _basis(minutes: Ints) -> Floats:
    angle = minutes * (2 * np.pi / _DAY)
    return np.stack([np.ones_like(angle), np.sin(angle), np.cos(angle)], axis=1)


def _ahead(wave: tuple[Floats, Floats, Floats], recent: Floats) -> list[Floats]:
    """Compare the fitted wave with the recent load, and how it moves on."""
    now, ahead, top = wave
    return [now / recent - 1, 10 * (ahead - now) / recent, top / recent - 1]


def _spikes(past: _Past, recent: Floats, noise: Floats, top: Floats, wave: Floats) -> list[Floats]:
    """Track spikes: 9 columns, see :func:`_track`."""
    columns = np.zeros((9, *recent.shape))
    arguments = past.mean(0, 3, 1.0), past.mean(3, 12, 1.0), recent, noise * recent, top, wave
    _track(0, len(recent), *arguments, columns)
    return list(columns)


# A jump is a rise of the last 3 minutes over the 9 before, of this share of the top, and of this
# many standard deviations.
_JUMP, _DEVIATIONS = 0.05, 3.0
_JUMP_DEVIATION = math.sqrt(1 / 3 + 1 / 9)
# A jump this high while a spike is on is another spike.
_ANOTHER = 0.08
# Within so many minutes after the jump its height is still being found out, and it cannot end.
_FRESH, _LEAST = 5, 9
_FIRST = 20


@compiled
def _track(
    start: int,
    stop: int,
    newest: Floats,
    before: Floats,
    recent: Floats,
    noise: Floats,
    top: Floats,
    wave: Floats,
    columns: Floats,
) -> None:
    """Follow a load through its spikes.

    The columns are whether a spike is on, what is left of its height and how high it was, in tenths
    of the top, and its age [100 min]; how long ago the last one ended, on three scales; and by how
    much the load rises, in tenths of the top and in standard deviations.
    """
    for game in range(start, stop):
        on, began, ended, height, base, wave_then = False, 0, 0, 0.0, 0.0, 0.0
        for t in range(recent.shape[1]):
            largest, now = top[game, t], wave[game, t]
            if t >= _FIRST:
                rise = newest[game, t] - before[game, t]
                share, deviations = rise / largest, rise / (_JUMP_DEVIATION * noise[game, t] + 1.0)
                jumps = share > _JUMP and deviations > _DEVIATIONS
                if jumps and (not on or (share > _ANOTHER and t - began >= _FRESH)):
                    on, began, height, base, wave_then = True, t - 1, share, before[game, t], now
                if on:
                    if t - began < _FRESH:
                        height = max(height, (newest[game, t] - base) / largest)
                    drift = 1.0
                    if wave_then > 0 and now > 0:
                        drift = min(max(now / wave_then, 0.5), 2.0)
                    left = (recent[game, t] - base * drift) / largest
                    if t - began > _LEAST and left < max(0.02, 0.5 * noise[game, t] / largest):
                        on, ended = False, t
                    columns[1, game, t] = 10 * left
                columns[7, game, t], columns[8, game, t] = 10 * share, deviations / _DEVIATIONS
            if on:
                columns[0, game, t] = 1.0
                columns[2, game, t], columns[3, game, t] = 10 * height, (t - began) / 100
            else:
                since = t - ended
                columns[4, game, t] = min(since / 100, 1.5)
                columns[5, game, t] = since / 1000
                columns[6, game, t] = math.log(1 + since) / 3

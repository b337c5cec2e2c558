"""What decisions see of a load: late, smoothed, and from some moment on only.

Load does not depend on what is decided, so all that an observation holds of it is worked out once
for a whole path, with the functions that the operator calls tick by tick.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import Observation, look_around, look_back
from headstart_policy.series import LEAST_KNOWN, CumulativeRates

if TYPE_CHECKING:
    from headstart_policy.profile import Profiles
    from headstart_policy.types import Floats, Ints


# Moments x services whose windows are worked out at once: what fits a core's cache.
_ROWS_AT_ONCE = 4000


class Sight(NamedTuple):
    """What can be seen of N loads at T moments."""

    recent: Floats
    """As in an Observation, shape (N, T, windows)."""
    roughness: Floats
    """As in an Observation, shape (N, T, windows)."""
    seasonal: Floats
    """As in an Observation, shape (N, T, S, windows)."""
    newest: Floats
    """Newest known rate, requests/s, shape (N, T); NaN: there never was one."""
    age: Floats
    """Of the newest known rate, s, shape (N, T); infinite where there is none."""

    def observation(
        self, t: int, profiles: Profiles, ready: Ints, warming: Ints, current: Ints
    ) -> Observation:
        """Join moment t with the fleet at that moment; shapes as in an Observation."""
        return Observation(
            profiles=profiles,
            recent=self.recent[:, t],
            roughness=self.roughness[:, t],
            seasonal=self.seasonal[:, t],
            ready=ready,
            warming=warming,
            current=current,
        )


def measure(rates: Floats, lag: Ints, window: Ints) -> Floats:
    """Measure loads as ``rate()`` over a window does, and show them late.

    Parameters
    ----------
    rates
        Requests/s of each step, shape (N, T); NaN: unknown.
    lag
        Steps by which the newest figure is late, shape (N,), at least 0.
    window
        Steps that one figure averages over, shape (N,), at least 1.

    Returns
    -------
    numpy.ndarray
        Column j is what is known once step j has passed, shape (N, T); the first ``lag`` are NaN.
    """
    seen = np.full_like(rates, np.nan)
    for late, width in set(zip(lag.tolist(), window.tolist(), strict=True)):
        rows = (lag == late) & (window == width)
        sums = CumulativeRates.of(rates[rows])
        ends = np.arange(1, rates.shape[1] + 1 - late, dtype=np.float64)[None, :]
        seen[rows, late:] = sums.means(np.maximum(ends - width, 0), ends)
    return seen


def see(seen: Floats, moments: Floats, profiles: Profiles, sample: Floats) -> Sight:
    """Work out what is seen at T moments.

    Parameters
    ----------
    seen
        Measured rates of N services, requests/s, shape (N, samples); NaN: unknown.
    moments
        Samples that have passed at each moment, shape (T,) for all services or (N, T).
        Nothing after a moment is read for it.
    profiles
        Of the N services.
    sample
        Time between two samples, s, shape (N,).
    """
    from headstart_training.kernels.windows import newest_known  # noqa: PLC0415  # Loads slowly.

    moments = np.broadcast_to(moments, (len(seen), np.shape(moments)[-1])).astype(np.float64)
    recent, roughness, seasonal = _windows(
        seen, moments, profiles.lead_time / sample, profiles.seasons / sample[:, None]
    )
    newest, age = np.empty(moments.shape), np.empty(moments.shape)
    newest_known(seen, moments, sample, newest, age)
    return Sight(recent, roughness, seasonal, newest, age)


def _windows(seen: Floats, moments: Floats, lead: Floats, seasons: Floats) -> tuple[Floats, ...]:
    """Recent means, roughness and seasonal means at all moments, as Sight has them.

    Every moment becomes a row of the functions that the operator calls with one row per service.
    """
    from headstart_training.kernels.compiled import cores  # noqa: PLC0415  # Numba loads slowly.

    services, count = moments.shape
    rows = max(1, _ROWS_AT_ONCE // max(count, 1))

    def look(part: slice, times: slice) -> tuple[Floats, ...]:
        sums, now = _PathRates.of(seen[part]), moments[part, times]
        leads, lengths = (np.repeat(a[part], now.shape[1], axis=0) for a in (lead, seasons))
        back = look_back(sums, now.ravel(), leads)
        around = look_around(sums, now.ravel(), leads, lengths)
        return tuple(a.reshape(*now.shape, *a.shape[1:]) for a in (*back, around))

    # One moment tells how many windows there are.
    windows = [np.empty((services, count, *a.shape[2:])) for a in look(slice(1), slice(1))]

    def fill(first: int) -> None:
        part = slice(first, first + rows)
        for start in range(0, count, _ROWS_AT_ONCE):
            times = slice(start, start + _ROWS_AT_ONCE)
            for window, values in zip(windows, look(part, times), strict=True):
                window[part, times] = values

    with ThreadPoolExecutor(cores()) as pool:
        # Reading the results raises what went wrong in a thread.
        list(pool.map(fill, range(0, services, rows)))
    return tuple(windows)


class _PathRates(CumulativeRates):
    """Running sums that T moments of each series look at: N series, N x T rows of windows."""

    def _ratio(self, total: Floats, known: Floats, starts: Floats, ends: Floats) -> Floats:
        from headstart_training.kernels.windows import window_ratios  # noqa: PLC0415

        ratios = np.empty(starts.shape)
        starts, ends = np.ascontiguousarray(starts), np.ascontiguousarray(ends)
        window_ratios(0, len(total), total, known, starts, ends, LEAST_KNOWN, ratios)
        return ratios

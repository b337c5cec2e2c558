"""What decisions see of a load: late, smoothed, and from some moment on only.

Load does not depend on what is decided, so all that an observation holds of it is worked out once
for a whole path, with the functions that the operator calls tick by tick.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import (
    LARGE,
    LEAST_RISE,
    NOISE_WINDOWS,
    RECENT_WINDOWS,
    RISE_WINDOWS,
    SEASONAL_WINDOWS,
    THEN_WINDOW,
    Observation,
    echoes,
    memory_samples,
)
from headstart_policy.series import LEAST_KNOWN, CumulativeRates
from headstart_training.threads import over_rows

if TYPE_CHECKING:
    from headstart_policy.profile import Profiles
    from headstart_policy.types import Floats, Ints


class Sight(NamedTuple):
    """What can be seen of N loads at T moments."""

    recent: Floats
    """As in an Observation, shape (N, T, windows)."""
    roughness: Floats
    """As in an Observation, shape (N, T, windows)."""
    seasonal: Floats
    """As in an Observation, shape (N, T, echoes, windows)."""
    seasonal_roughness: Floats
    """As in an Observation, shape (N, T, echoes)."""
    extremes: Floats
    """As in an Observation, shape (N, T, 3)."""
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
            seasonal_roughness=self.seasonal_roughness[:, t],
            extremes=self.extremes[:, t],
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
    lead = (profiles.lead_time / sample)[:, None, None]
    noise = np.stack([-NOISE_WINDOWS, np.zeros(len(NOISE_WINDOWS))], axis=1)
    now = np.zeros((len(seen), 1))
    ago = echoes(profiles.seasons) / sample[:, None]
    sums = _running_sums(seen)
    recent = _means(moments, now, RECENT_WINDOWS * lead, sums.total, sums.known)
    roughness = _means(moments, now, noise * lead, sums.rough, sums.rough_known)
    newest, age = np.empty(moments.shape), np.empty(moments.shape)
    over_rows(
        len(seen),
        seen.size,
        lambda start, stop: newest_known(start, stop, seen, moments, sample, newest, age),
    )
    return Sight(
        recent=recent[:, :, 0],
        roughness=roughness[:, :, 0],
        seasonal=_means(moments, ago, SEASONAL_WINDOWS * lead, sums.total, sums.known),
        seasonal_roughness=_means(
            moments, ago, np.array([THEN_WINDOW]) * lead, sums.rough, sums.rough_known
        )[..., 0],
        extremes=_extremes(moments, profiles.lead_time / sample, sums),
        newest=newest,
        age=age,
    )


def _running_sums(seen: Floats) -> CumulativeRates:
    """``CumulativeRates.of``, compiled: the past is several times as long as what is played."""
    from headstart_training.kernels.windows import running_sums  # noqa: PLC0415

    rates = np.ascontiguousarray(seen, dtype=np.float64)
    sums = [np.empty((len(seen), seen.shape[1] + 1)) for _ in fields(CumulativeRates)]
    over_rows(
        len(seen), 4.0 * rates.size, lambda start, stop: running_sums(start, stop, rates, *sums)
    )
    return CumulativeRates(*sums)


def _means(now: Floats, ago: Floats, offsets: Floats, total: Floats, known: Floats) -> Floats:
    """Means of windows at whole paths of moments, (N, T, A, K), as ``look_back`` and its like.

    Arguments are those of :func:`headstart_training.kernels.windows.window_means`.
    """
    from headstart_training.kernels.windows import window_means  # noqa: PLC0415

    means = np.empty((*now.shape, ago.shape[1], offsets.shape[1]))
    over_rows(
        len(now),
        4.0 * means.size,
        lambda start, stop: window_means(
            start, stop, now, ago, offsets, total, known, LEAST_KNOWN, means
        ),
    )
    return means


def _extremes(moments: Floats, lead: Floats, sums: CumulativeRates) -> Floats:
    """Extremes at whole paths of moments, (N, T, 3), as ``look_far``; ``lead`` is in samples."""
    from headstart_training.kernels.windows import extremes  # noqa: PLC0415

    found = np.empty((*moments.shape, 3))
    spans = np.array([memory_samples(one) for one in lead.tolist()], dtype=np.int64)
    windows = np.array(RISE_WINDOWS) * lead[:, None, None]
    over_rows(
        len(moments),
        4.0 * found.size,
        lambda start, stop: extremes(
            start,
            stop,
            moments,
            lead,
            windows,
            spans,
            LARGE,
            LEAST_RISE,
            sums.total,
            sums.known,
            LEAST_KNOWN,
            found,
        ),
    )
    return found

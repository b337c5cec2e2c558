"""Means of windows of running sums, for many moments of each series at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled

if TYPE_CHECKING:
    from headstart_policy.types import Floats


# Moments that are worked on at once: their windows fit a core's cache.
_BLOCK = 512


@compiled
def window_means(
    start: int,
    stop: int,
    now: Floats,
    ago: Floats,
    offsets: Floats,
    total: Floats,
    known: Floats,
    least_known: float,
    means: Floats,
) -> None:
    """``CumulativeRates.means`` of windows around moments that lie some time before now.

    NaN where less than ``least_known`` of a window is known, or where it ends after now.

    Parameters
    ----------
    start, stop
        Series, of N.
    now
        In samples from the left edge, shape (N, T).
    ago
        How many samples before now the moments lie, shape (N, A); NaN: there is no such moment.
    offsets
        Start and end of each window after its moment, in samples, shape (N, K, 2).
    total, known
        Running sums, shape (N, samples + 1).
    means
        Takes the results, shape (N, T, A, K).
    """
    last = total.shape[1] - 1
    sums, counts = np.empty(last + 2), np.empty(last + 2)
    block = np.empty((4, _BLOCK))
    for i in range(start, stop):
        # Once more at the end: interpolating at the right edge reads one sum beyond it.
        sums[:-1], sums[-1] = total[i], total[i, last]
        counts[:-1], counts[-1] = known[i], known[i, last]
        for t in range(0, now.shape[1], _BLOCK):
            moments = now[i, t : t + _BLOCK]
            for a in range(ago.shape[1]):
                for k in range(offsets.shape[1]):
                    out = means[i, t : t + _BLOCK, a, k]
                    before, first, end = ago[i, a], offsets[i, k, 0], offsets[i, k, 1]
                    if np.isnan(before):
                        out[:] = np.nan
                    else:
                        _interpolate(moments, before, first, last, sums, block[0])
                        _interpolate(moments, before, end, last, sums, block[1])
                        _interpolate(moments, before, first, last, counts, block[2])
                        _interpolate(moments, before, end, last, counts, block[3])
                        _divide(moments, before, first, end, least_known, block, out)


@compiled
def _interpolate(
    now: Floats, before: float, offset: float, last: int, sums: Floats, out: Floats
) -> None:
    """Interpolate running sums at an edge of the windows of neighbouring moments.

    Moments mostly follow each other by one sample, so that what is read of the sums does too, and
    the compiler can read several at once. Where that is not so, or at the ends of the series, each
    edge is looked up on its own; the two give the same bits.
    """
    right = float(last)
    floor = int(min(max(now[0] - before + offset, 0.0), right))
    others = 1
    if floor + len(now) <= last:
        others = 0
        near = sums[floor : floor + len(now) + 1]
        for t in range(len(now)):
            share = min(max(now[t] - before + offset, 0.0), right) - float(floor + t)
            out[t] = near[t] + (near[t + 1] - near[t]) * share
            others += 0 if (share >= 0) & (share < 1) else 1
    if others > 0:
        for t in range(len(now)):
            edge = min(max(now[t] - before + offset, 0.0), right)
            below = int(edge)
            out[t] = sums[below] + (sums[below + 1] - sums[below]) * (edge - below)


@compiled
def _divide(
    now: Floats,
    before: float,
    first: float,
    end: float,
    least_known: float,
    block: Floats,
    out: Floats,
) -> None:
    """Divide what windows hold of the sums by what is known of them; ``block`` has their edges."""
    for t in range(len(now)):
        a, b = now[t] - before + first, now[t] - before + end
        weight, value = block[3, t] - block[2, t], block[1, t] - block[0, t]
        enough = (weight >= least_known * (b - a)) & (b <= now[t])
        out[t] = value / (weight if weight > 0 else 1.0) if enough else np.nan


@compiled
def newest_known(
    seen: Floats, moments: Floats, sample: Floats, newest: Floats, age: Floats
) -> None:
    """Find the newest known rate at each moment, and its age; ``Sight`` and ``see`` have the rest.

    NaN and infinity where there never was one.
    """
    samples = seen.shape[1]
    last = np.empty(samples + 1, dtype=np.int64)
    for i in range(len(seen)):
        last[0] = -1
        for j in range(samples):
            last[j + 1] = j if np.isfinite(seen[i, j]) else last[j]
        for t in range(moments.shape[1]):
            at = last[min(max(int(np.floor(moments[i, t])), 0), samples)]
            newest[i, t] = seen[i, at] if at >= 0 else np.nan
            age[i, t] = (moments[i, t] - 1 - at) * sample[i] if at >= 0 else np.inf

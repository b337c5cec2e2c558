"""Means of windows of running sums, for many moments of each series at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled

if TYPE_CHECKING:
    from headstart_policy.types import Floats


# Moments that are worked on at once: their windows fit the innermost cache.
_BLOCK = 128


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
    block = np.empty((offsets.shape[1], _BLOCK))
    for i in range(start, stop):
        # Once more at the end: interpolating at the right edge reads one sum beyond it.
        sums[:-1], sums[-1] = total[i], total[i, last]
        counts[:-1], counts[-1] = known[i], known[i, last]
        for t in range(0, now.shape[1], _BLOCK):
            moments = now[i, t : t + _BLOCK]
            low, high = moments.min(), moments.max()
            for a in range(ago.shape[1]):
                if np.isnan(ago[i, a]):
                    means[i, t : t + _BLOCK, a] = np.nan
                    continue
                for k in range(len(block)):
                    first, end = offsets[i, k]
                    left = int(min(max(low - ago[i, a] + first, 0.0), float(last)))
                    right = int(min(max(high - ago[i, a] + end, 0.0), float(last))) + 1
                    if counts[left] == counts[right]:
                        # Before the history begins, as much of what training sees is.
                        block[k] = np.nan
                        continue
                    one_by_one = _neighbours(
                        moments, ago[i, a], first, end, sums, counts, least_known, block[k]
                    )
                    if one_by_one:
                        _strangers(
                            moments, ago[i, a], first, end, sums, counts, least_known, block[k]
                        )
                # Across, so that what was worked out along the path is written moment by moment.
                for m in range(len(moments)):
                    for k in range(len(block)):
                        means[i, t + m, a, k] = block[k, m]


@compiled
def _neighbours(
    now: Floats,
    before: float,
    first: float,
    end: float,
    sums: Floats,
    counts: Floats,
    least_known: float,
    out: Floats,
) -> bool:
    """Work out one window at moments that follow each other by one sample, within the series.

    What is read of the sums lies side by side, then, so that the compiler can read several at
    once; and where all is known between the first and the last edge, the counts need no reading.

    Returns
    -------
    bool
        Whether it is not so, and ``out`` is to be worked out by :func:`_strangers`; where it is,
        the two give the same bits.
    """
    length, last = len(now), len(sums) - 2
    left, right = now[0] - before + first, now[0] - before + end
    a, b = int(max(left, 0.0)), int(max(right, 0.0))
    if left < 0 or a > b or b + length > last or counts[b + length] - counts[a] < b + length - a:
        return True
    near, far = sums[a : a + length + 1], sums[b : b + length + 1]
    a_known, b_known = counts[a], counts[b]
    others = 0
    for t in range(length):
        left, right = now[t] - before + first, now[t] - before + end
        u, v = left - float(a + t), right - float(b + t)
        others += 0 if (u >= 0) & (u < 1) & (v >= 0) & (v < 1) else 1
        weight = ((b_known + t) + v) - ((a_known + t) + u)
        value = (far[t] + (far[t + 1] - far[t]) * v) - (near[t] + (near[t + 1] - near[t]) * u)
        enough = (weight >= least_known * (right - left)) & (right <= now[t])
        out[t] = value / (weight if weight > 0 else 1.0) if enough else np.nan
    return others > 0


@compiled
def _strangers(
    now: Floats,
    before: float,
    first: float,
    end: float,
    sums: Floats,
    counts: Floats,
    least_known: float,
    out: Floats,
) -> None:
    """Work out one window at any moments, in and around a series with any gaps."""
    last = float(len(sums) - 2)
    for t in range(len(now)):
        left, right = now[t] - before + first, now[t] - before + end
        from_, to = min(max(left, 0.0), last), min(max(right, 0.0), last)
        a, b = int(from_), int(to)
        u, v = from_ - a, to - b
        a_known = counts[a] + (counts[a + 1] - counts[a]) * u
        weight = counts[b] + (counts[b + 1] - counts[b]) * v - a_known
        a_sum = sums[a] + (sums[a + 1] - sums[a]) * u
        value = sums[b] + (sums[b + 1] - sums[b]) * v - a_sum
        enough = (weight >= least_known * (right - left)) & (right <= now[t])
        out[t] = value / (weight if weight > 0 else 1.0) if enough else np.nan


@compiled
def running_sums(
    start: int,
    stop: int,
    rates: Floats,
    total: Floats,
    known: Floats,
    rough: Floats,
    rough_known: Floats,
) -> None:
    """``CumulativeRates.of``, row by row and to the same bits.

    Parameters
    ----------
    start, stop
        Series, of N.
    rates
        Shape (N, T); NaN: unknown.
    total, known, rough, rough_known
        Take the results, shape (N, T + 1).
    """
    for i in range(start, stop):
        total[i, 0] = known[i, 0] = rough[i, 0] = rough_known[i, 0] = 0.0
        before = np.nan
        for j in range(rates.shape[1]):
            rate = rates[i, j]
            there = np.isfinite(rate)
            total[i, j + 1] = total[i, j] + (rate if there else 0.0)
            known[i, j + 1] = known[i, j] + (1.0 if there else 0.0)
            step = rate - before
            pair = np.isfinite(step)
            rough[i, j + 1] = rough[i, j] + (step * step if pair else 0.0)
            rough_known[i, j + 1] = rough_known[i, j] + (1.0 if pair else 0.0)
            before = rate


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

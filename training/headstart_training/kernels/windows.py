"""Means of windows of running sums, for many moments of each series at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled, inlined

if TYPE_CHECKING:
    from headstart_policy.types import Floats


@inlined
def _place(edge: float, last: int) -> tuple[int, int, float]:
    """Neighbours of a fractional sample count, and the way from the first to the second."""
    inside = min(max(edge, 0.0), float(last))
    below = int(inside)
    return below, min(below + 1, last), inside - below


@compiled
def window_ratios(
    start: int,
    stop: int,
    total: Floats,
    known: Floats,
    starts: Floats,
    ends: Floats,
    least_known: float,
    ratios: Floats,
) -> None:
    """``CumulativeRates._ratio`` of the series from start to stop.

    Parameters
    ----------
    start, stop
        Series.
    total, known
        Running sums of N series, shape (N, samples + 1).
    starts, ends
        Edges of K windows at T moments of each series, in samples, shape (N * T, K).
    least_known
        Share of a window that has to be known.
    ratios
        Takes the results, shape (N * T, K).
    """
    moments, last = len(starts) // len(total), total.shape[1] - 1
    for i in range(start, stop):
        sums, counts = total[i], known[i]
        # Where all is known, what is known of a window is its length within the series.
        full = counts[last] == last
        for r in range(i * moments, (i + 1) * moments):
            for k in range(starts.shape[1]):
                a, b, u = _place(starts[r, k], last)
                c, d, v = _place(ends[r, k], last)
                if full:
                    weight = (c + v) - (a + u)
                else:
                    first = counts[a] + (counts[b] - counts[a]) * u
                    weight = counts[c] + (counts[d] - counts[c]) * v - first
                if weight >= least_known * (ends[r, k] - starts[r, k]):
                    first = sums[a] + (sums[b] - sums[a]) * u
                    value = sums[c] + (sums[d] - sums[c]) * v - first
                    ratios[r, k] = value / (weight if weight > 0 else 1.0)
                else:
                    ratios[r, k] = np.nan


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

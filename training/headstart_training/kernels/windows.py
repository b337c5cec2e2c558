"""Means of windows of running sums, for many moments of each series at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled, inlined

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints


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
    block = np.empty((offsets.shape[1], _BLOCK))
    for i in range(start, stop):
        sums, counts = total[i], known[i]
        for t in range(0, now.shape[1], _BLOCK):
            moments = now[i, t : t + _BLOCK]
            low, high = moments.min(), moments.max()
            in_step = _follow_each_other(moments)
            for a in range(ago.shape[1]):
                if np.isnan(ago[i, a]):
                    means[i, t : t + _BLOCK, a] = np.nan
                    continue
                for k in range(len(block)):
                    first, end = offsets[i, k]
                    left = int(min(max(low - ago[i, a] + first, 0.0), float(last)))
                    right = int(min(max(high - ago[i, a] + end, 0.0), float(last)))
                    if counts[left] == counts[min(right + 1, last)]:
                        # Before the history begins, as much of what training sees is.
                        block[k] = np.nan
                        continue
                    one_by_one = not in_step or _neighbours(
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
def _follow_each_other(moments: Floats) -> bool:
    """Whether each is one sample after the one before it."""
    return bool((moments[1:] - moments[:-1] == 1.0).all())


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
    """Work out one window at moments that follow each other by one sample, where all is known.

    Both edges then move by a whole sample each time. Until a number reaches the next power of two
    it is rounded alike, so where an edge lies between two samples, and what the window weighs, is
    worked out once for many moments. What is read of the sums lies side by side, so that the
    compiler reads several at once.

    Returns
    -------
    bool
        Whether it is not so, and ``out`` is to be worked out by :func:`_strangers`; where it is,
        the two give the same bits.
    """
    length, last = len(now), len(sums) - 1
    left, right = now[0] - before + first, now[0] - before + end
    if now[0] < before or left < 0 or left > right or int(right) + length > last:
        return True
    if counts[int(right) + length] - counts[int(left)] < int(right) + length - int(left):
        return True
    t = 0
    while t < length:
        back = now[t] - before
        left, right = back + first, back + end
        a, b = int(left), int(right)
        u, v = left - a, right - b
        a_known, b_known = counts[a] + u, counts[b] + v
        alike = min(
            _to_next_power(back),
            _to_next_power(left),
            _to_next_power(right),
            _to_next_power(a_known),
            _to_next_power(b_known),
            length - t,
        )
        weight = b_known - a_known
        enough = (weight >= least_known * (right - left)) & (right <= now[t])
        divisor = weight if weight > 0 else 1.0
        near, far, means = sums[a : a + alike + 1], sums[b : b + alike + 1], out[t : t + alike]
        if enough:
            for k in range(alike):
                to = far[k] + (far[k + 1] - far[k]) * v
                means[k] = (to - (near[k] + (near[k + 1] - near[k]) * u)) / divisor
        else:
            means[:] = np.nan
        t += alike
    return False


@inlined
def _to_next_power(number: float) -> int:
    """How many times 1 is to be added until the next power of two is reached."""
    return math.ceil(math.ldexp(1.0, math.frexp(number)[1]) - number)


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
    last = len(sums) - 1
    for t in range(len(now)):
        left, right = now[t] - before + first, now[t] - before + end
        from_, to = min(max(left, 0.0), float(last)), min(max(right, 0.0), float(last))
        a, b = int(from_), int(to)
        u, v = from_ - a, to - b
        a_next, b_next = min(a + 1, last), min(b + 1, last)
        a_known = counts[a] + (counts[a_next] - counts[a]) * u
        weight = counts[b] + (counts[b_next] - counts[b]) * v - a_known
        a_sum = sums[a] + (sums[a_next] - sums[a]) * u
        value = sums[b] + (sums[b_next] - sums[b]) * v - a_sum
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
    start: int,
    stop: int,
    seen: Floats,
    moments: Floats,
    sample: Floats,
    newest: Floats,
    age: Floats,
) -> None:
    """Find the newest known rate at each moment, and its age; ``Sight`` and ``see`` have the rest.

    NaN and infinity where there never was one.
    """
    samples = seen.shape[1]
    last = np.empty(samples + 1, dtype=np.int64)
    for i in range(start, stop):
        last[0] = -1
        for j in range(samples):
            last[j + 1] = j if np.isfinite(seen[i, j]) else last[j]
        for t in range(moments.shape[1]):
            at = last[min(max(int(np.floor(moments[i, t])), 0), samples)]
            newest[i, t] = seen[i, at] if at >= 0 else np.nan
            age[i, t] = (moments[i, t] - 1 - at) * sample[i] if at >= 0 else np.inf


@compiled
def extremes(
    start: int,
    stop: int,
    moments: Floats,
    lead: Floats,
    windows: Floats,
    spans: Ints,
    large: float,
    least: float,
    total: Floats,
    known: Floats,
    least_known: float,
    found: Floats,
) -> None:
    """``look_far`` at many moments of each series.

    Parameters
    ----------
    start, stop
        Series, of N.
    moments
        In samples from the left edge, shape (N, T).
    lead
        Lead times in samples, shape (N,).
    windows
        Start and end, after a sample, of a level and of the one before it, shape (N, 2, 2).
    spans
        How many samples are remembered, shape (N,).
    large
        Share of the largest rise that a rise has to have to count.
    least
        Share of the highest level that the largest rise has to have for there to be any.
    total, known, least_known
        As for :func:`window_means`.
    found
        Takes the results, shape (N, T, 3).
    """
    last = total.shape[1] - 1
    for i in range(start, stop):
        low = min(max(int(moments[i].min()), 0), last)
        high = min(max(int(moments[i].max()), 0), last)
        first = max(low - spans[i] + 1, 0)
        ends = np.arange(first, high + 1).astype(np.float64)
        levels, before = np.empty(len(ends)), np.empty(len(ends))
        for k, out in enumerate((levels, before)):
            left, right = windows[i, k]
            if _neighbours(ends, 0.0, left, right, total[i], known[i], least_known, out):
                _strangers(ends, 0.0, left, right, total[i], known[i], least_known, out)
        tops, _ = _sliding_most(levels, spans[i], large)
        rises, since = _sliding_most(levels - before, spans[i], large)
        for t in range(moments.shape[1]):
            at = min(max(int(moments[i, t]), 0), last) - first
            found[i, t, 0] = tops[at]
            found[i, t, 1] = rises[at]
            ago = since[at] if rises[at] > least * tops[at] else spans[i]
            found[i, t, 2] = ago / lead[i] if np.isfinite(rises[at]) else np.nan


@compiled
def _sliding_most(values: Floats, span: int, large: float) -> tuple[Floats, Ints]:
    """The most of the newest ``span`` values at each one, and how many ago a large one was.

    NaN where none is known. Those that no later one reaches wait in a queue that falls from the
    most to the newest; the newest large one is among them, since whoever reached it is large too.
    """
    most, ago = np.full(len(values), np.nan), np.zeros(len(values), dtype=np.int64)
    waiting = np.empty(len(values), dtype=np.int64)
    head = tail = 0
    for k in range(len(values)):
        if head < tail and waiting[head] <= k - span:
            head += 1
        if not np.isnan(values[k]):
            while head < tail and values[waiting[tail - 1]] <= values[k]:
                tail -= 1
            waiting[tail] = k
            tail += 1
        if head == tail:
            continue
        most[k] = values[waiting[head]]
        low, high = head, tail - 1
        while low < high:
            middle = (low + high + 1) // 2
            if values[waiting[middle]] >= large * most[k]:
                low = middle
            else:
                high = middle - 1
        ago[k] = k - waiting[low]
    return most, ago

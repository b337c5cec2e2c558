"""The largest value of a sliding window in constant time per value.

A window is one integer array of shape (3, size), size a power of two: a ring of those values that
may yet be the largest, falling; the moment of each; and in the last row the first of them and one
past their last, counted since the start. One plain array, because numba counts references to every
member of a tuple at every call, which took nine tenths of the time.

Source: the ascending minima algorithm, R. Harter, http://www.richardhartersworld.com/slidingmin
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.kernels.compiled import compiled

if TYPE_CHECKING:
    from headstart_policy.types import Ints


@compiled
def window(length: int) -> Ints:
    """Make an empty window over ``length`` moments."""
    size = 4
    while size < length + 2:
        size *= 2
    return np.zeros((3, size), dtype=np.int64)


@compiled
def largest(past: Ints, length: int, now: int, value: int) -> int:
    """Largest of ``value`` and of what was put in after moment ``now - length``."""
    mask = past.shape[1] - 1
    first, end = past[2, 0], past[2, 1]
    while first < end and past[1, first & mask] <= now - length:
        first += 1
    past[2, 0] = first
    if first < end and past[0, first & mask] > value:
        return int(past[0, first & mask])
    return value


@compiled
def put(past: Ints, now: int, value: int) -> None:
    """Remember ``value``; :func:`largest` was called for this moment before."""
    mask = past.shape[1] - 1
    first, end = past[2, 0], past[2, 1]
    while first < end and past[0, (end - 1) & mask] <= value:
        end -= 1
    past[0, end & mask] = value
    past[1, end & mask] = now
    past[2, 1] = end + 1


@compiled
def holds(past: Ints, length: int, until: int, value: int) -> bool:
    """Whether the largest stays what it is before moment ``until``, if ``value`` goes on coming."""
    first = past[2, 0]
    mask = past.shape[1] - 1
    at_top = past[0, first & mask] == value
    return bool(at_top or past[1, first & mask] + length >= until)

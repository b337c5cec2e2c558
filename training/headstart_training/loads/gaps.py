"""Gaps of a recording: say how much is missing, and fill it for what needs a number everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_training.loads.waves import DAY

if TYPE_CHECKING:
    from headstart_policy.types import Bools, Floats, Ints

HOUR = 3600.0


def describe(rates: Floats, step: float) -> tuple[str, ...]:
    """Say how many bins are missing (NaN) and where the longest gap is; nothing if none is."""
    starts, lengths = runs(np.isnan(rates))
    if not starts.size:
        return ()
    longest = int(lengths.argmax())
    gaps = "1 gap" if starts.size == 1 else f"{starts.size:,} gaps, the longest"
    how_long = duration(lengths[longest] * step)
    words = f"{lengths.sum():,} of {rates.size:,} bins are missing, in {gaps} of {how_long}"
    return (f"{words} from bin {starts[longest] + 1:,} on: left unknown",)


def fill(rates: Floats, step: float) -> Floats:
    """Fill gaps of up to an hour by straight lines, longer ones from the days around.

    A straight line through a day would be a load that no service has; the same time of the nearest
    recorded day is one. Where no day has it, the line is all there is.

    Parameters
    ----------
    rates
        Requests/s, NaN where unknown, shape (T,); at least one is known.
    step
        Length of a bin [s].
    """
    filled = rates.copy()
    starts, lengths = runs(np.isnan(rates))
    long = lengths * step > HOUR
    for start, length in zip(starts[long], lengths[long], strict=True):
        _borrow(filled, rates, np.arange(start, start + length), max(round(DAY / step), 1))
    rest = np.isnan(filled)
    filled[rest] = np.interp(np.flatnonzero(rest), np.flatnonzero(~rest), filled[~rest])
    return filled


def runs(mask: Bools) -> tuple[Ints, Ints]:
    """Where runs of true values begin, and how long they are."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges[::2], edges[1::2] - edges[::2]


def duration(seconds: float) -> str:
    """Write a duration as people do."""
    for unit, size in (("d", DAY), ("h", HOUR), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _borrow(filled: Floats, rates: Floats, gap: Ints, day: int) -> None:
    """Copy a gap from the nearest days that have it, the one before first."""
    for shift in (days * sign for days in range(day, rates.size, day) for sign in (-1, 1)):
        source = gap + shift
        there = (source >= 0) & (source < rates.size)
        still = gap[there & np.isnan(filled[gap])]
        filled[still] = rates[still + shift]
        if not np.isnan(filled[gap]).any():
            return

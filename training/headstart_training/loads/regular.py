"""Rows with times -> a regular series, with every repair in words.

What has one sensible reading is repaired and said: order, identical duplicates, clock changes,
jitter, two resolutions, gaps. What has several is refused with the line: two rows that contradict
each other, resolutions that do not divide one another.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.loads.gaps import HOUR, describe, duration, fill, runs

if TYPE_CHECKING:
    from headstart_policy.types import Bools, Floats, Ints

# As many equal distances in a row are a resolution, not a hole.
_REGIME = 12
# Rows may be this share of a bin off their place: a scrape is seldom on the second.
_JITTER = 0.25
_SAME = 0.005
_USUAL = (1.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
# A bin this many times above all others is a fault of the recording; real crowds build up.
_ABSURD = 1000.0
_LEAST_ROWS = 2
# With fewer rows than this share of the bins, a time is wrong, or most of the recording is lost.
_LEAST_RECORDED = 0.05
_YEAR_9999 = 253_370_764_800
_SUNDAY = 6
# Clocks change in the first hours of a Sunday; elsewhere a missing hour is a missing hour.
_CHANGE_HOURS = range(4)


class TraceError(ValueError):
    """The recording is no regular series of rates; the message names line, key and value."""


class Rows(NamedTuple):
    """What a recording says, in its order."""

    lines: Ints
    """Line of each row, shape (R,)."""
    times: Floats
    """Seconds since 1970, or since any fixed moment, shape (R,)."""
    rates: Floats
    """Requests/s, NaN where there is none, shape (R,)."""

    def take(self, which: Ints | Bools) -> Rows:
        """Pick rows."""
        return Rows(self.lines[which], self.times[which], self.rates[which])

    def at(self, row: int | np.integer) -> str:
        """Name a row for a message."""
        return f"line {self.lines[row]}"


class Trace(NamedTuple):
    """A recorded load."""

    rates: Floats
    """Requests/s of each bin, NaN where unknown, shape (T,)."""
    step: float
    """Length of a bin [s]."""
    start: datetime | None = None
    """Beginning of the first bin, without a zone where the recording names none; ``None``: the
    recording has no calendar."""
    repairs: tuple[str, ...] = ()
    """What was not as it should be and what was done about it, in words."""

    @property
    def filled(self) -> Floats:
        """Rates with what is unknown filled, shape (T,); see :func:`.gaps.fill`."""
        return fill(self.rates, self.step)


def regular(rows: Rows, *, local: bool = False) -> Trace:
    """Make a regular series of rows.

    Parameters
    ----------
    rows
        At least two.
    local
        Whether times are those of a wall clock that may have been put forward or back.

    Raises
    ------
    TraceError
        What is there has no single sensible reading; the message says what to do.
    """
    repairs: list[str] = []
    rows = _forwards(_require_two(rows), repairs)
    if local:
        rows = _one_clock(rows, repairs)
    rows = _sorted(rows, repairs)
    rows = _once(rows, repairs)
    rows = _without_absurd(rows, repairs)
    step, first, rates = _on_grid(rows, repairs)
    require_load(rates)
    start = datetime.fromtimestamp(first, UTC) if 0 <= first < _YEAR_9999 else None
    return Trace(rates, step, start, (*repairs, *describe(rates, step)))


def require_load(rates: Floats) -> None:
    """Refuse a recording of nothing.

    Raises
    ------
    TraceError
        No rate is above 0.
    """
    if not np.nanmax(rates, initial=0.0) > 0:
        raise TraceError(
            f"all {rates.size:,} rates are 0 or missing, at least one must be above 0: "
            "is it the right counter?"
        )


def _forwards(rows: Rows, repairs: list[str]) -> Rows:
    distance = np.diff(rows.times)
    if np.all(distance <= 0) and np.any(distance < 0):
        repairs.append("the newest row comes first: turned round")
        return rows.take(np.arange(rows.times.size)[::-1])
    return rows


def _one_clock(rows: Rows, repairs: list[str]) -> Rows:
    """Undo daylight saving: times as of a clock that is never set."""
    distance = np.diff(rows.times)
    usual = _most_common(distance[distance > 0])
    if not usual < HOUR:
        return rows
    shift = np.zeros(rows.times.size)
    after = np.append(distance[1:], usual)
    # Set back: the same hour again, and not a single row that is out of order.
    back = np.isclose(distance, usual - HOUR) & (after < HOUR / 2)
    for row in np.flatnonzero(back) + 1:
        shift[row:] += HOUR
        repairs.append(f"{rows.at(row)}: the clock is set back an hour: later rows follow on")
    for row in np.flatnonzero(np.isclose(distance, usual + HOUR)) + 1:
        if _skips_an_hour(rows.times[row] - HOUR):
            shift[row:] -= HOUR
            repairs.append(
                f"{rows.at(row)}: the clock is set forward an hour (night to a Sunday): later rows "
                "follow on; give times a zone if that hour is missing"
            )
    return rows._replace(times=rows.times + shift)


def _skips_an_hour(skipped: float) -> bool:
    moment = datetime.fromtimestamp(skipped, UTC)
    on_the_hour = moment.minute == moment.second == 0
    return on_the_hour and moment.weekday() == _SUNDAY and moment.hour in _CHANGE_HOURS


def _sorted(rows: Rows, repairs: list[str]) -> Rows:
    late = rows.times < np.maximum.accumulate(rows.times)
    if not late.any():
        return rows
    first = int(late.argmax())
    repairs.append(f"{_rows(late)} before the line above, from {rows.at(first)} on: sorted by time")
    return rows.take(np.argsort(rows.times, kind="stable"))


def _once(rows: Rows, repairs: list[str]) -> Rows:
    if not np.any(np.diff(rows.times) == 0):
        return rows
    # Of two rows for one time, of which one is empty, the other says what there is to say.
    rows = rows.take(np.lexsort((np.isnan(rows.rates), rows.times)))
    again = np.concatenate([[False], np.diff(rows.times) == 0])
    before = np.concatenate([[np.nan], rows.rates[:-1]])
    for row in np.flatnonzero(again & np.isfinite(rows.rates) & (before != rows.rates)):
        raise TraceError(
            f"{rows.at(row)}: the time of {rows.at(row - 1)} again, with another rate "
            f"({rows.rates[row]:g} after {before[row]:g} requests/s), must be there once: keep the "
            "right one, or add them up if they are parts of one load"
        )
    repairs.append(f"{_rows(again)} there twice, first {rows.at(int(again.argmax()))}: dropped")
    return _require_two(rows.take(~again))


def _require_two(rows: Rows) -> Rows:
    if rows.times.size < _LEAST_ROWS:
        raise TraceError(
            f"{rows.times.size} rows, at least {_LEAST_ROWS} are needed to know the bin: "
            "record for longer"
        )
    return rows


def _without_absurd(rows: Rows, repairs: list[str]) -> Rows:
    """Take one bin far above all others as missing: a counter that jumped, not a crowd."""
    recorded = rows.rates[np.isfinite(rows.rates)]
    if recorded.size <= _REGIME:
        return rows
    second, largest = np.partition(recorded, -2)[-2:]
    if not largest > _ABSURD * second > 0:
        return rows
    row = int(np.nanargmax(rows.rates))
    repairs.append(
        f"{rows.at(row)}: {largest:g} requests/s, more than {_ABSURD:,.0f} times the next highest "
        f"({second:g}): taken as missing"
    )
    return rows._replace(rates=np.where(rows.rates == largest, np.nan, rows.rates))


def _on_grid(rows: Rows, repairs: list[str]) -> tuple[float, float, Floats]:
    """Find the bin, and put rows there; returns bin [s], first time and rates."""
    distance = np.diff(rows.times)
    resolutions = _resolutions(distance)
    step = max(resolutions)
    if step == 0:
        raise TraceError("rows are less than a millisecond apart, must be at least that")
    if not np.ptp(rows.times) / step <= rows.times.size / _LEAST_RECORDED:
        row = int(distance.argmax()) + 1
        raise TraceError(
            f"{rows.at(row)}: {duration(distance[row - 1])} after the row before; "
            f"{rows.times.size:,} rows of {duration(step)}, at least {_LEAST_RECORDED:.0%} of the "
            "time must be recorded: is that time right?"
        )
    if len(resolutions) > 1:
        for finer in resolutions:
            if not np.isclose(step / finer, round(step / finer)):
                raise TraceError(
                    f"bins of {_and(resolutions)} in one recording, the longest must be a multiple "
                    "of the others: split it, or resample it"
                )
        repairs.append(f"bins of {_and(resolutions)}: averaged to {duration(step)}")
    first = _first(rows, distance, step, mixed=len(resolutions) > 1)
    place = (rows.times - first) / step
    if len(resolutions) == 1:
        off = np.abs(place - np.round(place))
        if off.max() > _JITTER:
            row = int(off.argmax())
            raise TraceError(
                f"{rows.at(row)}: {duration(distance[row - 1])} after the row before, the bin has "
                f"{duration(step)}, rows may be {_JITTER:.0%} of a bin off: resample it"
            )
        if off.max() * step > 1e-3:  # noqa: PLR2004 - a millisecond is how a float was written
            repairs.append(f"times are up to {duration(off.max() * step)} off: moved to their bin")
        place = np.round(place)
    index = np.floor(place + 1e-9).astype(np.int64)
    index -= index[0]
    recorded = np.isfinite(rows.rates)
    number = np.bincount(index[recorded], minlength=index[-1] + 1)
    total = np.bincount(index[recorded], rows.rates[recorded], minlength=index[-1] + 1)
    with np.errstate(invalid="ignore"):
        return step, first, total / np.where(number > 0, number, np.nan)


def _resolutions(distance: Floats) -> list[float]:
    """Distances that are a resolution for a while, ascending; else the most common one."""
    rounded = np.round(distance, 3)
    for usual in _USUAL:
        # 59.999 and 60.001 s are no two resolutions.
        rounded[np.abs(rounded / usual - 1) < _SAME] = usual
    starts, lengths = runs(np.concatenate([[False], np.diff(rounded) == 0]))
    found = {float(rounded[start]) for start in starts[lengths + 1 >= _REGIME]}
    return sorted(found) or [_about(distance)]


def _about(distance: Floats) -> float:
    """Find the bin where distances jitter: nobody scrapes each 60.6 s on purpose."""
    step = _most_common(distance)
    if step == 0 or np.allclose(distance / step, np.round(distance / step)):
        return step
    nearest = min(_USUAL, key=lambda usual: abs(usual / step - 1))
    return nearest if abs(nearest / step - 1) < _JITTER else step


def _first(rows: Rows, distance: Floats, step: float, *, mixed: bool) -> float:
    """Begin the grid so that the coarse rows are at the beginning of their bins."""
    if not mixed:
        return float(rows.times[0])
    coarse = rows.times[int(np.isclose(distance, step).argmax())]
    return float(coarse - np.ceil((coarse - rows.times[0]) / step - 1e-9) * step)


def _most_common(distance: Floats) -> float:
    """Find the most common distance; of several, the shortest."""
    counts = Counter(np.round(distance, 3).tolist())
    return min(counts, key=lambda value: (-counts[value], value), default=float("inf"))


def _rows(mask: Bools) -> str:
    number = int(mask.sum())
    return "1 row is" if number == 1 else f"{number:,} rows are"


def _and(steps: list[float]) -> str:
    words = [duration(step) for step in steps]
    return ", ".join(words[:-1]) + f" and {words[-1]}"

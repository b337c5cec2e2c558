"""Recorded loads: CSV files with a column of times and one of requests.

The project's own form is ``minute,requests``: ``minute`` is an ISO time or a number of minutes,
``requests`` the mean number of requests per *minute* in the row's bin. Other names are read where
they leave no doubt about the unit (:data:`TIMES`, :data:`LOADS`); ``.gz`` files are unpacked.
Columns may be divided by semicolons or tabs as well, as spreadsheets write them.

What is wrong with a file is repaired where there is one sensible reading, and every repair is in
:attr:`.regular.Trace.repairs`; everything else is refused with line, key, bound and value.
"""

from __future__ import annotations

import csv
import gzip
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.loads.regular import Rows, Trace, TraceError, regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from headstart_policy.types import Floats

__all__ = ["Trace", "TraceError", "parse_trace", "read_trace"]

COLUMNS = ["minute", "requests"]
# Seconds of a column's unit where times are plain numbers; 0: Unix time in seconds or milliseconds.
TIMES = {"minute": 60.0, "second": 1.0, "timestamp": 0.0, "time": 0.0, "datetime": 0.0, "date": 0.0}
# Seconds that a number of requests is counted over; 0: the bin.
LOADS = {
    "requests": 60.0,
    "requests_per_minute": 60.0,
    "rpm": 60.0,
    "rate": 1.0,
    "requests_per_second": 1.0,
    "rps": 1.0,
    "requests_per_bin": 0.0,
}
# The first where the header holds none of them.
DELIMITERS = ",;\t"
# More requests/s than all of the world's web servers get together: a counter, or another unit.
_MOST_RATE = 1e9
# Unix times between 2001 and 2286, in seconds.
_UNIX = (1e9, 1e10)


class _Layout(NamedTuple):
    """Which columns count, and in what unit."""

    names: list[str]
    time: int
    load: int

    @property
    def keys(self) -> tuple[str, str]:
        return self.names[self.time], self.names[self.load]


class _Moment(NamedTuple):
    seconds: float
    kind: str
    """How it was written: number, local time, or time with a zone."""


def read_trace(path: Path) -> Trace:
    """Read a trace from ``path``, which may be gzipped (``.gz``).

    Raises
    ------
    TraceError
        What is there has no single sensible reading; the message begins with the file's name.
    OSError
        The file cannot be read.
    """
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", newline="", encoding="utf-8-sig") as file:
                return parse_trace(file)
        with path.open(newline="", encoding="utf-8-sig") as file:
            return parse_trace(file)
    except TraceError as error:
        raise TraceError(f"{path.name}: {error}") from None
    except (UnicodeDecodeError, csv.Error, EOFError) as error:
        raise TraceError(f"{path.name}: no CSV file: {error}") from None


def read_folder(folder: Path) -> dict[str, Trace]:
    """Read all ``*.csv`` and ``*.csv.gz`` of a folder, by their names without these endings.

    Raises
    ------
    TraceError
        There is none, or one cannot be read.
    """
    files = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    if not files:
        raise TraceError(f"{folder} holds no *.csv or *.csv.gz")
    return {file.name.removesuffix(".gz").removesuffix(".csv"): read_trace(file) for file in files}


def parse_trace(lines: Iterable[str]) -> Trace:
    """Read a trace from the lines of a CSV file; raises as :func:`read_trace` does."""
    rest = iter(lines)
    first = next(rest, None)
    if first is None:
        raise TraceError("the file is empty, must have a header and rows: minute,requests")
    delimiter = _delimiter(first)
    header = next(csv.reader([first], delimiter=delimiter))
    layout = _layout(header)
    reader = csv.reader(rest, delimiter=delimiter)
    numbers: list[tuple[int, float, float]] = []
    kinds: dict[str, int] = {}
    blank = 0
    for line, row in enumerate(reader, start=2):
        if not row:
            blank += 1
            continue
        if len(row) != len(header):
            raise TraceError(f"line {line}: {len(row)} columns, must be {len(header)}")
        moment = _time(line, layout.keys[0], row[layout.time])
        kinds.setdefault(moment.kind, line)
        numbers.append((line, moment.seconds, _load(line, layout.keys[1], row[layout.load])))
    _require_one_kind(kinds, layout.keys[0])
    trace = regular(
        Rows(
            np.array([line for line, _, _ in numbers], dtype=np.int64),
            np.array([time for _, time, _ in numbers]),
            _per_second(layout, numbers),
        ),
        local="a local time" in kinds,
    )
    _require_clear_unit(layout, trace)
    return trace._replace(
        rates=trace.rates / (trace.step if _unit(layout) == 0 else 1.0),
        start=_start(trace.start, kinds),
        repairs=(*_ignored(layout), *_blank(blank), *trace.repairs),
    )


def _delimiter(header: str) -> str:
    """What divides the columns: no name that is known holds any of these."""
    return max(DELIMITERS, key=header.count)


def _layout(header: list[str]) -> _Layout:
    """Find the two columns that count."""
    names = [name.strip() for name in header]
    found = []
    for what, known in (("times", TIMES), ("requests", LOADS)):
        which = [k for k, name in enumerate(names) if name.lower() in known]
        if len(which) != 1:
            raise TraceError(
                f"line 1: columns must be {','.join(COLUMNS)}, or have one column of {what} called "
                f"{', '.join(known)}; are {names}: rename it to what it is"
            )
        found.append(which[0])
    return _Layout(names, *found)


def _unit(layout: _Layout) -> float:
    return LOADS[layout.keys[1].lower()]


def _per_second(layout: _Layout, numbers: list[tuple[int, float, float]]) -> Floats:
    return np.array([load for _, _, load in numbers]) / (_unit(layout) or 1.0)


def _require_clear_unit(layout: _Layout, trace: Trace) -> None:
    """Refuse ``timestamp,requests`` in bins of other than a minute: it has two readings."""
    time, load = (key.lower() for key in layout.keys)
    if load == COLUMNS[1] and time != COLUMNS[0] and trace.step != LOADS[load]:
        raise TraceError(
            f"line 1: {layout.keys[1]} beside {layout.keys[0]} in bins of {trace.step:g} s may be "
            "per minute or per bin: rename the column to requests_per_minute, requests_per_bin or "
            "requests_per_second"
        )


def _time(line: int, key: str, text: str) -> _Moment:
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        return _calendar(line, key, text)
    if not math.isfinite(number):
        raise TraceError(f"line {line}: {key} = {text}, must be finite")
    unit = TIMES[key.lower()]
    if unit:
        return _Moment(number * unit, "a number")
    for scale in (1.0, 1000.0):
        if _UNIX[0] <= number / scale < _UNIX[1]:
            return _Moment(number / scale, "a Unix time")
    raise TraceError(
        f"line {line}: {key} = {text}, must be a Unix time in seconds or milliseconds "
        "(2001 or later), or an ISO time: rename the column to second or minute if it counts those"
    )


def _calendar(line: int, key: str, text: str) -> _Moment:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TraceError(
            f"line {line}: {key} = {text!r}, must be an ISO time or a number"
        ) from None
    if moment.tzinfo is None:
        return _Moment(moment.replace(tzinfo=UTC).timestamp(), "a local time")
    return _Moment(moment.timestamp(), "a time with a zone")


def _load(line: int, key: str, text: str) -> float:
    text = text.strip()
    # What spreadsheets, pandas and Grafana write where nothing was recorded.
    if text.lower() in {"", "nan", "null", "none"}:
        return math.nan
    try:
        count = float(text)
    except ValueError:
        raise TraceError(f"line {line}: {key} = {text!r}, must be a number") from None
    bound = _MOST_RATE * (LOADS[key.lower()] or 1.0)
    if not 0 <= count <= bound:
        raise TraceError(
            f"line {line}: {key} = {text}, must be in [0, {bound:g}]: a counter must go through "
            "rate() first; leave the field empty if nothing was recorded"
        )
    return count


def _require_one_kind(kinds: dict[str, int], key: str) -> None:
    if len(kinds) > 1:
        (one, first), (other, line), *_ = kinds.items()
        raise TraceError(
            f"line {line}: {key} is {other}, on line {first} it is {one}, must be the same kind "
            "throughout: write all times in one way"
        )


def _start(start: datetime | None, kinds: dict[str, int]) -> datetime | None:
    if start is None or "a number" in kinds:
        return None
    return start.replace(tzinfo=None) if "a local time" in kinds else start


def _ignored(layout: _Layout) -> Iterator[str]:
    others = [name for k, name in enumerate(layout.names) if k not in {layout.time, layout.load}]
    if others:
        yield f"other columns than {' and '.join(layout.keys)}: {', '.join(others)}: not read"


def _blank(lines: int) -> Iterator[str]:
    if lines:
        yield f"{lines} empty line{'s' if lines > 1 else ''}: skipped"

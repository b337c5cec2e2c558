"""Recorded loads: CSV files with the columns ``minute,requests``.

``minute`` is an ISO time, or a number of minutes; ``requests`` is the mean number of requests per
minute in the row's bin. Rows are regular, oldest first; their distance is the bin.
"""

from __future__ import annotations

import csv
import gzip
import math
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from headstart_policy.types import Floats

COLUMNS = ["minute", "requests"]
_LEAST_ROWS = 2


class Trace(NamedTuple):
    """A recorded load."""

    rates: Floats
    """Requests/s of each bin, shape (T,)."""
    step: float
    """Length of a bin [s]."""


class TraceError(ValueError):
    """The file is no regular series of rates; the message names line, key and value."""


def read_trace(path: Path) -> Trace:
    """Read a trace from ``path``, which may be gzipped (``.gz``).

    Raises
    ------
    TraceError
        Other columns, fewer than two rows, a gap, a duplicate, time that runs backwards, or a
        number of requests that is negative or not finite.
    OSError
        The file cannot be read.
    """
    if path.suffix == ".gz":
        with gzip.open(path, "rt", newline="") as file:
            return parse_trace(file)
    with path.open(newline="") as file:
        return parse_trace(file)


def parse_trace(lines: Iterable[str]) -> Trace:
    """Read a trace from the lines of a CSV file; raises as :func:`read_trace` does."""
    reader = csv.reader(lines)
    header = next(reader, None)
    if header != COLUMNS:
        raise TraceError(f"line 1: columns must be {','.join(COLUMNS)}, are {header}")
    times: list[float] = []
    rates: list[float] = []
    for line, (minute, requests) in _rows(reader):
        times.append(_time(line, minute))
        rates.append(_requests(line, requests) / 60)
        if len(times) >= _LEAST_ROWS:
            _require_regular(line, minute, times)
    if len(times) < _LEAST_ROWS:
        raise TraceError(f"{len(times)} rows, at least {_LEAST_ROWS} are needed to know the bin")
    return Trace(np.array(rates), (times[1] - times[0]) * 60)


def _rows(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for line, row in enumerate(reader, start=2):
        if len(row) != len(COLUMNS):
            raise TraceError(f"line {line}: {len(row)} columns, must be {len(COLUMNS)}")
        yield line, row


def _time(line: int, minute: str) -> float:
    """Minutes since any fixed moment."""
    try:
        time = float(minute)
    except ValueError:
        try:
            # Without a zone all times count as of one; what matters is their distance.
            moment = datetime.fromisoformat(minute)
        except ValueError:
            raise TraceError(
                f"line {line}: minute = {minute!r}, must be an ISO time or a number"
            ) from None
        time = (moment.replace(tzinfo=None) - datetime.min).total_seconds() / 60  # noqa: DTZ901
    if not math.isfinite(time):
        raise TraceError(f"line {line}: minute = {minute}, must be finite")
    return time


def _requests(line: int, requests: str) -> float:
    try:
        count = float(requests)
    except ValueError:
        raise TraceError(f"line {line}: requests = {requests!r}, must be a number") from None
    if not (math.isfinite(count) and count >= 0):
        raise TraceError(f"line {line}: requests = {requests}, must be finite and at least 0")
    return count


def _require_regular(line: int, minute: str, times: list[float]) -> None:
    bin_, step = times[1] - times[0], times[-1] - times[-2]
    if step == 0:
        raise TraceError(f"line {line}: minute = {minute} is there twice")
    if step < 0:
        raise TraceError(f"line {line}: minute = {minute} is before the line above")
    if not math.isclose(step, bin_, rel_tol=1e-6):
        raise TraceError(
            f"line {line}: minute = {minute} is {step:g} min after the line above, the bin has"
            f" {bin_:g} min"
        )

"""A recorded load, made ready to be played: interval, halves, class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.loads.gaps import fill

if TYPE_CHECKING:
    from datetime import datetime

    from headstart_policy.types import Bools, Floats
    from headstart_training.loads.traces import Trace

DAY = 86_400.0
LEAST_INTERVAL = 60.0
# Half of it tunes, half of it tests, and a test of less than a day says nothing about a night.
LEAST_DAYS = 2.0
# More than this share of either half unknown, and what remains is no load to judge by.
MOST_UNKNOWN = 0.5

# The classes of the protocol: a bin this long hides what happens within a lead time, and a day
# that repeats the one before this closely can be foreseen.
COARSE_BIN = 300.0
PREDICTABLE_CORRELATION = 0.95
_CORRELATION_BIN = 900.0


class Class(StrEnum):
    """How much of a load can be foreseen; computed from the tuning half."""

    PREDICTABLE = "predictable"
    NOISY = "noisy"
    COARSE = "coarse"


class HistoryError(ValueError):
    """The recording cannot be judged by; the message says what is missing."""


class Actual(NamedTuple):
    """What really ran in each interval."""

    replicas: Floats
    """Replicas asked for, shape (T,); NaN: unknown."""
    ready: Floats
    """Replicas that served, shape (T,); NaN: unknown."""


@dataclass(frozen=True)
class Service:
    """One service's recorded load.

    Attributes
    ----------
    name
        What to call it.
    rates
        Requests/s of each interval, shape (T,); NaN: unknown.
    interval
        Between two decisions [s]: the recording's own bin, at least :data:`LEAST_INTERVAL`.
    bin
        The recording's own bin [s].
    start
        Of the first interval; ``None`` where the calendar is unknown.
    repairs
        What was mended in the recording, in words.
    notes
        What was found, or not found, beside the rate, in words.
    actual
        What really ran, where it is known.
    """

    name: str
    rates: Floats
    interval: float
    bin: float
    start: datetime | None = None
    repairs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    actual: Actual | None = None

    @property
    def half(self) -> int:
        """Steps of the first half, which tunes; the rest tests."""
        return len(self.rates) // 2

    @property
    def days(self) -> float:
        """Length of the recording."""
        return len(self.rates) * self.interval / DAY

    @property
    def known(self) -> Bools:
        """Whether the rate is known, shape (T,)."""
        values: Bools = np.isfinite(self.rates)
        return values

    @property
    def filled(self) -> Floats:
        """Rates with the unknown ones filled, shape (T,).

        The simulator needs a number for every step; steps that were unknown are never counted.
        """
        return fill(self.rates, self.interval)

    @property
    def kind(self) -> Class:
        """Class by the tuning half."""
        return classify(self.rates[: self.half], self.interval, self.bin)


def from_trace(name: str, trace: Trace) -> Service:
    """Make a service of a recording; a bin below :data:`LEAST_INTERVAL` is averaged up to it.

    Raises
    ------
    HistoryError
        Too short, too little of it known, or no request in all of it.
    """
    several = math.ceil(LEAST_INTERVAL / trace.step - 1e-9)
    service = Service(
        name=name,
        rates=average(trace.rates, several),
        interval=trace.step * several,
        bin=trace.step,
        start=trace.start,
        repairs=trace.repairs,
    )
    _require_history(service)
    return service


def average(values: Floats, several: int) -> Floats:
    """Mean of every ``several`` samples, NaN where less than half of them are known; shape (T//k,).

    An incomplete last group is dropped: its mean would be of another length.
    """
    groups = values[: len(values) // several * several].reshape(-1, several)
    known = np.isfinite(groups)
    total = np.where(known, groups, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    return np.where(2 * count >= several, total / np.maximum(count, 1), np.nan)


def classify(rates: Floats, interval: float, bin_: float) -> Class:
    """Class of a load by its tuning half.

    Parameters
    ----------
    rates
        Of the tuning half, requests/s, shape (T,).
    interval, bin_
        Of the rates, and of the recording that they came from [s].
    """
    if bin_ >= COARSE_BIN:
        return Class.COARSE
    similar = day_correlation(rates, interval)
    return Class.PREDICTABLE if similar >= PREDICTABLE_CORRELATION else Class.NOISY


def day_correlation(rates: Floats, interval: float) -> float:
    """Median over days of the correlation of 15-minute means with the day before.

    0 where there are no two days to compare, or where none of them varies.
    """
    means = average(rates, max(round(_CORRELATION_BIN / interval), 1))
    per_day = round(DAY / (interval * max(round(_CORRELATION_BIN / interval), 1)))
    days = means[: len(means) // per_day * per_day].reshape(-1, per_day)
    values = [_correlation(before, day) for before, day in pairwise(days)]
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else 0.0


def _correlation(one: Floats, other: Floats) -> float:
    both = np.isfinite(one) & np.isfinite(other)
    if 2 * both.sum() < len(one) or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return math.nan
    return float(np.corrcoef(one[both], other[both])[0, 1])


def _require_history(service: Service) -> None:
    if service.days < LEAST_DAYS:
        raise HistoryError(
            f"{service.name}: {service.days:.2f} days of history, at least {LEAST_DAYS:g} are"
            " needed: half of it tunes the baselines, half of it tests; record longer"
        )
    halves = {"tuning": slice(service.half), "test": slice(service.half, None)}
    for half, part in halves.items():
        unknown = 1 - float(service.known[part].mean())
        if unknown > MOST_UNKNOWN:
            raise HistoryError(
                f"{service.name}: {unknown:.0%} of the {half} half is unknown, at most"
                f" {MOST_UNKNOWN:.0%} may be; choose a time in which the rate was recorded"
            )
        if not np.nanmax(service.rates[part]) > 0:
            raise HistoryError(
                f"{service.name}: no request arrives in the {half} half; check the query or the"
                " column, or choose another time"
            )

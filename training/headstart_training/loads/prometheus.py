"""History from Prometheus: range queries in pages, kept on disk, patient with a slow server.

Prometheus refuses a range query of over 11,000 points a series, and other limits are the
administrator's: samples per query, seconds per query. So history is fetched a day at a time; a day
that is too much is halved until it is not.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from prometheus_api_client import PrometheusConnect
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from urllib3.util.retry import Retry

from headstart_training.loads.gaps import describe, duration
from headstart_training.loads.pages import Pages, Series
from headstart_training.loads.regular import Trace, require_load
from headstart_training.loads.session import Access, NotNow, PrometheusError, Session, TooMuch
from headstart_training.loads.waves import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from tenacity.wait import wait_base

    from headstart_policy.types import Floats

MOST_POINTS = 11_000
# A page is complete when its last instant is this old: remote writers and scrapes may be late [s].
SETTLED = 600.0
# More series than one are an error anyway; a label explosion must not fill our memory first.
_MOST_SERIES = 100
# Halving ends here: who cannot answer for as few points cannot answer.
_LEAST_POINTS = 30
_ATTEMPTS = 6
_WAIT = wait_random_exponential(multiplier=0.5, max=30)


class Window(NamedTuple):
    """Instants ``first * step, ..., last * step`` seconds since 1970."""

    first: int
    last: int
    step: int

    @property
    def points(self) -> int:
        """T."""
        return self.last - self.first + 1

    def time(self, point: int) -> datetime:
        """Instant of a point of the window."""
        return datetime.fromtimestamp((self.first + point) * self.step, UTC)


def window(end: datetime, days: float, step: int = 60) -> Window:
    """Take the ``days`` before ``end``, one point every ``step`` seconds.

    Raises
    ------
    ValueError
        Less than two points, or a step that is below 1 s.
    """
    if step < 1:
        raise ValueError(f"step must be at least 1 s, is {step}")
    last = int(end.timestamp() // step)
    found = Window(last - int(days * DAY / step) + 1, last, step)
    if found.points < 2:  # noqa: PLR2004 - as a CSV file needs two rows
        raise ValueError(
            f"days = {days:g} at a step of {step} s is {found.points} points, must be at least 2"
        )
    return found


class Prometheus:
    """One Prometheus, asked for history.

    Parameters
    ----------
    access
        How to reach it.
    cache
        Folder that pages are kept in; ``None``: nothing is kept.
    wait
        How long to wait before an attempt that follows a failed one.
    """

    def __init__(
        self, access: Access, cache: Path | None = None, *, wait: wait_base = _WAIT
    ) -> None:
        self._access = access
        self._cache = cache
        # The client mounts its own retries below ours: two layers would wait for each other.
        self._client = PrometheusConnect(
            access.address.rstrip("/"), session=Session(access), retry=Retry(0, read=False)
        )
        self._most = MOST_POINTS
        self._patience = Retrying(
            retry=retry_if_exception_type(NotNow),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait,
            reraise=True,
        )

    def matrix(
        self,
        query: str,
        window: Window,
        heard: Callable[[int, int], object] = lambda _done, _all: None,
        *,
        limit: int = 0,
        now: datetime | None = None,
    ) -> list[Series]:
        """Evaluate a query at every instant of a window; any number of series.

        Parameters
        ----------
        query, window
            What, and when.
        heard
            Called with the points that are there and those there will be.
        limit
            Of series; 0: no limit.
        now
            Pages that end well before are complete, and kept; ``None``: the clock's.

        Raises
        ------
        PrometheusError
            It does not answer, or not usefully. What was fetched stays in the cache.
        """
        length = int(min(MOST_POINTS, max(_LEAST_POINTS, DAY // window.step)))
        pages = Pages(self._cache, self._access.address.rstrip("/"), query, window.step, limit)
        settled = ((now or datetime.now(UTC)).timestamp() - SETTLED) / window.step
        found = _Canvas(window)
        heard(0, window.points)
        for first in range(window.first // length * length, window.last + 1, length):
            page = Window(first, first + length - 1, window.step)
            # A complete page is fetched whole, even what is not asked for today.
            complete = page.last <= settled
            part = page if complete else found.within(page)
            kept = pages.read(first, length) if complete else None
            series = self._fetch(query, part, limit) if kept is None else kept
            # Nothing may be there because a remote store was away: it is cheap to ask again.
            if complete and series and kept is None:
                pages.write(first, length, series)
            found.paste(series, part.first)
            heard(found.within(page).last - window.first + 1, window.points)
        return found.series()

    def _fetch(self, query: str, window: Window, limit: int) -> list[Series]:
        """Evaluate a query, in halves where it is too much in one."""
        found = _Canvas(window)
        for first in range(window.first, window.last + 1, self._most):
            part = found.within(Window(first, first + self._most - 1, window.step))
            try:
                series = self._patience(self._ask, query, part, limit)
            except TooMuch as error:
                if part.points <= _LEAST_POINTS:
                    raise PrometheusError(
                        f"{error}; so it did for {part.points} points: a recording rule for the "
                        "query, a longer step or a longer timeout may help"
                    ) from error
                # What is too much now will be too much for every page.
                self._most = -(-part.points // 2)
                return self._fetch(query, window, limit)
            except NotNow as error:
                raise PrometheusError(
                    f"{error}, after {_ATTEMPTS} attempts"
                    + ("; run it again to go on from here" if self._cache else "")
                ) from error
            found.paste(series, part.first)
        return found.series()

    def _ask(self, query: str, window: Window, limit: int) -> list[Series]:
        """Send one range query."""
        start, end = (
            datetime.fromtimestamp(k * window.step, UTC) for k in (window.first, window.last)
        )
        # The server gives up a little earlier than we do, and says so.
        params = {"timeout": f"{0.9 * self._access.timeout:.3f}"} | (
            {"limit": limit} if limit else {}
        )
        try:
            answer = self._client.custom_query_range(query, start, end, f"{window.step}", params)
            return [_series(one, window) for one in answer]
        # An answer that is no JSON, or another JSON.
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise PrometheusError(
                f"{self._access.address} does not answer as a Prometheus does: {error}"
            ) from error


@dataclass(frozen=True)
class PrometheusHistory:
    """The rate of one service, as Prometheus recorded it.

    Attributes
    ----------
    access
        How to reach it.
    query
        PromQL of one series, requests/s.
    window
        Which time.
    cache
        Folder that downloaded pages are kept in; ``None``: nothing is kept.
    """

    access: Access
    query: str
    window: Window
    cache: Path | None = None

    def read(self, heard: Callable[[int, int], object] = lambda _done, _all: None) -> Trace:
        """Download it; ``heard`` is called with the points that are there and will be.

        Raises
        ------
        PrometheusError
            There is no answer, no series or several, or no usable rate.
        """
        prometheus = Prometheus(self.access, self.cache)
        found = prometheus.matrix(self.query, self.window, heard, limit=_MOST_SERIES)
        return trace_of(found, self.window)


def trace_of(series: Sequence[Series], window: Window) -> Trace:
    """Make a trace of the one series that there must be.

    Raises
    ------
    PrometheusError
        No series or several, a rate below 0, or nothing but zeros.
    """
    if not series:
        raise PrometheusError(
            "the query returned no series: is the counter scraped, and are its labels right?"
        )
    if len(series) > 1:
        number = f"{len(series)} or more" if len(series) >= _MOST_SERIES else f"{len(series)}"
        raise PrometheusError(f"the query returned {number} series, must be 1: wrap it in sum(...)")
    rates = series[0].values
    if np.nanmin(rates, initial=0.0) < 0:
        when = window.time(int(np.nanargmin(rates)))
        raise PrometheusError(
            f"the query returned {np.nanmin(rates):g} at {when:%Y-%m-%d %H:%M} UTC, must be at "
            "least 0 requests/s: use rate() of a counter"
        )
    infinite = np.isinf(rates)
    rates = np.where(infinite, np.nan, rates)
    try:
        require_load(rates)
    except ValueError as error:
        raise PrometheusError(str(error)) from None
    known = np.flatnonzero(np.isfinite(rates))
    inner = rates[known[0] : known[-1] + 1]
    # A rate is evaluated at the end of what it is over.
    start = window.time(int(known[0])) - timedelta(seconds=window.step)
    repairs = (
        *_infinite(int(infinite.sum())),
        *_ends(int(known[0]), window.points - 1 - int(known[-1]), window.step),
        *describe(inner, window.step),
    )
    return Trace(inner, float(window.step), start, repairs)


def window_of(trace: Trace) -> Window:
    """Instants at which a trace's rates are evaluated: the ends of its bins.

    Raises
    ------
    ValueError
        The trace has no calendar, or no zone, or bins that are no whole seconds.
    """
    if trace.start is None or trace.start.tzinfo is None:
        raise ValueError("the recording has no calendar with a zone: its time is not known")
    step = round(trace.step)
    if step != trace.step:
        raise ValueError(f"bins must be whole seconds, are {trace.step:g} s")
    first = round(trace.start.timestamp() / step) + 1
    return Window(first, first + trace.rates.size - 1, step)


class _Canvas:
    """Series of a window, put together from parts of it."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._values: dict[tuple[tuple[str, str], ...], Floats] = {}

    def within(self, part: Window) -> Window:
        """Cut a part to the window."""
        first, last = max(part.first, self._window.first), min(part.last, self._window.last)
        return Window(first, last, part.step)

    def paste(self, series: Sequence[Series], first: int) -> None:
        """Put values that begin at index ``first`` where they belong."""
        for labels, values in series:
            key = tuple(sorted(labels.items()))
            row = self._values.setdefault(key, np.full(self._window.points, np.nan))
            begin = max(first, self._window.first)
            end = min(first + values.size, self._window.last + 1)
            row[begin - self._window.first : end - self._window.first] = values[
                begin - first : end - first
            ]

    def series(self) -> list[Series]:
        """All series, by their labels."""
        return [Series(dict(labels), values) for labels, values in sorted(self._values.items())]


def _series(answer: Mapping[str, Any], window: Window) -> Series:
    values = np.full(window.points, np.nan)
    for time, value in answer["values"]:
        values[round(float(time) / window.step) - window.first] = float(value)
    return Series(dict(answer["metric"]), values)


def _infinite(number: int) -> Iterator[str]:
    if number:
        yield f"{number:,} values are infinite (a division by 0?): left unknown"


def _ends(before: int, after: int, step: int) -> Iterator[str]:
    """Say what of the window the recording does not reach."""
    if before:
        yield f"nothing is recorded in the first {duration(before * step)}: begins after it"
    if after:
        yield f"nothing is recorded in the last {duration(after * step)}: ends before it"

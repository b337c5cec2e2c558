"""Rates from Prometheus, through prometheus-api-client, and its errors in words.

Every call blocks: call it from a thread.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import requests
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

if TYPE_CHECKING:
    from headstart_policy.types import Floats

# Prometheus refuses a range query of more points per series.
MOST_POINTS = 11_000
# More series than one are an error anyway; a label explosion must not fill our memory first.
MOST_SERIES = 100


class Reason(StrEnum):
    """Why there is no rate, in one word; reasons of the condition RateAvailable."""

    NO_ADDRESS = "NoAddress"
    NO_SERIES = "NoSeries"
    SEVERAL_SERIES = "SeveralSeries"
    NOT_A_NUMBER = "NotANumber"
    NEGATIVE = "NegativeRate"
    QUERY_ERROR = "QueryError"
    UNAUTHORIZED = "Unauthorized"
    UNREACHABLE = "Unreachable"
    TIMEOUT = "Timeout"


class RateError(Exception):
    """The rate cannot be read; the message says what to do about it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Answer(NamedTuple):
    """Rates at the instants asked for, and what is wrong with the newest of them."""

    rates: Floats
    """Requests/s, NaN where there is no usable value."""
    problem: RateError | None


class Prometheus:
    """One Prometheus, safe to share between threads.

    Parameters
    ----------
    address
        ``http://prometheus:9090``, with a path prefix if it has one.
    timeout
        For connecting, and for each read, s.
    """

    def __init__(self, address: str, timeout: float) -> None:
        self.address = address.rstrip("/")
        session = _Session(self.address, timeout)
        # The default of requests: no retry, and a timeout stays a timeout.
        retry = Retry(0, read=False)
        self._client = PrometheusConnect(self.address, session=session, retry=retry)

    def rates(self, query: str, step: float, first: int, last: int) -> Answer:
        """Evaluate ``query`` at ``first * step, ..., last * step`` seconds since the epoch.

        A range query whose start is a multiple of its step is evaluated at the same instants
        whoever asks and whenever: what a restarted operator reads is what the old one had.

        Raises
        ------
        RateError
            There is no answer, or one of several series.
        """
        try:
            series = self._client.custom_query_range(
                query,
                start_time=datetime.fromtimestamp(first * step, UTC),
                end_time=datetime.fromtimestamp(last * step, UTC),
                step=f"{step:g}",
                params={"limit": MOST_SERIES},
            )
            if len(series) > 1:
                raise RateError(
                    Reason.SEVERAL_SERIES,
                    f"the query returned {_count(len(series))} series, must be 1: "
                    "wrap it in sum(...)",
                )
            values = {
                round(float(time) / step) - first: float(value)
                for time, value in (series[0]["values"] if series else ())
            }
        except requests.Timeout as error:
            raise RateError(Reason.TIMEOUT, f"{self.address} did not answer in time") from error
        # Before RequestException: an answer that is no JSON is both a ValueError and one of those.
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise RateError(
                Reason.UNREACHABLE, f"{self.address} does not answer as a Prometheus does: {error}"
            ) from error
        except requests.RequestException as error:
            raise RateError(
                Reason.UNREACHABLE, f"{self.address} cannot be reached: {_cause(error)}"
            ) from error
        rates = np.array([_usable(values.get(k)) for k in range(last - first + 1)])
        return Answer(rates, _problem(values.get(last - first)))


class _Session(requests.Session):
    """No environment, no redirects, a timeout, and errors by what they mean.

    The environment's REQUESTS_CA_BUNDLE and ~/.netrc would override what a policy says; a redirect
    would carry credentials to where nobody meant them to go.
    """

    def __init__(self, address: str, timeout: float) -> None:
        super().__init__()
        self.trust_env = False
        self._address = address
        self._limit = timeout

    def mount(self, prefix: str | bytes, adapter: Any) -> None:
        """Mount what the client wants, with room for every thread of the pool."""
        if isinstance(adapter, HTTPAdapter):
            adapter = HTTPAdapter(max_retries=adapter.max_retries, pool_maxsize=16)
        super().mount(prefix, adapter)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request.

        Raises
        ------
        RateError
            The answer is not 200.
        """
        kwargs |= {"allow_redirects": False, "timeout": self._limit}
        response = super().request(*args, **kwargs)
        if response.status_code == HTTPStatus.OK:
            return response
        raise _refusal(self._address, response)


def _usable(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) and value >= 0 else math.nan


def _problem(value: float | None) -> RateError | None:
    if value is None:
        return RateError(
            Reason.NO_SERIES,
            "the query returned no series: is the counter scraped, and are its labels right?",
        )
    if not math.isfinite(value):
        return RateError(
            Reason.NOT_A_NUMBER, f"the query returned {value}, must be a number: divides it by 0?"
        )
    if value < 0:
        return RateError(
            Reason.NEGATIVE, f"the query returned {value:g}, must be at least 0 requests/s"
        )
    return None


def _refusal(address: str, response: requests.Response) -> RateError:
    status = response.status_code
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return RateError(
            Reason.UNAUTHORIZED, f"{address} answers {status}: it wants other credentials"
        )
    try:
        document = response.json()
        kind, message = str(document["errorType"]), str(document["error"])
    except (ValueError, KeyError, TypeError):
        kind, message = "", response.text[:200]
    if kind in {"timeout", "canceled"}:
        return RateError(Reason.TIMEOUT, f"{address} gave the query up: {message}")
    if kind or HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return RateError(Reason.QUERY_ERROR, message or f"{address} answers {status}")
    if response.is_redirect:
        target = response.headers.get("Location", "")[:200]
        return RateError(
            Reason.UNREACHABLE,
            f"{address} redirects to {target}: name that address if you trust it",
        )
    return RateError(Reason.UNREACHABLE, f"{address} answers {status}: {message}")


def _count(series: int) -> str:
    return f"{series} or more" if series >= MOST_SERIES else str(series)


def _cause(error: BaseException) -> str:
    """Dig out the operating system's words: requests wraps them four times."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        reason = getattr(seen, "reason", None)
        nested = seen.args[0] if seen.args and isinstance(seen.args[0], BaseException) else None
        seen = reason if isinstance(reason, BaseException) else nested or seen.__cause__
    return str(error)

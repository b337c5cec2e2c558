"""Rates from Prometheus, and its errors in words.

What answers is not trusted: an answer has a size and a time that it may take as a whole, a redirect
is not followed, and neither the environment's proxies nor a .netrc have a say.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
import ssl
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import aiohttp
import numpy as np
from yarl import URL

if TYPE_CHECKING:
    from headstart_operator.sources.access import Access
    from headstart_policy.types import Floats

# Prometheus refuses a range query of more points per series.
MOST_POINTS = 11_000
# More series than one are an error anyway; a label explosion must not fill our memory first.
MOST_SERIES = 20
# A point takes at most about 35 bytes, and so MOST_SERIES of MOST_POINTS fit. Not every Prometheus
# knows the limit.
MOST_BYTES = 8 << 20
MOST_ERROR_BYTES = 64 << 10
# To read what is larger would hold up every other policy for milliseconds.
LARGE_BYTES = 64 << 10
# What a server says goes into a status, which etcd keeps.
MOST_WORDS = 300
# More requests/s than all of the world's web servers get together: no rate, but a broken query.
MOST_RATE = 1e9
# Queries in flight at one address; more wait, within their own time. As many as a Prometheus works
# on at once (its --query.max-concurrency): with 8, answers that take 0.2 s would be 40 decisions a
# second, where 1,000 policies at 15 s are 67.
CONNECTIONS = 20
# Longer than the usual interval of 15 s, or every query would begin with a handshake; Prometheus
# itself lets go after 5 minutes.
KEEP_ALIVE = 75.0
# What becomes of JSON that is no answer; a RecursionError of a thousand brackets.
_NO_ANSWER = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
# The operator's own are kept from whom a policy pointed at, which may be unexpected.
_NONE_GIVEN = (
    "and got none: those of the operator are for policies that name neither address nor tenant; "
    "set spec.rate.prometheus.authentication"
)


class Reason(StrEnum):
    """Why there is no rate, in one word; reasons of the condition RateAvailable."""

    NO_ADDRESS = "NoAddress"
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    CREDENTIALS_UNAVAILABLE = "CredentialsUnavailable"
    NO_SERIES = "NoSeries"
    SEVERAL_SERIES = "SeveralSeries"
    NOT_A_NUMBER = "NotANumber"
    NEGATIVE = "NegativeRate"
    ABSURD = "AbsurdRate"
    QUERY_ERROR = "QueryError"
    TOO_LARGE = "AnswerTooLarge"
    UNAUTHORIZED = "Unauthorized"
    NOT_TRUSTED = "CertificateNotTrusted"
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
    """One Prometheus, asked with one set of credentials; made and used on one event loop."""

    def __init__(self, access: Access) -> None:
        """Connect when asked.

        Raises
        ------
        ValueError
            The credentials are none.
        """
        self._access = access
        # A header cannot be encoded otherwise, and nothing may be decompressed: a small answer
        # could be a large one.
        headers = {"Accept-Encoding": "identity", **dict(access.headers)}
        if access.credentials.authorization:
            headers["Authorization"] = access.credentials.authorization
        secure = access.address.scheme == "https"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS,
                keepalive_timeout=KEEP_ALIVE,
                ssl=access.credentials.context() if secure else False,
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            # Also the default: neither proxies nor .netrc.
            trust_env=False,
        )

    async def rates(
        self, query: str, step: float, first: int, last: int, within: float, phase: float = 0.0
    ) -> Answer:
        """Evaluate ``query`` at ``first * step, ..., last * step`` seconds, each ``phase`` later.

        A range query whose start is a multiple of its step is evaluated at the same instants
        whoever asks and whenever: what a restarted operator reads is what the old one had.

        Raises
        ------
        RateError
            There is no answer within ``within`` seconds, or one of several series.
        """
        parameters = {
            "query": query,
            "start": f"{first * step + phase:.15g}",
            "end": f"{last * step + phase:.15g}",
            "step": f"{step:g}",
            "limit": MOST_SERIES,
        }
        url = f"{self._access.address}/api/v1/query_range?{urlencode(parameters)}"
        try:
            body = await self._get(url, within)
            if len(body) > LARGE_BYTES:
                values = await asyncio.to_thread(_read, body, step, first, phase)
            else:
                values = _read(body, step, first, phase)
        # Before OSError, which it is.
        except TimeoutError as error:
            message = f"{self._access.address} did not answer within {within:g} s"
            raise RateError(Reason.TIMEOUT, message) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from error
        except _NO_ANSWER as error:
            said = self._said(f"{type(error).__name__}: {error}")
            raise RateError(
                Reason.UNREACHABLE,
                f"{self._access.address} does not answer as a Prometheus does: {said}",
            ) from error
        rates = np.array([_usable(values.get(k)) for k in range(last - first + 1)])
        return Answer(rates, _problem(values.get(last - first)))

    async def close(self) -> None:
        """Close the connections; queries under way fail."""
        await self._session.close()

    async def _get(self, url: str, within: float) -> bytes:
        """Get an answer whole.

        Raises
        ------
        RateError
            The answer is not 200, or too large.
        TimeoutError, aiohttp.ClientError, OSError
            There is none.
        """
        timeout = aiohttp.ClientTimeout(total=within)
        address = URL(url, encoded=True)
        async with self._session.get(address, allow_redirects=False, timeout=timeout) as response:
            if response.status != HTTPStatus.OK:
                beginning = await _read_up_to(response, MOST_ERROR_BYTES)
                raise self._refusal(response, beginning)
            body = await _read_up_to(response, MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise RateError(
                Reason.TOO_LARGE,
                f"{self._access.address} answers more than {MOST_BYTES >> 20} MiB: "
                "does the query return many series? wrap it in sum(...)",
            )
        return body

    def _refusal(self, response: aiohttp.ClientResponse, body: bytes) -> RateError:
        address, status = self._access.address, response.status
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            given = bool(self._access.credentials.authorization)
            wanted = "other credentials" if given else f"credentials, {_NONE_GIVEN}"
            return RateError(Reason.UNAUTHORIZED, f"{address} answers {status}: it wants {wanted}")
        try:
            document = json.loads(body)
            kind, message = str(document["errorType"]), str(document["error"])
        except (LookupError, RecursionError, TypeError, ValueError):
            kind, message = "", body.decode(errors="replace")
        message = self._said(message)
        if kind in {"timeout", "canceled"}:
            return RateError(Reason.TIMEOUT, f"{address} gave the query up: {message}")
        if kind or HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return RateError(Reason.QUERY_ERROR, message or f"{address} answers {status}")
        if status < HTTPStatus.BAD_REQUEST:
            target = response.headers.get("Location", "nowhere")
            return RateError(
                Reason.UNREACHABLE,
                f"{address} redirects to {self._said(target)}: name that address if you trust it",
            )
        return RateError(Reason.UNREACHABLE, f"{address} answers {status}: {message}")

    def _unreachable(self, error: BaseException) -> RateError:
        """Tell a wrong certificate from a wrong address."""
        address, cause = self._access.address, _cause(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RateError(
                Reason.NOT_TRUSTED,
                f"the certificate of {address} is not trusted: {cause.verify_message}; "
                "give the CA that signed it",
            )
        if isinstance(cause, ssl.SSLError):
            # The alert of a server that asked for a client's certificate and got none, or another.
            words = (cause.reason or str(cause)).replace("_", " ").lower()
            return RateError(
                Reason.NOT_TRUSTED,
                f"{address} refused the TLS connection: {words}; "
                "does it want a client certificate?",
            )
        words = self._said(_words(cause))
        return RateError(Reason.UNREACHABLE, f"{address} cannot be reached: {words}")

    def _said(self, text: str) -> str:
        """Make a server's words fit to be shown."""
        text = "".join(c if c.isprintable() else " " for c in self._access.redact(text))
        return text if len(text) <= MOST_WORDS else f"{text[:MOST_WORDS]}..."


async def _read_up_to(response: aiohttp.ClientResponse, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk[: most - len(body)]
        if len(body) == most:
            break
    return bytes(body)


def _read(body: bytes, step: float, first: int, phase: float) -> dict[int, float]:
    """Read the values of the one series by their place on the grid.

    Raises
    ------
    RateError
        There are several series.
    ArithmeticError, LookupError, RecursionError, TypeError, ValueError
        It is no answer to a range query.
    """
    series = json.loads(body)["data"]["result"]
    if len(series) > 1:
        raise RateError(
            Reason.SEVERAL_SERIES,
            f"the query returned {_count(len(series))} series, must be 1: wrap it in sum(...)",
        )
    points = series[0]["values"] if series else ()
    return {round((float(time) - phase) / step) - first: float(value) for time, value in points}


def _usable(value: float | None) -> float:
    return value if value is not None and 0 <= value <= MOST_RATE else math.nan


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
    if value > MOST_RATE:
        return RateError(
            Reason.ABSURD,
            f"the query returned {value:g}, must be at most {MOST_RATE:g} requests/s: divides it by"
            " almost 0?",
        )
    return None


def _count(series: int) -> str:
    return f"{series} or more" if series >= MOST_SERIES else str(series)


def _cause(error: BaseException) -> BaseException:
    """Dig out what the operating system or OpenSSL said: aiohttp wraps it."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    inner = inner or error.__cause__
    return _cause(inner) if inner is not None and inner is not error else error


def _words(cause: BaseException) -> str:
    """Say it as the operating system does: asyncio's "Connect call failed" does not say why."""
    if isinstance(cause, socket.gaierror):
        return cause.strerror or "no such host"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return str(cause) or type(cause).__name__

"""How to reach a Prometheus, and what its refusals mean.

A refusal is one of three: ask for less (:class:`TooMuch`), ask later (:class:`NotNow`), or do not
ask like this again (:class:`PrometheusError`, whose message says what to do).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

if TYPE_CHECKING:
    from pathlib import Path

# What Prometheus, Thanos and Mimir say about a query that fewer points would make good.
_TOO_MUCH = ("maximum resolution", "too many samples", "too many points", "exceeded", "timed out")
_LATER = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
}


class PrometheusError(OSError):
    """The history cannot be read; the message says what to do about it."""


class TooMuch(Exception):  # noqa: N818 - it asks for less; it is no error unless nothing is left
    """The query was too large for this Prometheus, or took too long."""


class NotNow(Exception):  # noqa: N818 - as above: it asks for patience
    """The answer may come if asked again."""


@dataclass(frozen=True)
class Access:
    """How to reach a Prometheus, or what speaks as one (Thanos, Mimir, VictoriaMetrics).

    Attributes
    ----------
    address
        ``http://prometheus:9090``, with a path prefix if it has one.
    token
        Bearer token, if it wants one.
    basic
        User and password, if it wants those.
    ca_file
        Certificates that its own is verified against; ``None``: those that requests brings.
    timeout
        For connecting, and for each answer [s].

    Raises
    ------
    ValueError
        An address of another form, two ways to prove who asks, a CA file that is not there, or a
        timeout that is not above 0.
    """

    address: str
    token: str | None = field(default=None, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 30.0

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is sent."""
        parts = urlsplit(self.address)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query:
            raise ValueError(f"address = {self.address!r}, must be like http://prometheus:9090")
        if "@" in parts.netloc:
            raise ValueError("address has a user and password in it: give them apart from it")
        if self.token and self.basic:
            raise ValueError("token and user/password are both given, must be one of them")
        if self.ca_file and not self.ca_file.is_file():
            raise ValueError(f"ca_file = {self.ca_file}, must be a file")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be above 0 s, is {self.timeout:g}")


class Session(requests.Session):
    """No environment, no redirects, a timeout, and errors by what they mean.

    The environment's proxies, REQUESTS_CA_BUNDLE and ~/.netrc would override what was said; a
    redirect would carry credentials to where nobody meant them to go.
    """

    def __init__(self, access: Access) -> None:
        super().__init__()
        self.trust_env = False
        self._access = access
        if access.ca_file:
            self.verify = str(access.ca_file)
        if access.basic:
            self.auth = access.basic
        if access.token:
            self.headers["Authorization"] = f"Bearer {access.token}"

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request.

        Raises
        ------
        TooMuch, NotNow, PrometheusError
            The answer is not 200.
        """
        kwargs |= {"allow_redirects": False, "timeout": self._access.timeout}
        address = self._access.address
        try:
            response = super().request(*args, **kwargs)
        except requests.exceptions.SSLError as error:
            raise PrometheusError(
                f"{address} shows a certificate that is not trusted ({error}): name its CA file"
            ) from error
        except requests.ReadTimeout as error:
            raise TooMuch(f"{address} did not answer within {self._access.timeout:g} s") from error
        except requests.RequestException as error:
            raise NotNow(f"{address} cannot be reached: {_cause(error)}") from error
        if response.status_code != HTTPStatus.OK:
            raise _refusal(address, response)
        return response


def _refusal(address: str, response: requests.Response) -> Exception:
    status = HTTPStatus(response.status_code)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return PrometheusError(f"{address} answers {status}: it wants other credentials")
    if response.is_redirect:
        target = response.headers.get("Location", "")[:200]
        return PrometheusError(f"{address} redirects to {target}: name that one if you trust it")
    kind, message = _words(response)
    if (
        kind in {"timeout", "canceled"}
        or status == HTTPStatus.GATEWAY_TIMEOUT
        or (kind and any(words in message for words in _TOO_MUCH))
    ):
        return TooMuch(f"{address} gave the query up: {message}")
    if status in _LATER:
        return NotNow(f"{address} answers {status}: {message}")
    if kind:
        return PrometheusError(f"{address} refuses the query: {message}")
    return PrometheusError(f"{address} answers {status} and not as a Prometheus does: {message}")


def _words(response: requests.Response) -> tuple[str, str]:
    """Prometheus' own kind of error and message; an empty kind where another answered for it."""
    try:
        document = response.json()
        return str(document["errorType"]), str(document["error"])
    except (ValueError, KeyError, TypeError):
        return "", response.text[:200]


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

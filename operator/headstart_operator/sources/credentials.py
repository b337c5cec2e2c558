"""Credentials for Prometheus: the operator's own from files, a policy's from Secrets by name.

Both rotate: files are read again, Secrets are looked at again. What cannot be read again leaves the
last good ones in place, but what was taken back is gone.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.kube import ApiError
from headstart_operator.sources.access import Credentials, basic, bearer
from headstart_operator.sources.prometheus import RateError, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from headstart_operator.kube import Document
    from headstart_operator.resource import Authentication

# How old a look at a file or at a Secret may be, s: a kubelet takes a minute to bring a new Secret
# into a pod anyway. A Secret that is missing is looked for sooner.
LOOK_AT_FILES_EVERY = 5.0
LOOK_AT_SECRETS_EVERY = 30.0
LOOK_AT_MISSING_EVERY = 5.0
# A Secret that no policy has asked for so long is forgotten, s.
FORGET_AFTER = 600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CredentialFiles:
    """Files with the operator's own credentials; ``None``: there is none.

    Attributes
    ----------
    bearer_token, basic_auth
        A token, or ``user:password``; not both.
    ca
        Certificates in PEM to verify the server's against.
    client_certificate, client_key
        In PEM; both or none.
    """

    bearer_token: Path | None = None
    basic_auth: Path | None = None
    ca: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None

    def read(self) -> Credentials:
        """Read them; whether certificates can be used, ``Credentials.context`` tells.

        Raises
        ------
        ValueError
            One cannot be read or used; the message names the file.
        """
        if self.bearer_token and self.basic_auth:
            raise ValueError("give a bearer token or a user and password, not both")
        header = ""
        secrets: tuple[str, ...] = ()
        if self.bearer_token:
            with _blaming_file(self.bearer_token):
                header, secrets = bearer(self.bearer_token.read_text())
        elif self.basic_auth:
            with _blaming_file(self.basic_auth):
                user, _, password = self.basic_auth.read_text().rstrip("\r\n").partition(":")
                header, secrets = basic(user, password)
        ca, certificate, key = map(_content, (self.ca, self.client_certificate, self.client_key))
        return Credentials(header, ca, certificate, key, secrets)


NO_FILES = CredentialFiles()


class OwnCredentials:
    """The operator's own credentials, read again as they rotate."""

    def __init__(self, files: CredentialFiles, now: float) -> None:
        """Read them a first time.

        Raises
        ------
        ValueError
            As :meth:`CredentialFiles.read`, or certificates cannot be used.
        """
        self._files = files
        self._held = files.read()
        self._held.context()
        self._looked = now
        self._complaint = ""

    def at(self, now: float) -> Credentials:
        """Return those that hold at ``now``; the last good ones while the files have none."""
        if self._files != NO_FILES and now - self._looked >= LOOK_AT_FILES_EVERY:
            self._looked = now
            complaint = ""
            try:
                found = self._files.read()
                # To load certificates takes milliseconds.
                if found != self._held:
                    found.context()
                self._held = found
            except ValueError as error:
                # A certificate is often there before its key.
                complaint = str(error)
            if complaint and complaint != self._complaint:
                _log.warning("Prometheus' credentials: %s; the last good ones stay", complaint)
            self._complaint = complaint
        return self._held


class _Held(NamedTuple):
    """A Secret's data, or why there is none, since a look at it."""

    looked: float
    data: Mapping[str, bytes]
    problem: str = ""

    def fresh(self, now: float) -> bool:
        return now - self.looked < (
            LOOK_AT_MISSING_EVERY if self.problem else LOOK_AT_SECRETS_EVERY
        )


class Secrets:
    """Secrets by name, each read by GET and kept for a while; used on one event loop.

    Parameters
    ----------
    get
        Reads the document at a path of the API server.
    """

    def __init__(self, get: Callable[[str], Awaitable[Document]]) -> None:
        self._get = get
        self._held: dict[tuple[str, str], _Held] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def credentials(self, namespace: str, wanted: Authentication, now: float) -> Credentials:
        """Put together what a policy authenticates with.

        Raises
        ------
        RateError
            A Secret is missing, forbidden, or holds no such credentials; the message names it.
        """
        header = ""
        secrets: tuple[str, ...] = ()
        ca, certificate, private = b"", b"", b""
        if wanted.bearer is not None:
            ref = wanted.bearer.secret_ref
            data = await self._read(namespace, ref.name, now)
            token = _value(namespace, ref.name, data, ref.key)
            with _blaming_secret(namespace, ref.name):
                header, secrets = bearer(token)
        elif wanted.basic is not None:
            name = wanted.basic.secret_ref.name
            data = await self._read(namespace, name, now)
            user, password = (
                _value(namespace, name, data, key).rstrip("\r\n")
                for key in ("username", "password")
            )
            with _blaming_secret(namespace, name):
                header, secrets = basic(user, password)
        if wanted.tls is not None:
            name = wanted.tls.secret_ref.name
            data = await self._read(namespace, name, now)
            ca, certificate, private = (
                data.get(key, b"") for key in ("ca.crt", "tls.crt", "tls.key")
            )
            if not (ca or certificate):
                raise _unavailable(f"Secret {namespace}/{name} has neither ca.crt nor tls.crt")
        return Credentials(header, ca, certificate, private, secrets)

    def forget(self, now: float) -> None:
        """Let go of what no policy uses any more."""
        for key in [k for k, held in self._held.items() if now - held.looked > FORGET_AFTER]:
            del self._held[key]
            self._locks.pop(key, None)

    async def _read(self, namespace: str, name: str, now: float) -> Mapping[str, bytes]:
        key = namespace, name
        # A thousand policies may name the same one: a single one of them reads it.
        async with self._locks.setdefault(key, asyncio.Lock()):
            held = self._held.get(key)
            if held is None or not held.fresh(now):
                held = self._held[key] = await self._look(namespace, name, now, held)
        if held.problem:
            raise _unavailable(held.problem)
        return held.data

    async def _look(self, namespace: str, name: str, now: float, held: _Held | None) -> _Held:
        what = f"Secret {namespace}/{name}"
        try:
            document = await self._get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
            return _Held(now, _decoded(document))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return _Held(now, {}, f"{what} does not exist")
            if error.status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
                return _Held(
                    now,
                    {},
                    f"the operator may not read {what}: "
                    f"add {name} to the chart's prometheusSecrets",
                )
            if held is not None and not held.problem:
                return held._replace(looked=now)
            return _Held(now, {}, f"{what} cannot be read: {error}")
        except (binascii.Error, AttributeError, TypeError, ValueError):
            return _Held(now, {}, f"{what} holds no base64")


def _decoded(document: Document) -> dict[str, bytes]:
    data = document.get("data") or {}
    return {str(key): base64.b64decode(value, validate=True) for key, value in data.items()}


def _value(namespace: str, name: str, data: Mapping[str, bytes], key: str) -> str:
    if key not in data:
        raise _unavailable(f"Secret {namespace}/{name} has no key {key!r}")
    try:
        return data[key].decode()
    except UnicodeDecodeError as error:
        # Not the error's words: they show the bytes.
        raise _unavailable(f"Secret {namespace}/{name}, key {key!r}: must be UTF-8") from error


@contextmanager
def _blaming_secret(namespace: str, name: str) -> Iterator[None]:
    """Say which Secret holds what cannot be used."""
    try:
        yield
    except ValueError as error:
        raise _unavailable(f"Secret {namespace}/{name}: {error}") from error


def _content(path: Path | None) -> bytes:
    if path is None:
        return b""
    with _blaming_file(path):
        return path.read_bytes()


@contextmanager
def _blaming_file(path: Path) -> Iterator[None]:
    """Say which file holds what cannot be used."""
    try:
        yield
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{path}: {words}") from error


def _unavailable(message: str) -> RateError:
    return RateError(Reason.CREDENTIALS_UNAVAILABLE, message)

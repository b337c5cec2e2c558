"""What one Prometheus is asked with: a value, so that equal ones share their connections."""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headstart_operator.sources.addresses import Address

# RFC 9110, 5.6.2, and RFC 6750, 2.1.
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOKEN = re.compile(r"[!-~]+")
# What frames a request, says where it goes or who asks is nothing that somebody sets by the way.
_OURS = frozenset(
    {
        *("accept-encoding", "authorization", "connection", "content-length", "cookie", "host"),
        *("proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Credentials:
    """Who asks, and whom to trust. Never logged: the representation shows none of it.

    Attributes
    ----------
    authorization
        The Authorization header.
    authority
        Certificates in PEM that the server's must verify against; empty: the system's.
    certificate, key
        In PEM, for mutual TLS; both or none.
    secrets
        What must never be shown, should the server say it back.
    """

    authorization: str = field(default="", repr=False)
    authority: bytes = field(default=b"", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def context(self) -> ssl.SSLContext:
        """Make the TLS settings.

        ``ssl.create_default_context`` would write the session's keys to where SSLKEYLOGFILE says.

        Raises
        ------
        ValueError
            A certificate or a key is none, or they do not belong together.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self.authority:
                context.load_verify_locations(cadata=self.authority.decode("ascii"))
            else:
                context.load_default_certs()
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(f"the CA is no certificate in PEM: {error}") from error
        if bool(self.certificate) != bool(self.key):
            raise ValueError("a client certificate needs a key, and a key a certificate")
        if self.certificate:
            _load_pair(context, self.certificate, self.key)
        return context


@dataclass(frozen=True)
class Access:
    """How to ask one Prometheus: two that are equal share connections, all others share none."""

    address: Address
    credentials: Credentials = Credentials()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def redact(self, text: str) -> str:
        """Hide the credentials in what a server said: some proxies show the whole request."""
        for secret in self.credentials.secrets:
            text = text.replace(secret, HIDDEN)
        return text


def bearer(token: str) -> tuple[str, tuple[str, ...]]:
    """Write the Authorization header for a token, and what of it is secret.

    Raises
    ------
    ValueError
        A header cannot hold it.
    """
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError("the token must be printable ASCII without spaces, and not empty")
    return f"Bearer {token}", (token,)


def basic(user: str, password: str) -> tuple[str, tuple[str, ...]]:
    """Write the Authorization header for a user (RFC 7617), and what of it is secret.

    Raises
    ------
    ValueError
        The user is empty or has a colon, or either has control characters.
    """
    if not user or ":" in user:
        raise ValueError("the user must not be empty nor have a colon")
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in user + password):
        raise ValueError("user and password must have no control characters")
    encoded = b64encode(f"{user}:{password}".encode()).decode()
    return f"Basic {encoded}", tuple(secret for secret in (encoded, password) if secret)


def header(name: str, value: str) -> tuple[str, str]:
    """Check a header, such as a tenant's.

    Raises
    ------
    ValueError
        It is none, or it is not for a user to set.
    """
    if not _HEADER.fullmatch(name) or name.lower() in _OURS:
        raise ValueError(f"{name!r} is no header that may be set")
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"header {name} must be printable ASCII")
    return name, value


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a client certificate.

    Raises
    ------
    ValueError
        They are none, do not belong together, or the key wants a password.
    """

    def refuse() -> bytes:
        # Without it OpenSSL would ask on the terminal, and wait.
        raise ValueError("the client's key is encrypted: give it without a password")

    # OpenSSL reads files only. This one is in memory: the root file system may be read-only, and a
    # key has no business on a disk.
    with _in_memory(certificate + b"\n" + key) as path:
        try:
            context.load_cert_chain(path, password=refuse)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(
                f"the client's certificate and key cannot be used together: {error}"
            ) from error


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Provide the path of a file that nobody else can open and that is on no disk.

    Where there is no memfd, which is Linux', it is on a disk, readable by us alone.
    """
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("headstart", os.MFD_CLOEXEC), "wb", buffering=0) as file:  # noqa: PTH123 - of a number.
            file.write(content)
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile(buffering=0) as file:
            file.write(content)
            yield file.name

"""Addresses of Prometheus servers, and which of them a policy may name.

Whoever may write a ScalingPolicy could otherwise send the operator, from where it stands in the
network, to any server that it can reach.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_PORTS = {"http": 80, "https": 443}
MOST_PORT = 65_535
# An IPv6 address has no zone, such as %eth0: it means nothing to anyone but one machine.
_PLACE = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^:\[\]]+)(:(?P<port>[0-9]{1,6}))?")
_LABEL = r"[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}([.]{_LABEL})*[.]?")
# No percent-encoding: %2e%2e is .. to the server behind the one that is allowed.
_PATH = re.compile(r"(/[-A-Za-z0-9_.~]+)*/?")
# RFC 3986, 3.3: these stand for other segments.
_DOTS = frozenset({".", ".."})


class Address(NamedTuple):
    """An address in the one spelling that is compared and asked.

    A host with a trailing dot stays another host: ``prometheus.monitoring`` goes through the
    pod's search domains, ``prometheus.monitoring.`` does not.
    """

    scheme: str
    host: str
    """In lower case; an IPv6 address in its shortest form, without brackets."""
    port: int
    path: str
    """Empty, or begins with a slash and does not end with one."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address.

        Raises
        ------
        ValueError
            It is none, or is spelled in a way that two programs could read differently.
        """
        # urlsplit drops tabs and newlines and takes what follows for the rest of the address.
        if not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
            raise ValueError(f"{text!r} has characters that do not belong into an address")
        parts = urlsplit(text)
        if parts.scheme not in _PORTS:
            raise ValueError(f"{text!r} must begin with http:// or https://")
        # "" counts: http://prometheus? and http://@prometheus say nothing and hide something.
        if any(mark in text for mark in "@?#"):
            raise ValueError(f"{_mask(text)!r} must have no credentials, query or fragment")
        place = _PLACE.fullmatch(parts.netloc.lower())
        if place is None:
            raise ValueError(f"{text!r} must be a host name or an IP, and perhaps a port, after //")
        port = int(place["port"] or _PORTS[parts.scheme])
        if not 1 <= port <= MOST_PORT:
            raise ValueError(f"{text!r} must have a port from 1 to {MOST_PORT}")
        if not _PATH.fullmatch(parts.path) or _DOTS & set(parts.path.split("/")):
            raise ValueError(
                f"{text!r} must have a path of letters, digits, -, _, . and ~, "
                "without empty segments, . and .."
            )
        return cls(parts.scheme, _host(place["host"]), port, parts.path.rstrip("/"))

    def __str__(self) -> str:
        """Write it as it is asked; the port is left out where it goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    def covers(self, other: Address) -> bool:
        """Whether ``other`` is this server, and this path or one under it."""
        return self[:3] == other[:3] and f"{other.path}/".startswith(f"{self.path}/")


def permitted(text: str, allowed: Iterable[Address]) -> Address:
    """Return the address that a policy names.

    Raises
    ------
    ValueError
        It is none, or is not among those that policies may name.
    """
    address = Address.parse(text)
    if not any(entry.covers(address) for entry in allowed):
        raise ValueError(
            f"{address} is not among the addresses that policies may name: leave "
            "spec.rate.prometheus.address out to use the operator's own, or have the operator "
            f"started with --allow-prometheus={address}"
        )
    return address


def _host(host: str) -> str:
    if host.startswith("["):
        return ipaddress.IPv6Address(host[1:-1]).compressed
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} must be a host name of letters, digits, -, _ and ., or an IP")
    return host


def _mask(text: str) -> str:
    """Hide what stands before an @: it may be a password."""
    return re.sub(r"//[^/]*@", "//...@", text)

"""The load of the services as a gauge: what is right for it is known to the replica.

A rate over a counter wavers with each scrape that comes a little late, and on a busy machine a
replica more or less would be nobody's fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from prometheus_client import CollectorRegistry, Gauge, start_http_server

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer


class Load:
    """Exposes ``offered_rate{service}`` on a free port; use it as a context manager."""

    def __init__(self) -> None:
        """Describe it; nothing listens yet."""
        self._registry = CollectorRegistry()
        self._gauge = Gauge(
            "offered_rate", "Requests per second", ["service"], registry=self._registry
        )
        self._server: WSGIServer

    def __enter__(self) -> Self:
        """Listen."""
        self._server, self._thread = start_http_server(0, addr="127.0.0.1", registry=self._registry)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """Where it listens, ``host:port``."""
        return f"127.0.0.1:{self._server.server_port}"

    def set(self, service: str, rate: float) -> None:
        """Let requests arrive at ``rate`` per second."""
        self._gauge.labels(service).set(rate)


def query(service: str) -> str:
    """Query for the rate of a service."""
    return f'sum(offered_rate{{service="{service}"}})'

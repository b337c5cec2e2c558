"""A service's request counter, as Prometheus scrapes it: a function of the clock alone."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from tests.cluster.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from demo.load import Scenario

METRIC = "http_requests_total"
JOB = "checkout"


class Replay(Collector):
    """Requests counted since the history began; the replay begins at ``start``.

    Parameters
    ----------
    scenario
        The load.
    start
        Of the replay, seconds since the epoch. What of the history is not past yet when
        Prometheus starts is scraped live, so that no second is missing and seasons stay in phase.
    """

    def __init__(self, scenario: Scenario, start: float) -> None:
        load = np.concatenate([scenario.history, scenario.replay])
        self._counted = np.concatenate([[0.0], np.cumsum(load)])
        self._times = start - len(scenario.history) + np.arange(len(self._counted))

    def count(self, now: float) -> float:
        """Count the requests up to ``now``, seconds since the epoch."""
        return float(np.interp(now, self._times, self._counted))

    def past(self, now: float) -> Iterable[tuple[float, float]]:
        """Sample the counter once a second up to ``now``."""
        known = self._times < now
        return zip(self._times[known].tolist(), self._counted[known].tolist(), strict=True)

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Answer a scrape."""
        family = CounterMetricFamily("http_requests", "Requests that arrived.", labels=["app"])
        family.add_metric([JOB], self.count(time.time()))
        yield family


@contextmanager
def serve(replay: Replay) -> Iterator[str]:
    """Serve the counter on 127.0.0.1; yields ``host:port``."""
    registry = CollectorRegistry()
    registry.register(replay)
    port = free_port()
    server, thread = start_http_server(port, "127.0.0.1", registry)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""The operator's own series of one policy, from the Prometheus that scrapes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headstart_policy.types import Floats

# Points of a plot: more than a terminal has columns for are of no use.
POINTS = 120
TIMEOUT = 10.0
METRICS = (
    "request_rate",
    "forecast_request_rate",
    "ready_replicas",
    "warming_replicas",
    "desired_replicas",
    "cost_dollars_total",
    "reactive_cost_dollars_total",
)


class SeriesError(Exception):
    """The series cannot be read; the message says why."""


@dataclass(frozen=True)
class Series:
    """One policy's figures on a grid of time.

    Attributes
    ----------
    times
        Seconds since the epoch, shape (T,).
    values
        By metric, without the prefix ``headstart_``; NaN where there is none; each of shape (T,).
    """

    times: Floats
    values: Mapping[str, Floats]

    def grown(self, counter: str) -> float | None:
        """By how much a counter grew; a restarted operator begins at 0, ``None``: unknown."""
        known = self.values[counter][np.isfinite(self.values[counter])]
        if len(known) < 2:  # noqa: PLR2004 - a difference has two ends.
            return None
        steps = np.diff(known)
        return float(np.where(steps < 0, known[1:], steps).sum())


def read(address: str, namespace: str, name: str, now: float, seconds: float) -> Series:
    """Read the last ``seconds`` before ``now`` (s since the epoch) from a Prometheus.

    Raises
    ------
    SeriesError
        It cannot be reached, refuses, or has no series of this policy.
    """
    session = requests.Session()
    session.trust_env = False
    prometheus = PrometheusConnect(address, session=session)
    step = max(1.0, seconds / POINTS)
    times: Floats = now - seconds + step * np.arange(1, POINTS + 1, dtype=np.float64)
    values = {}
    for metric in METRICS:
        query = f'max(headstart_{metric}{{namespace="{namespace}",policy="{name}"}})'
        try:
            found = prometheus.custom_query_range(
                query,
                start_time=datetime.fromtimestamp(times[0], UTC),
                end_time=datetime.fromtimestamp(times[-1], UTC),
                step=f"{step:g}",
                timeout=TIMEOUT,
            )
        except (requests.RequestException, PrometheusApiClientException, ValueError) as error:
            raise SeriesError(f"{address}: {error}") from error
        values[metric] = _on_grid(found[0]["values"] if found else [], times, step)
    if not any(np.isfinite(column).any() for column in values.values()):
        raise SeriesError(
            f"{address} has no series headstart_*{{namespace={namespace!r}, policy={name!r}}} in "
            f"the last {seconds:g} s: does it scrape the operator's /metrics?"
        )
    return Series(times, values)


def _on_grid(samples: list[tuple[float, str]], times: Floats, step: float) -> Floats:
    column = np.full(len(times), np.nan)
    for time, value in samples:
        index = round((float(time) - times[0]) / step)
        if 0 <= index < len(column):
            column[index] = float(value)
    return column

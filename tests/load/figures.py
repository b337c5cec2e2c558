"""What an operator under load does, as its own metrics tell it."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

# All that a measurement reads, by the names of samples: none of the 25 series of each policy.
NAMES = (
    "headstart_backfills",
    "headstart_tick_lag_seconds_bucket",
    "headstart_tick_lag_seconds_count",
    "headstart_kubernetes_request_seconds_bucket",
    "headstart_kubernetes_request_seconds_count",
    "headstart_kubernetes_request_errors_total",
    "headstart_prometheus_query_seconds_bucket",
    "headstart_prometheus_query_seconds_count",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
)


@dataclass(frozen=True)
class Reading:
    """Some metrics at one moment: by name and labels."""

    time: float
    values: dict[tuple[str, tuple[tuple[str, str], ...]], float]

    @classmethod
    def parse(cls, time: float, text: str) -> Reading:
        """Read Prometheus' text format."""
        return cls(
            time,
            {
                (name, tuple(sorted(_LABEL.findall(labels)))): float(value)
                for name, labels, value in _SAMPLE.findall(text)
            },
        )

    def total(self, name: str) -> float:
        """Sum over all labels."""
        return sum(value for (found, _), value in self.values.items() if found == name)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sum by one label."""
        sums: dict[str, float] = {}
        for (found, labels), value in self.values.items():
            if found == name:
                key = dict(labels).get(label, "")
                sums[key] = sums.get(key, 0.0) + value
        return sums

    def buckets(self, name: str, **labels: str) -> dict[float, float]:
        """Upper bounds and cumulated counts of a histogram's series with these labels."""
        counts: dict[float, float] = {}
        for (found, pairs), count in self.values.items():
            if found == f"{name}_bucket" and labels.items() <= dict(pairs).items():
                bound = float(dict(pairs)["le"])
                counts[bound] = counts.get(bound, 0.0) + count
        return dict(sorted(counts.items()))


def between(before: Reading, after: Reading, name: str, **labels: str) -> list[tuple[float, float]]:
    """Upper bounds and cumulated counts of what a histogram took in between two readings."""
    old = before.buckets(name, **labels)
    return [(b, count - old.get(b, 0.0)) for b, count in after.buckets(name, **labels).items()]


@dataclass(frozen=True)
class Lags:
    """Tick lags between two readings, s."""

    ticks: int
    p50: float
    p99: float
    worst: float
    """Upper bound of the bucket that the longest is in."""

    @classmethod
    def between(cls, before: Reading, after: Reading) -> Lags:
        """Take the difference of two readings of the histogram."""
        counts = between(before, after, "headstart_tick_lag_seconds")
        total = counts[-1][1] if counts else 0.0
        worst = next((bound for bound, count in counts if count >= total), math.nan)
        return cls(round(total), quantile(counts, 0.5), quantile(counts, 0.99), worst)


def quantile(counts: Iterable[tuple[float, float]], share: float) -> float:
    """Read a quantile off cumulated counts, linear within a bucket, as PromQL does."""
    counts = list(counts)
    total = counts[-1][1] if counts else 0.0
    if total <= 0:
        return math.nan
    wanted, low, below = share * total, 0.0, 0.0
    for bound, count in counts:
        if count >= wanted:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low


@dataclass(frozen=True)
class Figures:
    """What it takes to serve so many policies.

    Attributes
    ----------
    policies, pods_per_policy, interval_seconds
        What was served.
    seconds
        How long it was measured.
    ticks
        Decisions in that time.
    tick_lag_p50_seconds, tick_lag_p99_seconds, worst_tick_seconds
        From being due to being applied; the worst is the upper bound of its bucket.
    all_due_tick_seconds
        From the moment when all were due at once until all were decided.
    rss_mib
        Resident memory, the most of the time measured.
    cpu_cores
        CPU time over time.
    cpu_milliseconds_per_tick
        CPU time of one decision, with all that goes on beside it.
    requests_per_tick
        To the API server and to Prometheus.
    kubernetes_requests_per_tick, prometheus_requests_per_tick
        Its two parts.
    patch_p99_seconds, query_p99_seconds
        How long the API server took for a change, and Prometheus for a query.
    kubernetes_errors
        Requests that the API server refused, by HTTP status. 404 is the answer to questions such as
        whether there is a stop switch, or KEDA.
    restart_seconds
        From the start of the process until every policy was decided for.
    history_days
        Past of every service in Prometheus.
    backfill_seconds
        From the start of the process until the seasons of all policies were read.
    backfill_queries_per_second, backfill_query_p99_seconds, backfill_tick_lag_p99_seconds
        From every policy decided for until then: what Prometheus was asked, how long it took, and
        how late decisions were meanwhile.
    """

    policies: int
    pods_per_policy: int
    interval_seconds: float
    seconds: float
    ticks: int
    tick_lag_p50_seconds: float
    tick_lag_p99_seconds: float
    worst_tick_seconds: float
    all_due_tick_seconds: float
    rss_mib: float
    cpu_cores: float
    cpu_milliseconds_per_tick: float
    requests_per_tick: float
    kubernetes_requests_per_tick: dict[str, float]
    prometheus_requests_per_tick: float
    patch_p99_seconds: float
    query_p99_seconds: float
    kubernetes_errors: dict[str, int]
    restart_seconds: float
    history_days: int
    backfill_seconds: float
    backfill_queries_per_second: float
    backfill_query_p99_seconds: float
    backfill_tick_lag_p99_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; what is unknown is null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }

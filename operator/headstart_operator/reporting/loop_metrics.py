"""Metrics of the operator itself: is it on time, and who keeps it waiting."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# Finer around the second within which a decision is to be applied.
_LAG_SECONDS = (
    *(0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0),
    *(1.25, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10, 15, 20, 30, 60),
)


class LoopMetrics:
    """Metrics that belong to no policy; they live as long as the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.policies = Gauge("headstart_policies", "Policies served", registry=registry)
        self.backfills = Gauge(
            "headstart_backfills", "Policies whose past is being read", registry=registry
        )
        self.leading = Gauge(
            "headstart_leading", "1: this replica decides, 0: it follows", registry=registry
        )
        self.stopped = Gauge(
            "headstart_stopped", "1: the stop switch holds all policies", registry=registry
        )
        self.lag = Histogram(
            "headstart_tick_lag_seconds",
            "From the instant at which a policy is due to its decision applied",
            buckets=_LAG_SECONDS,
            registry=registry,
        )
        self.query = Histogram(
            "headstart_prometheus_query_seconds",
            "Range queries to Prometheus",
            ("outcome",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.request = Histogram(
            "headstart_kubernetes_request_seconds",
            "Requests to the API server",
            ("verb",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.request_errors = Counter(
            "headstart_kubernetes_request_errors",
            "Requests that the API server refused; code 0: there was no answer",
            ("verb", "code"),
            registry=registry,
        )
        self.crashes = Counter(
            "headstart_internal_errors", "Ticks that failed by a bug", registry=registry
        )

    def observe_request(self, verb: str, code: int, seconds: float) -> None:
        """Note one request to the API server; ``code`` is its HTTP status, 0 for no answer."""
        self.request.labels(verb).observe(seconds)
        if not 0 < code < 400:  # noqa: PLR2004 - HTTP's own bound.
            self.request_errors.labels(verb, str(code)).inc()

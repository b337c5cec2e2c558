"""Metrics of the operator and of each policy; a policy's go when it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.metrics import MetricWrapperBase

    from headstart_operator.kube import Document
    from headstart_operator.status import Facts

POLICY = ("namespace", "policy")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """All metrics on a registry of their own, so that two operators fit in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._per_policy: list[MetricWrapperBase] = []
        self.recommended = self._gauge("recommended_replicas", "Replicas that the policy asks for")
        self.desired = self._gauge("desired_replicas", "Replicas that remain after the guardrails")
        self.current = self._gauge("current_replicas", "Replicas asked for before the decision")
        self.ready = self._gauge("ready_replicas", "Replicas that serve")
        self.warming = self._gauge("warming_replicas", "Replicas that do not serve yet")
        self.stuck = self._gauge("stuck_replicas", "Replicas that will not come without help")
        self.rate = self._gauge("request_rate", "Requests per second that arrive")
        self.demand = self._gauge("demand_replicas", "Replicas that the rate needs, no margin")
        self.lead_time = self._gauge("lead_time_seconds", "Lead time that is planned with")
        self.condition = self._gauge("condition", "1: True, 0: False, -1: Unknown", "type")
        self.decisions = self._counter("decisions", "Decisions taken", "candidate")
        self.scalings = self._counter("scalings", "Changes of replicas made", "direction")
        self.errors = self._counter("errors", "Ticks with a problem", "reason")
        self.policies = Gauge("headstart_policies", "Policies served", registry=self.registry)
        self.tick = Histogram(
            "headstart_tick_seconds",
            "From being due to being decided and applied",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.query = Histogram(
            "headstart_prometheus_query_seconds",
            "Range queries to Prometheus",
            ("outcome",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.crashes = Counter(
            "headstart_internal_errors", "Ticks that failed by a bug", registry=self.registry
        )

    def tell(self, namespace: str, name: str, facts: Facts, conditions: Sequence[Document]) -> None:
        """Show what is known of a policy; what is unknown disappears rather than stays."""
        decision, census = facts.decision, facts.census
        values = (
            (self.recommended, decision.recommendation if decision else None),
            (self.desired, decision.desired if decision else None),
            (self.demand, decision.demand if decision else None),
            (self.current, facts.current),
            (self.ready, census.ready if census else None),
            (self.warming, int(census.warming.sum()) if census else None),
            (self.stuck, sum(census.stuck.values()) if census else None),
            (self.rate, facts.rate),
            (self.lead_time, facts.lead_time),
        )
        for gauge, value in values:
            if value is None:
                gauge.remove_by_labels({"namespace": namespace, "policy": name})
            else:
                gauge.labels(namespace, name).set(value)
        for condition in conditions:
            number = {"True": 1, "False": 0}.get(condition["status"], -1)
            self.condition.labels(namespace, name, condition["type"]).set(number)
        if decision:
            # The network or the formula; each of its hedges would be a series of its own.
            kind = decision.candidate.partition(" ")[0]
            self.decisions.labels(namespace, name, kind).inc()
        if facts.problem:
            self.errors.labels(namespace, name, facts.problem.reason).inc()

    def forget(self, namespace: str, name: str) -> None:
        """Remove every series of a policy."""
        for metric in self._per_policy:
            metric.remove_by_labels({"namespace": namespace, "policy": name})

    def expose(self) -> bytes:
        """Write all metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        gauge = Gauge(f"headstart_{name}", text, (*POLICY, *labels), registry=self.registry)
        self._per_policy.append(gauge)
        return gauge

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        counter = Counter(f"headstart_{name}", text, (*POLICY, *labels), registry=self.registry)
        self._per_policy.append(counter)
        return counter

"""Metrics of the operator and of each policy; a policy's go when it goes.

A policy has at most 25 series, whatever happens: 1,000 policies are then 25,000, which a Prometheus
does not notice. So no label takes values from a policy, an error or a candidate.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.process_collector import ProcessCollector

from headstart_operator.reporting.loop_metrics import LoopMetrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.metrics import MetricWrapperBase

    from headstart_operator.kube import Document
    from headstart_operator.reporting.status import Facts

POLICY = ("namespace", "policy")


class Metrics:
    """All metrics on a registry of their own, so that two operators fit in one process."""

    def __init__(self) -> None:
        # They would double the counters, and say what the pod's start time says.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        self._per_policy: list[MetricWrapperBase] = []
        self.recommended = self._gauge("recommended_replicas", "Replicas that the policy asks for")
        self.desired = self._gauge("desired_replicas", "Replicas that remain after the guardrails")
        self.current = self._gauge("current_replicas", "Replicas asked for before the decision")
        self.ready = self._gauge("ready_replicas", "Replicas that serve")
        self.warming = self._gauge("warming_replicas", "Replicas that do not serve yet")
        self.stuck = self._gauge("stuck_replicas", "Replicas that will not come without help")
        self.rate = self._gauge("request_rate", "Requests per second that arrive")
        self.forecast = self._gauge(
            "forecast_request_rate", "Requests per second expected for now a lead time ago"
        )
        self.lead_time = self._gauge("lead_time_seconds", "Lead time that is planned with")
        self.budget = self._gauge(
            "budget_remaining_ratio", "Share of the error budget left; below 0: overspent"
        )
        self.condition = self._gauge("condition", "1: True, 0: False, -1: Unknown", "type")
        self.decisions = self._counter("decisions", "Decisions taken")
        self.scalings = self._counter("scalings", "Changes of replicas made", "direction")
        self.cost = self._counter(
            "cost_dollars", "Cost of the decisions: replicas, violations, requests not served"
        )
        self.reactive_cost = self._counter(
            "reactive_cost_dollars", "The same, had the reactive formula decided"
        )
        self.loop = LoopMetrics(self.registry)

    def tell(self, namespace: str, name: str, facts: Facts, conditions: Sequence[Document]) -> None:
        """Show what is known of a policy; what is unknown disappears rather than stays."""
        decision, census = facts.decision, facts.census
        budget = facts.scoring.budget if facts.scoring else None
        values = (
            (self.recommended, decision.recommendation if decision else None),
            (self.desired, decision.desired if decision else None),
            (self.current, facts.current),
            (self.ready, census.ready if census else None),
            (self.warming, int(census.warming.sum()) if census else None),
            (self.stuck, sum(census.stuck.values()) if census else None),
            (self.rate, facts.rate),
            (self.forecast, facts.forecast),
            (self.lead_time, facts.lead_time),
            (self.budget, budget.remaining if budget else None),
        )
        for gauge, value in values:
            if value is None:
                # Not by labels: that looks through the series of all policies.
                with suppress(KeyError):
                    gauge.remove(namespace, name)
            else:
                gauge.labels(namespace, name).set(value)
        for condition in conditions:
            number = {"True": 1, "False": 0}.get(condition["status"], -1)
            self.condition.labels(namespace, name, condition["type"]).set(number)
        if decision:
            self.decisions.labels(namespace, name).inc()
        if decision and facts.scoring:
            self.cost.labels(namespace, name).inc(facts.scoring.spent.own)
            self.reactive_cost.labels(namespace, name).inc(facts.scoring.spent.reactive)

    def forget(self, namespace: str, name: str) -> None:
        """Remove every series of a policy."""
        for metric in self._per_policy:
            metric.remove_by_labels({"namespace": namespace, "policy": name})

    def expose(self, names: Sequence[str] = ()) -> bytes:
        """Write the metrics of these names, or all, in Prometheus' text format."""
        return generate_latest(self.registry.restricted_registry(names) if names else self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        gauge = Gauge(f"headstart_{name}", text, (*POLICY, *labels), registry=self.registry)
        self._per_policy.append(gauge)
        return gauge

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        counter = Counter(f"headstart_{name}", text, (*POLICY, *labels), registry=self.registry)
        self._per_policy.append(counter)
        return counter

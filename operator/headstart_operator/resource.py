"""ScalingPolicy's spec as a checked value, and what it means to the decision core.

The CRD's schema refuses most mistakes before they get here. The model checks again: an object may
be older than the schema, and its defaults must be the schema's (a test walks both).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from headstart_operator.fields import (
    Duration,
    Instant,
    Model,
    Quantity,
    parse_duration,
    parse_quantity,
)
from headstart_operator.orders.known_events import check_schedule, check_time_zone
from headstart_policy import behavior
from headstart_policy.guardrails import Guardrails, LossAction, MetricLoss
from headstart_policy.observation import FURTHEST, SEASONS
from headstart_policy.pins import Block, Pause
from headstart_policy.profile import Objective, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping


class SpecError(ValueError):
    """A spec that this version cannot follow; the message names the keys and what is wrong."""


class Mode(StrEnum):
    """How much the operator may do."""

    OBSERVE = "Observe"
    ASSIST = "Assist"
    AUTO = "Auto"


class TargetRef(Model):
    """The workload to scale, in the policy's namespace."""

    api_version: str = "apps/v1"
    kind: str = "Deployment"
    name: str


class ScaleToZero(Model):
    """When a workload may sleep: after ``idle_for`` s at or under ``activation_rate`` per s."""

    activation_rate: Quantity
    idle_for: Duration = parse_duration("10m")


class SecretRef(Model):
    """A Secret in the policy's namespace."""

    name: str


class TokenRef(SecretRef):
    """A Secret and the key in it that holds a token."""

    key: str = "token"


class Bearer(Model):
    """Authenticate by a token."""

    secret_ref: TokenRef


class Basic(Model):
    """Authenticate by the keys ``username`` and ``password``."""

    secret_ref: SecretRef


class Tls(Model):
    """Trust ``ca.crt``; authenticate by ``tls.crt`` and ``tls.key`` where the Secret has them."""

    secret_ref: SecretRef


class Authentication(Model):
    """Who asks a Prometheus, and whom it is trusted to be."""

    bearer: Bearer | None = None
    basic: Basic | None = None
    tls: Tls | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> Authentication:
        if self.bearer is not None and self.basic is not None:
            raise ValueError("must have at most one of bearer and basic; it has both")
        return self


class Tenant(Model):
    """A header that says whose data are meant."""

    header: str = "X-Scope-OrgID"
    value: str


class PrometheusRate(Model):
    """A query whose result is one series, requests/s; without an address, the operator's own."""

    query: str
    address: str | None = None
    timeout: Duration = parse_duration("10s")
    targets_query: str | None = None
    tenant: Tenant | None = None
    authentication: Authentication | None = None

    @model_validator(mode="after")
    def _own_credentials_own_address(self) -> PrometheusRate:
        if self.authentication is not None and self.address is None:
            raise ValueError("authentication must come with an address of its own")
        return self


class Rate(Model):
    """Where the rate comes from."""

    prometheus: PrometheusRate


class Capacity(Model):
    """What one replica can do."""

    requests_per_second: Quantity


class LeadTime(Model):
    """Lead time to plan with until it is measured, s."""

    default: Duration = parse_duration("5m")


class ErrorBudget(Model):
    """The minutes of violation that may be, as ``slo`` percent of ``window`` seconds."""

    slo: Quantity
    window: Duration = parse_duration("720h")


class Sli(Model):
    """A query for the share of good requests, from 0 to 1."""

    query: str


class ObjectiveSpec(Model):
    """Economics; ``slo`` in percent."""

    slo: Quantity = parse_quantity("99.5")
    replica_cost_per_hour: Quantity = parse_quantity("3.00")
    value_per_thousand_requests: Quantity = parse_quantity("0.90")
    violation_cost_per_minute: Quantity = parse_quantity("200")
    error_budget: ErrorBudget | None = None
    sli: Sli | None = None


class ConfigMapRef(Model):
    """A key under ``binaryData`` of a ConfigMap in the policy's namespace."""

    name: str
    key: str


class ArtifactRef(Model):
    """Which trained policy decides."""

    builtin: str | None = None
    config_map: ConfigMapRef | None = None
    digest: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> ArtifactRef:
        if (self.builtin is None) == (self.config_map is None):
            raise ValueError("must have exactly one of builtin and configMap")
        return self


class KnownEvent(Model):
    """A load that is known ahead; ``start`` in seconds since the epoch."""

    name: str
    start: Instant | None = None
    schedule: str | None = None
    time_zone: str | None = None
    duration: Duration
    expected_factor: Quantity | None = None
    min_replicas: int | None = None

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, schedule: str | None) -> str | None:
        return None if schedule is None else check_schedule(schedule)

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, time_zone: str | None) -> str | None:
        return None if time_zone is None else check_time_zone(time_zone)

    @model_validator(mode="after")
    def _one_of_each(self) -> KnownEvent:
        if (self.start is None) == (self.schedule is None):
            raise ValueError("must have exactly one of start and schedule")
        if (self.expected_factor is None) == (self.min_replicas is None):
            raise ValueError("must have exactly one of expectedFactor and minReplicas")
        if self.time_zone is not None and self.schedule is None:
            raise ValueError("timeZone belongs to schedule; start has its own")
        return self


class Paused(Model):
    """Hold or pin the replicas ``until`` an instant, s since the epoch."""

    until: Instant
    reason: str
    by: str
    block: Block = Block.ALL
    replicas: int | None = None

    @model_validator(mode="after")
    def _pins_all(self) -> Paused:
        if self.replicas is not None and self.block is not Block.ALL:
            raise ValueError(f"replicas may be set only where block is All; block is {self.block}")
        return self

    def order(self) -> Pause:
        """Turn into the decision core's order."""
        return Pause(self.until, self.reason, self.by, self.block, self.replicas)


class OnDelete(StrEnum):
    """What becomes of the replicas when the policy goes."""

    KEEP = "Keep"
    RESTORE = "Restore"


class Demotion(Model):
    """When a policy gives way; ``regret_budget`` in dollars, ``None``: the rule of the code."""

    regret_budget: Quantity | None = None


class ReactiveFloor(Model):
    """Never fewer replicas than the rate over this share of the capacity."""

    utilization: Quantity = parse_quantity("0.9")


class RulePolicy(Model):
    """At most ``value`` pods or percent per period."""

    type: Literal["Pods", "Percent"]
    value: int
    period_seconds: int


class Rules(Model):
    """How fast the replicas may change in one direction."""

    stabilization_window_seconds: int = 0
    select_policy: behavior.Select = behavior.Select.MAX
    policies: tuple[RulePolicy, ...] = ()
    tolerance: Quantity = 0.0

    def to_rules(self) -> behavior.Rules:
        """Turn into the decision core's rules."""
        return behavior.Rules(
            window=float(self.stabilization_window_seconds),
            policies=tuple(
                behavior.Policy(p.type, p.value, float(p.period_seconds)) for p in self.policies
            ),
            select=self.select_policy,
            tolerance=self.tolerance,
        )


class BehaviorSpec(Model):
    """How fast the replicas may change."""

    scale_up: Rules = Rules()
    scale_down: Rules = Rules()


class OnMetricLoss(Model):
    """What to do when the rate stays lost."""

    after: Duration = parse_duration("2m")
    action: LossAction = LossAction.HOLD
    replicas: int | None = None


class GuardrailsSpec(Model):
    """Limits to what the policy may do."""

    reactive_floor: ReactiveFloor = ReactiveFloor()
    demotion: Demotion = Demotion()
    behavior: BehaviorSpec = BehaviorSpec()
    on_metric_loss: OnMetricLoss = OnMetricLoss()


class Spec(Model):
    """``spec`` of a ScalingPolicy; durations in seconds."""

    scale_target_ref: TargetRef
    min_replicas: int = 1
    max_replicas: int
    scale_to_zero: ScaleToZero | None = None
    mode: Mode = Mode.OBSERVE
    interval: Duration = parse_duration("15s")
    rate: Rate
    capacity: Capacity
    lead_time: LeadTime = LeadTime()
    objective: ObjectiveSpec = ObjectiveSpec()
    policy: ArtifactRef = ArtifactRef(builtin="default")
    seasons: tuple[Duration, ...] = Field(
        (parse_duration("24h"), parse_duration("168h")), max_length=SEASONS
    )
    events: tuple[KnownEvent, ...] = ()
    paused: Paused | None = None
    on_delete: OnDelete = OnDelete.KEEP
    guardrails: GuardrailsSpec = GuardrailsSpec()

    @model_validator(mode="after")
    def _zero_is_asked_for(self) -> Spec:
        if (self.min_replicas == 0) != (self.scale_to_zero is not None):
            raise ValueError(
                f"minReplicas must be 0 exactly where scaleToZero is set; it is {self.min_replicas}"
            )
        return self

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Spec:
        """Check a spec, down to what the decision core accepts.

        Raises
        ------
        SpecError
            It cannot be followed; the message names every key that is wrong.
        """
        try:
            spec = cls.model_validate(document)
        except ValidationError as error:
            problems = (f"spec.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise SpecError("; ".join(problems)) from error
        try:
            spec.profile(spec.lead_time.default)
            spec.limits()
        except ValueError as error:
            raise SpecError(f"spec: {error}") from error
        return spec

    def profile(self, lead_time: float) -> Profile:
        """Say what is known of the service when it is planned with ``lead_time`` seconds.

        Seasons that a measured lead time has outgrown are left out: the windows ahead of the same
        moment one season ago would be the future.
        """
        goal = self.objective
        return Profile(
            capacity=self.capacity.requests_per_second,
            lead_time=lead_time,
            interval=self.interval,
            objective=Objective(
                slo=goal.slo / 100,
                replica_cost=goal.replica_cost_per_hour,
                request_value=goal.value_per_thousand_requests,
                violation_cost=goal.violation_cost_per_minute,
            ),
            seasons=tuple(season for season in self.seasons if season > FURTHEST * lead_time),
        )

    def limits(self) -> Guardrails:
        """Turn into the decision core's limits."""
        rules = self.guardrails.behavior
        loss = self.guardrails.on_metric_loss
        return Guardrails(
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
            floor_utilization=self.guardrails.reactive_floor.utilization,
            behavior=behavior.Behavior(rules.scale_up.to_rules(), rules.scale_down.to_rules()),
            metric_loss=MetricLoss(loss.after, loss.action, loss.replicas),
        )

"""ScalingPolicy's spec as a checked value, and what it means to the decision core.

The CRD's schema refuses most mistakes before they get here. The model checks again: an object may
be older than the schema, and its defaults must be the schema's (a test walks both).
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from headstart_policy import behavior
from headstart_policy.guardrails import Guardrails, LossAction, MetricLoss
from headstart_policy.observation import SEASONS
from headstart_policy.profile import Objective, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_QUANTITY = re.compile(r"([+-]?(?:\d+[.]?\d*|[.]\d+)(?:[eE][+-]?\d{1,2})?)(|[numkMGTPE]|[KMGTPE]i)")
_SCALES = {
    **{unit: Decimal(1000) ** k for k, unit in enumerate(["n", "u", "m", "", *"kMGTPE"], start=-3)},
    **{f"{unit}i": Decimal(1024) ** k for k, unit in enumerate("KMGTPE", start=1)},
}


class SpecError(ValueError):
    """A spec that this version cannot follow; the message names the keys and what is wrong."""


class Mode(StrEnum):
    """How much the operator may do."""

    OBSERVE = "Observe"
    AUTO = "Auto"


def parse_duration(value: Any) -> float:
    """Read ``1h30m``, ``15s`` and the like as seconds.

    Raises
    ------
    ValueError
        It is no duration.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(f"must be a duration such as 15s, 5m or 1h30m; it is {value!r}")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(3600 * hours + 60 * minutes + seconds)


def parse_quantity(value: Any) -> float:
    """Read a Kubernetes quantity: ``5``, ``"0.5"``, ``500m``, ``2k``, ``1Gi``.

    Raises
    ------
    ValueError
        It is no quantity.
    """
    match = None if isinstance(value, bool) else _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ValueError(f'must be a quantity such as 5, "0.5" or 500m; it is {value!r}')
    return float(Decimal(match[1]) * _SCALES[match[2]])


Duration = Annotated[float, BeforeValidator(parse_duration)]
Quantity = Annotated[float, BeforeValidator(parse_quantity)]


class Model(BaseModel):
    """A part of the spec: camelCase, frozen, unknown keys refused.

    An unknown key is refused because it may be an order of a newer schema (stop until, never above)
    that this version would silently not follow.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
    )


class TargetRef(Model):
    """The workload to scale, in the policy's namespace."""

    api_version: str = "apps/v1"
    kind: str = "Deployment"
    name: str


class PrometheusRate(Model):
    """A query whose result is one series, requests/s; ``None`` means the operator's address."""

    query: str
    address: str | None = None


class Rate(Model):
    """Where the rate comes from."""

    prometheus: PrometheusRate


class Capacity(Model):
    """What one replica can do."""

    requests_per_second: Quantity


class LeadTime(Model):
    """Lead time to plan with until it is measured, s."""

    default: Duration = parse_duration("5m")


class ObjectiveSpec(Model):
    """Economics; ``slo`` in percent."""

    slo: Quantity = parse_quantity("99.5")
    replica_cost_per_hour: Quantity = parse_quantity("3.00")
    value_per_thousand_requests: Quantity = parse_quantity("0.90")
    violation_cost_per_minute: Quantity = parse_quantity("200")


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

    def to_rules(self) -> behavior.Rules:
        """Turn into the decision core's rules."""
        return behavior.Rules(
            window=float(self.stabilization_window_seconds),
            policies=tuple(
                behavior.Policy(p.type, p.value, float(p.period_seconds)) for p in self.policies
            ),
            select=self.select_policy,
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
    behavior: BehaviorSpec = BehaviorSpec()
    on_metric_loss: OnMetricLoss = OnMetricLoss()


class Spec(Model):
    """``spec`` of a ScalingPolicy; durations in seconds."""

    scale_target_ref: TargetRef
    min_replicas: int = 1
    max_replicas: int
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
    guardrails: GuardrailsSpec = GuardrailsSpec()

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

        Seasons that a measured lead time has outgrown are left out: twice the lead time ahead of
        the same moment one season ago would be the future.
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
            seasons=tuple(season for season in self.seasons if season > 2 * lead_time),
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

"""Each guardrail does its one thing; together they never scale down on broken data."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy import guardrails
from headstart_policy.behavior import Behavior, Rules, Select
from headstart_policy.guardrails import Guardrails, LossAction, MetricLoss, guard
from tests.unit.policy.build import a_situation

NEVER = np.array([np.nan])


def limits(**changes: Any) -> dict[str, Any]:
    """One service's guardrails as a situation's argument."""
    return {"limits": [Guardrails(**{"max_replicas": 100, **changes})]}


LOST = {"rate_age": np.array([61.0])}
LONG_LOST = {"rate_age": np.array([121.0])}
PINNED = MetricLoss(action=LossAction.REPLICAS, replicas=15)
FEWER = MetricLoss(action=LossAction.REPLICAS, replicas=3)
FORMULA = MetricLoss(action=LossAction.REACTIVE)
DOWN_OFF = Behavior(down=Rules(select=Select.DISABLED))


@pytest.mark.parametrize(
    ("asked", "changes", "desired", "changed_by"),
    [
        # A service at 10 replicas; 40 requests/s at 5 each need 8, 9 at the floor's 90 %.
        (12, {}, 12, []),
        (9, {}, 9, []),
        (3, {}, 9, ["reactiveFloor"]),
        (3, limits(floor_utilization=1.0), 8, ["reactiveFloor"]),
        # One late scrape is no loss; then the replicas are held, both ways.
        (12, {"rate_age": np.array([59.0])}, 12, []),
        (12, LOST, 10, ["onMetricLoss"]),
        (9, LOST, 10, ["onMetricLoss"]),
        (9, {"rate_age": NEVER, "rate": NEVER}, 10, ["onMetricLoss"]),
        # After a while the action, but never fewer.
        (3, LONG_LOST, 10, ["onMetricLoss"]),
        (3, LONG_LOST | limits(metric_loss=PINNED), 15, ["onMetricLoss"]),
        (3, LONG_LOST | limits(metric_loss=FEWER), 10, ["onMetricLoss"]),
        (3, LOST | limits(metric_loss=PINNED), 10, ["onMetricLoss"]),
        (3, LONG_LOST | limits(metric_loss=FORMULA) | {"rate": np.array([70.0])}, 20, None),
        (3, LONG_LOST | limits(metric_loss=FORMULA) | {"rate": np.array([0.0])}, 10, None),
        # Half a history: hold or raise.
        (9, {"history_loaded": np.array([False])}, 10, ["history"]),
        (19, {"history_loaded": np.array([False])}, 19, []),
        # Outside of the envelope the formula decides: 40 / (0.7 * 5) is 11.4.
        (50, {"outside": ["demand = 8, trained for [10, 20]"]}, 12, ["envelope"]),
        (50, {"outside": ["demand = 8"]} | LOST, 10, ["onMetricLoss"]),
        # ... on the most of the last two lead times, as an HPA's stabilisation has it.
        (50, {"outside": ["demand = 8"], "peak": np.array([63.0])}, 18, ["envelope"]),
        (50, {"outside": ["demand = 8"], "peak": np.array([35.0])}, 12, ["envelope"]),
        # Someone else sets the replicas too: raise only, also where the formula would lower.
        (9, {"raise_only": ["contested"]}, 10, ["raiseOnly"]),
        (19, {"raise_only": ["contested"]}, 19, []),
        (3, {"raise_only": ["contested"], "outside": ["x"]} | {"rate": np.array([5.0])}, 10, None),
        # Limits that people set win over everything, and both verdicts are shown.
        (3, limits(behavior=DOWN_OFF), 10, ["reactiveFloor", "behavior"]),
        (3, limits(max_replicas=5), 5, ["reactiveFloor", "bounds"]),
        (9, limits(min_replicas=20), 20, ["bounds"]),
        (9, LOST | limits(max_replicas=5), 5, ["onMetricLoss", "bounds"]),
    ],
)
def test_verdicts(
    asked: int, changes: dict[str, Any], desired: int, changed_by: list[str] | None
) -> None:
    verdicts = guard(np.array([asked]), a_situation(**changes))
    assert verdicts[-1].after.tolist() == [desired]
    if changed_by is not None:
        assert [v.guardrail for v in verdicts if v.before[0] != v.after[0]] == changed_by


@pytest.mark.parametrize(
    ("asked", "changes", "words"),
    [
        (9, LOST, "the newest rate is 61 s old: Hold, never fewer"),
        (9, {"rate_age": NEVER, "rate": NEVER}, "no rate is known yet"),
        (9, LONG_LOST | limits(metric_loss=PINNED), "121 s old: Replicas"),
        (9, {"history_loaded": np.array([False])}, "history is still being loaded"),
        (9, {"outside": ["ramp = 9"]}, "ramp = 9: the reactive formula decides"),
        (3, {}, "40 requests/s at 90% of 5 each need 9"),
        (9, limits(behavior=DOWN_OFF), "scaleDown rules"),
        (101, {}, "maxReplicas = 100"),
        (9, limits(min_replicas=20), "minReplicas = 20"),
    ],
)
def test_reasons_say_key_bound_and_value(asked: int, changes: dict[str, Any], words: str) -> None:
    verdicts = guard(np.array([asked]), a_situation(**changes))
    reasons = [v.reason(0) for v in verdicts if v.before[0] != v.after[0]]
    assert any(re.search(re.escape(words), reason) for reason in reasons), reasons


@given(
    asked=st.integers(0, 200),
    current=st.integers(1, 100),
    rate=st.one_of(st.just(np.nan), st.floats(0, 1e6)),
    age=st.one_of(st.just(np.nan), st.floats(61, 1e9)),
    outside=st.sampled_from([None, "ramp"]),
    loaded=st.booleans(),
    loss=st.sampled_from([MetricLoss(), PINNED, FEWER, FORMULA]),
)
def test_broken_data_never_scales_down(
    asked: int,
    current: int,
    rate: float,
    age: float,
    outside: str | None,
    loaded: bool,  # noqa: FBT001 - hypothesis passes by keyword
    loss: MetricLoss,
) -> None:
    situation = a_situation(
        current=np.array([current]),
        rate=np.array([rate]),
        rate_age=np.array([age]),
        outside=[outside],
        history_loaded=np.array([loaded]),
        **limits(metric_loss=loss),
    )
    assert guard(np.array([asked]), situation)[-1].after[0] >= current


def test_the_order_is_the_documented_one() -> None:
    names = [verdict.guardrail for verdict in guard(np.array([9]), a_situation())]
    assert names == [
        "onMetricLoss",
        "history",
        "envelope",
        "demotion",
        "reactiveFloor",
        "events",
        "raiseOnly",
        "behavior",
        "block",
        "quota",
        "activation",
        "pin",
        "bounds",
    ]
    assert len(guardrails.ORDER) == len(names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_replicas": 7, "max_replicas": 5}, r"minReplicas = 7, must be in \[0, 5\]"),
        ({"floor_utilization": 1.5}, r"utilization = 1.5, must be in \(0, 1\]"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Guardrails(**{"max_replicas": 100, **changes})


def test_replicas_belong_to_the_action_of_that_name() -> None:
    with pytest.raises(ValueError, match="exactly when action is 'Replicas'"):
        MetricLoss(replicas=3)
    with pytest.raises(ValueError, match="exactly when action is 'Replicas'"):
        MetricLoss(action=LossAction.REPLICAS)

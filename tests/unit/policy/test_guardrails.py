"""Each guardrail does its one thing; together they never scale down on broken data."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy import guardrails
from headstart_policy.activation import Activation
from headstart_policy.behavior import Behavior, Memory, Policy, Rules, Sample, Select
from headstart_policy.decision import Recommendation, decide, remember
from headstart_policy.guardrails import (
    Guardrails,
    Headroom,
    LossAction,
    MetricLoss,
    Situation,
    guard,
)
from headstart_policy.known_events import Floor
from headstart_policy.pins import Block, Pause
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
ONE_UP = Behavior(up=Rules(policies=(Policy("Pods", 1, 60.0),)))
ONE_DOWN = Behavior(down=Rules(policies=(Policy("Pods", 1, 60.0),)))
STABLE = Behavior(up=Rules(window=600.0), down=Rules(window=600.0))
CALM = Behavior(up=Rules(tolerance=0.2), down=Rules(tolerance=0.1))

EVENT = {"events": [Floor(14, "sale: minReplicas = 14")]}
HOLD = Pause(2000.0, "migration", "ana")
PIN = Pause(2000.0, "load test", "ana", replicas=20)
NO_UP = Pause(2000.0, "costs", "ana", Block.UP)
NO_DOWN = Pause(2000.0, "big day", "ana", Block.DOWN)
ROOM = {"quotas": [Headroom(13, "ResourceQuota team: pods hard = 13")]}
# A service that may sleep, with hardly a request, at one replica.
MAY_SLEEP = {
    "limits": [Guardrails(max_replicas=100, min_replicas=0)],
    "rate": np.array([0.1]),
    "current": np.array([1]),
}
BUSY, IDLE = ({"activations": [Activation(0.5, 600.0, idle)]} for idle in (599.0, 600.0))
ZERO = {"rate": np.array([0.0])}
ASLEEP = MAY_SLEEP | {"current": np.array([0])}


def as_limit(rules: Behavior, least: int = 0) -> dict[str, Any]:
    """Guardrails of a service that may sleep, with these rules."""
    return limits(min_replicas=least, behavior=rules)


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
        # A demoted policy has no say; but the formula has none either while the rate is lost.
        (50, {"demoted": ["too dear"]}, 12, ["demotion"]),
        (50, {"demoted": ["too dear"]} | LOST, 10, ["onMetricLoss"]),
        (50, {"demoted": ["too dear"], "outside": ["ramp"]}, 12, ["envelope"]),
        # Known events are a floor, also where the rate is lost or the policy demoted.
        (12, EVENT, 14, ["events"]),
        (15, EVENT, 15, []),
        (12, EVENT | LOST, 14, ["onMetricLoss", "events"]),
        (12, EVENT | limits(max_replicas=11), 11, ["events", "bounds"]),
        # Small changes are none.
        (12, limits(behavior=CALM), 10, ["behavior"]),
        (13, limits(behavior=CALM), 13, []),
        (9, limits(behavior=CALM), 10, ["behavior"]),
        # A direction that is blocked; the other one is free.
        (12, {"pauses": [NO_UP]}, 10, ["block"]),
        (9, {"pauses": [NO_UP]}, 9, []),
        (9, {"pauses": [NO_DOWN]}, 10, ["block"]),
        (12, {"pauses": [NO_DOWN]}, 12, []),
        # Quotas limit growth alone: what runs is not evicted.
        (15, ROOM, 13, ["quota"]),
        (15, {"quotas": [Headroom(4, "full")]}, 10, ["quota"]),
        (9, {"quotas": [Headroom(4, "full")]}, 9, []),
        (15, ROOM | limits(min_replicas=14), 14, ["quota", "bounds"]),
        # Orders replace everything but the bounds.
        (15, {"pauses": [HOLD]} | EVENT, 10, ["pin"]),
        (9, {"pauses": [PIN]}, 20, ["pin"]),
        (9, {"pauses": [PIN]} | LOST | ROOM, 20, ["onMetricLoss", "pin"]),
        (9, {"pauses": [PIN]} | limits(max_replicas=18), 18, ["pin", "bounds"]),
        (
            9,
            {"pauses": [Pause(2000.0, "off", "ana", replicas=0)]} | limits(min_replicas=0),
            0,
            None,
        ),
        # Idle for long enough: asleep, though the formula still wants one.
        (1, MAY_SLEEP | BUSY, 1, []),
        (0, MAY_SLEEP | BUSY, 1, ["reactiveFloor"]),
        (0, MAY_SLEEP | BUSY | ZERO, 1, ["activation"]),
        (1, MAY_SLEEP | IDLE, 0, ["activation"]),
        (3, MAY_SLEEP | IDLE, 0, ["activation"]),
        # Nothing that is broken puts it to sleep, nor does it sleep through an event.
        (1, MAY_SLEEP | IDLE | LOST, 1, []),
        (1, MAY_SLEEP | IDLE | {"history_loaded": np.array([False])}, 1, []),
        (1, MAY_SLEEP | IDLE | {"raise_only": ["contested"]}, 1, []),
        (1, MAY_SLEEP | IDLE | {"pauses": [NO_DOWN]}, 1, []),
        (1, MAY_SLEEP | IDLE | {"events": [Floor(2, "sale")]}, 2, ["events"]),
        # The rules for shrinking hold on the way to zero; idleFor stands for the window.
        (1, MAY_SLEEP | IDLE | {"current": np.array([3])} | as_limit(ONE_DOWN), 2, None),
        (1, MAY_SLEEP | IDLE | as_limit(STABLE), 0, None),
        (1, MAY_SLEEP | IDLE | as_limit(DOWN_OFF), 1, None),
        # It wakes at once, whatever the windows say; a block of growth is someone's order.
        (1, ASLEEP | IDLE, 0, ["activation"]),
        (3, ASLEEP | BUSY, 3, []),
        (
            3,
            ASLEEP | BUSY | as_limit(STABLE) | {"memories": [Memory((Sample(900.0, 0),))]},
            1,
            None,
        ),
        (3, ASLEEP | BUSY | {"pauses": [NO_UP]}, 0, ["block"]),
        # Without a rate nobody knows who waits.
        (0, ASLEEP | IDLE | LOST, 0, ["reactiveFloor", "activation"]),
        (0, ASLEEP | IDLE | LOST | {"raise_only": ["contested"]}, 0, None),
        (0, ASLEEP | IDLE | LONG_LOST | ZERO, 1, ["activation"]),
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
        (9, limits(behavior=DOWN_OFF), "scaleDown.selectPolicy = Disabled"),
        (12, limits(behavior=ONE_UP), "scaleUp.policies"),
        (9, limits(behavior=ONE_DOWN) | {"current": np.array([12])}, "scaleDown.policies"),
        (12, limits(behavior=CALM), "scaleUp.tolerance = 0.2: 12 instead of 10 is no change"),
        (9, limits(behavior=CALM), "scaleDown.tolerance = 0.1: 9 instead of 10 is no change"),
        (
            12,
            limits(behavior=STABLE) | {"memories": [Memory((Sample(900.0, 8),))]},
            "scaleUp.stabilizationWindowSeconds = 600: the least that was wanted within it counts",
        ),
        (
            9,
            limits(behavior=STABLE) | {"memories": [Memory((Sample(900.0, 12),))]},
            "scaleDown.stabilizationWindowSeconds = 600: the most that was wanted within it counts",
        ),
        (101, {}, "maxReplicas = 100"),
        (9, limits(min_replicas=20), "minReplicas = 20"),
        (50, {"demoted": ["too dear"]}, "too dear: the reactive formula decides"),
        (9, EVENT, "sale: minReplicas = 14"),
        (12, {"pauses": [NO_UP]}, "Up blocked by ana until 1970-01-01T00:33:20Z: costs"),
        (15, ROOM, "ResourceQuota team: pods hard = 13"),
        (15, {"pauses": [HOLD]}, "paused by ana until 1970-01-01T00:33:20Z: migration"),
        (15, {"pauses": [PIN]}, "pinned by ana until 1970-01-01T00:33:20Z: load test"),
        (1, MAY_SLEEP | IDLE, "not above activationRate = 0.5 requests/s for idleFor = 600 s"),
        (0, MAY_SLEEP | BUSY | ZERO, "599 s ago, within idleFor = 600 s"),
        (0, ASLEEP | IDLE | LONG_LOST | ZERO, "without a rate nobody knows who waits"),
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


def decided(asked: int, situation: Situation) -> list[str]:
    """Decide for one service, and return the reasons of its limits."""
    recommendation = Recommendation(["network"], np.array([asked]), np.array([8.0]), [None])
    (decision,) = decide(recommendation, situation)
    return [limit.reason for limit in decision.limits]


@pytest.mark.parametrize(
    ("asked", "changes", "last"),
    [
        # A floor that had nothing to do is undercut all the same.
        (12, limits(max_replicas=8), "maxReplicas = 8, under the reactiveFloor's 9"),
        (3, limits(max_replicas=8), "maxReplicas = 8, under the reactiveFloor's 9"),
        (
            3,
            limits(max_replicas=8) | EVENT,
            "maxReplicas = 8, under the reactiveFloor's 9 and under the events' 14",
        ),
        (12, EVENT | ROOM, "ResourceQuota team: pods hard = 13, under the events' 14"),
        (9, LOST | limits(max_replicas=9), "maxReplicas = 9, under the onMetricLoss' 10"),
        (20, ROOM | limits(min_replicas=14), "minReplicas = 14, over the quota's 13"),
        (
            12,
            {"pauses": [NO_UP]} | limits(min_replicas=11),
            "minReplicas = 11, over the block's 10",
        ),
        # What was undercut before is not told twice.
        (15, ROOM | EVENT | limits(max_replicas=11), "maxReplicas = 11"),
        (12, limits(max_replicas=11), "maxReplicas = 11"),
    ],
)
def test_a_limit_says_what_it_undercuts(asked: int, changes: dict[str, Any], last: str) -> None:
    assert decided(asked, a_situation(**changes))[-1] == last


def test_what_an_order_did_is_not_what_was_wanted() -> None:
    situation = a_situation(**limits(behavior=STABLE), pauses=[PIN])
    recommendation = Recommendation(["network"], np.array([12]), np.array([8.0]), [None])
    (decision,) = decide(recommendation, situation)
    memory = remember(decision, situation, 0)
    assert (decision.desired, memory.recommendations[-1].replicas) == (20, 12)
    assert memory.changes[-1].replicas == 10


COUNTS = st.integers(0, 60)
MAYBE = st.sampled_from([None, "why"])


@given(data=st.data())
def test_whatever_comes_together_desired_keeps_the_promises(data: st.DataObject) -> None:
    """Within the bounds, never down for something broken, never up beyond an order or a quota."""
    least, most = sorted((data.draw(COUNTS), data.draw(COUNTS)))
    current = data.draw(COUNTS)
    pause = data.draw(
        st.one_of(st.none(), st.sampled_from([HOLD, NO_UP, NO_DOWN, PIN])),
    )
    event = data.draw(st.one_of(st.none(), st.builds(Floor, COUNTS, st.just("sale"))))
    room = data.draw(st.one_of(st.none(), st.builds(Headroom, COUNTS, st.just("full"))))
    sleep = None
    if least == 0:
        idle = st.floats(0, 1200)
        sleep = data.draw(
            st.one_of(st.none(), st.builds(Activation, st.just(0.5), st.just(600.0), idle))
        )
    contested = data.draw(MAYBE)
    situation = a_situation(
        current=np.array([current]),
        rate=np.array([data.draw(st.one_of(st.just(np.nan), st.floats(0, 500)))]),
        rate_age=np.array([data.draw(st.one_of(st.just(np.inf), st.floats(0, 300)))]),
        history_loaded=np.array([data.draw(st.booleans())]),
        outside=[data.draw(MAYBE)],
        demoted=[data.draw(MAYBE)],
        raise_only=[contested],
        events=[event],
        pauses=[pause],
        quotas=[room],
        activations=[sleep],
        **limits(
            min_replicas=least,
            max_replicas=most,
            behavior=data.draw(st.sampled_from([Behavior(), STABLE, ONE_UP, ONE_DOWN, CALM])),
            metric_loss=data.draw(st.sampled_from([MetricLoss(), PINNED, FEWER, FORMULA])),
        ),
    )
    desired = int(guard(np.array([data.draw(COUNTS)]), situation)[-1].after[0])
    assert least <= desired <= most
    if pause in (HOLD, PIN):
        ordered = current if pause.replicas is None else pause.replicas
        assert desired == np.clip(ordered, least, most)
        return
    broken = situation.lost[0] or not situation.history_loaded[0] or contested
    if broken or pause is NO_DOWN:
        assert desired >= min(current, most)
    if pause is NO_UP:
        assert desired <= max(current, least)
    # Waking takes one replica, whether or not a quota has room for it.
    if room is not None:
        assert desired <= max(current, room.replicas, least, 1 if sleep else 0)
    if sleep and sleep.wanted and pause is None and most > 0:
        assert desired >= 1


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

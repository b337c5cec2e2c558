"""What the selector learned outlives a restart, and nothing is priced over a gap."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headstart_operator.accounts.selection import Selection, go_on
from headstart_operator.batch import decide_together
from headstart_operator.memory import Memory
from headstart_operator.orders.orders import Orders
from headstart_operator.resource import Spec
from headstart_operator.service import Sight
from headstart_policy.profile import Objective
from headstart_policy.selector import NAMES, Scores
from tests.unit.operator.test_resource import MINIMAL
from tests.unit.policy.build import a_policy, a_profile, an_observation

COUNT = len(NAMES)
POLICY = a_policy(blind=True)
PROFILE = a_profile()
NOW = 1_767_225_600.0
BEGUN = go_on(None, POLICY, PROFILE, NOW)
LEFT = replace(
    BEGUN,
    scores=BEGUN.scores._replace(
        costs=np.arange(float(COUNT))[None],
        weight=np.array([7.25]),
        asked=np.tile(np.arange(6, 0, -1), (1, COUNT, 1)),
        ready=np.array([6]),
        chosen=np.array([4]),
    ),
)


def a_sight(selection: Selection | None, rates: float, **changes: Any) -> Sight:
    """See a service of 10 replicas at a constant rate, requests/s, at NOW."""
    profile = changes.pop("profile", PROFILE)
    sight = Sight(
        time=NOW,
        spec=Spec.parse({**MINIMAL, "maxReplicas": 100}),
        profile=profile,
        memory=Memory(selection=selection),
        selection=go_on(selection, POLICY, profile, NOW),
        observation=an_observation(np.full((1, 300), rates), profile, current=10),
        rate=rates,
        rate_age=0.0,
        watched=3600.0,
        history_loaded=True,
        raise_only=None,
        orders=Orders(),
        held=10,
        policy=POLICY,
    )
    return replace(sight, **changes)


@pytest.mark.parametrize(
    ("later", "past"),
    [
        (60.0, [6, 5, 4, 3, 2, 1]),
        # An interval was missed, as when the operator is started anew.
        (120.0, [6, 6, 5, 4, 3, 2]),
        (300.0, [6, 6, 6, 6, 6, 5]),
        # An outage: what they would have asked for meanwhile is not known.
        (360.0, [-1] * 6),
        (86_400.0, [-1] * 6),
        # Decided for twice, or a clock that was set back.
        (0.0, [-1] * 6),
        (-3600.0, [-1] * 6),
    ],
)
def test_it_goes_on_after_a_gap_and_keeps_what_it_learned(later: float, past: list[int]) -> None:
    after = go_on(LEFT, POLICY, PROFILE, NOW + later)
    assert after.scores.asked[0].tolist() == [past] * COUNT
    assert after.time == NOW + later
    np.testing.assert_array_equal(after.scores.costs, LEFT.scores.costs)
    assert after.scores.chosen == 4


@pytest.mark.parametrize(
    "profile",
    [
        a_profile(capacity=6.0),
        a_profile(interval=30.0),
        a_profile(objective=Objective(violation_cost=1.0)),
    ],
)
def test_under_other_prices_it_begins_anew(profile: Any) -> None:
    after = go_on(LEFT, POLICY, profile, NOW + 60)
    assert not after.scores.weight.any()


def test_under_another_policy_it_begins_anew() -> None:
    after = go_on(LEFT, a_policy(seed=1, blind=True), PROFILE, NOW + 60)
    assert not after.scores.weight.any()


@pytest.mark.parametrize(
    ("lead_time", "past"), [(180.0, [6, 5, 4, 3]), (420.0, [6, 5, 4, 3, 2, 1, 1, 1])]
)
def test_a_lead_time_that_was_measured_changes_the_reach_only(
    lead_time: float, past: list[int]
) -> None:
    after = go_on(LEFT, POLICY, a_profile(lead_time=lead_time), NOW + 60)
    assert after.scores.asked[0].tolist() == [past] * COUNT
    assert after.scores.weight == 7.25


def test_memory_holds_it_without_loss() -> None:
    document = json.loads(json.dumps(Memory(selection=LEFT).to_json()))
    selection = Memory.from_json(document).selection
    assert selection is not None
    assert (selection.time, selection.basis) == (LEFT.time, LEFT.basis)
    for one, other in zip(selection.scores, LEFT.scores, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "scores",
    [
        None,
        "none",
        [],
        {},
        {**LEFT.to_json(), "costs": [1.0, 2.0]},
        {**LEFT.to_json(), "time": "yesterday"},
        {**LEFT.to_json(), "chosen": 99},
        {**LEFT.to_json(), "asked": [[10**12] * 6] * COUNT},
    ],
)
def test_scores_that_cannot_be_read_leave_the_rest_of_the_memory(scores: Any) -> None:
    document = Memory(selection=LEFT).to_json()
    document["leadTimes"]["planned"] = 77.0
    document["scores"] = scores
    memory = Memory.from_json(document)
    assert memory.lead_times.planned == 77.0
    assert memory.selection is None


def test_a_memory_of_before_there_was_a_choice_is_read() -> None:
    document = Memory().to_json()
    del document["scores"]
    assert Memory.from_json(document) == Memory()


def test_memory_is_bounded() -> None:
    """An object may have 1.5 MiB in etcd; the ring of the longest lead time takes 14 KB at most."""
    longest = Scores.begin(1, 10**9)
    huge = longest._replace(asked=np.full_like(longest.asked, 2**31 - 1))
    assert len(json.dumps(huge.to_json())) < 14_000


def test_each_service_of_a_batch_gets_its_own_scores_and_sentence() -> None:
    dear = np.full((1, COUNT), 1e6)
    dear[0, NAMES.index("margin x 1.15")] = 0.0
    certain = replace(
        LEFT,
        time=NOW - 60,
        scores=LEFT.scores._replace(costs=dear, weight=np.array([1e4])),
    )
    slow = a_profile(lead_time=540.0)
    sights = [
        a_sight(None, 40.0),
        a_sight(certain, 40.0),
        a_sight(None, 90.0, profile=slow),
        a_sight(certain, 40.0, history_loaded=False),
    ]
    verdicts = decide_together(sights)
    followed = [verdict.decision.candidate for verdict in verdicts]
    assert followed[:3] == ["network", "margin x 1.15", "network"]
    assert [verdict.decision.why is None for verdict in verdicts[:3]] == [True, False, True]
    widths = [v.selection.scores.asked.shape[2] for v in verdicts if v.selection]
    assert widths[:3] == [6, 6, 10]
    # On half of a history nothing is learned.
    assert verdicts[3].selection is certain
    for sight, verdict in zip(sights, verdicts, strict=True):
        (alone,) = decide_together([sight])
        assert alone.decision == verdict.decision
        assert alone.selection is not None
        assert verdict.selection is not None
        assert alone.selection.to_json() == verdict.selection.to_json()


def test_a_policy_that_looks_at_its_fleet_leaves_no_choice() -> None:
    sight = replace(a_sight(None, 40.0), policy=a_policy(), selection=None)
    (verdict,) = decide_together([sight])
    assert verdict.selection is None
    assert (verdict.decision.candidate, verdict.decision.why) == ("network", None)
    (verdict,) = decide_together([replace(sight, policy=None)])
    assert (verdict.decision.candidate, verdict.selection) == ("reactive", None)

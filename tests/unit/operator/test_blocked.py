"""Pods that do not come are paid for, but not held against the policy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from headstart_operator.batch import decide_together
from headstart_operator.memory import Memory
from headstart_operator.orders.orders import Orders
from headstart_operator.resource import Spec
from headstart_operator.service import Sight
from tests.unit.operator.test_resource import MINIMAL
from tests.unit.policy.build import a_policy, a_profile, an_observation

NOW = 1_767_225_600.0
PROFILE = a_profile()
# It sees the fleet, and asks at random for far more or less than is needed.
POLICY = a_policy()


@pytest.mark.parametrize("blocked", [False, True])
def test_regret_does_not_grow_while_replicas_are_blocked(*, blocked: bool) -> None:
    sight = Sight(
        time=NOW,
        spec=Spec.parse({**MINIMAL, "maxReplicas": 100}),
        profile=PROFILE,
        memory=Memory(),
        selection=None,
        observation=an_observation(np.full((1, 300), 40.0), PROFILE, current=10),
        rate=40.0,
        rate_age=0.0,
        watched=3600.0,
        history_loaded=True,
        raise_only=None,
        orders=Orders(),
        held=10,
        policy=POLICY,
        blocked=blocked,
    )
    for _ in range(40):
        verdict = decide_together([sight])[0]
        memory = replace(sight.memory, scoring=verdict.scoring)
        sight = replace(sight, memory=memory, time=sight.time + PROFILE.interval)
    scoring = sight.memory.scoring
    assert scoring is not None
    assert scoring.accounts.dollars.sum() > 0
    assert (scoring.accounts.regret[0] > 0) is not blocked

"""Decisions in many small batches on all cores are those of one large batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart_policy import artifact
from headstart_policy.decision import recommend
from headstart_training import batches
from headstart_training.scenarios import draw
from headstart_training.served import observations

if TYPE_CHECKING:
    import pytest


def test_a_decision_does_not_depend_on_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = artifact.builtin()
    observation = observations(draw(np.random.default_rng(0), 5, 30, expected=True))
    monkeypatch.setattr(batches, "_ROWS", 7)
    small, whole = batches.recommend_all(policy, observation), recommend(policy, observation)
    np.testing.assert_array_equal(small.replicas, whole.replicas)
    np.testing.assert_array_equal(small.demand, whole.demand)
    assert small.outside == whole.outside

"""Decisions for very many rows: whole paths of many services at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from headstart_policy.decision import Recommendation, recommend
from headstart_training.threads import cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy
    from headstart_policy.observation import Observation

T = TypeVar("T")

# Rows of one batch: so many that threads seldom wait for each other at the interpreter's lock, and
# so few that every core has its share of a day.
_ROWS = 4000


def ask_all(ask: Callable[[Observation], T], observation: Observation) -> list[T]:
    """Call ``ask`` with batches of an observation, in order, on all cores.

    A decision does not depend on its batch, so batches may be as small as is quick.
    """

    def batch(first: int) -> T:
        return ask(observation.take(slice(first, first + _ROWS)))

    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(batch, range(0, len(observation), _ROWS)))


def recommend_all(policy: Policy, observation: Observation) -> Recommendation:
    """Ask the policy as :func:`headstart_policy.decision.recommend` does, on all cores."""
    parts = ask_all(lambda batch: recommend(policy, batch), observation)
    return Recommendation(
        candidate=[name for part in parts for name in part.candidate],
        replicas=np.concatenate([part.replicas for part in parts]),
        demand=np.concatenate([part.demand for part in parts]),
        outside=[reason for part in parts for reason in part.outside],
    )

"""Decides for many services in one call per artefact, without making one wait for another."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.accounts.scoring import Scoring, score
from headstart_operator.service import Sight, situation
from headstart_policy import envelope
from headstart_policy.decision import (
    Decision,
    Recommendation,
    decide,
    recommend,
    recommend_reactive,
    recommend_selected,
)
from headstart_policy.forecast import forecast
from headstart_policy.observation import Observation
from headstart_policy.selector import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_operator.accounts.selection import Selection
    from headstart_policy.artifact import Policy
    from headstart_policy.guardrails import Situation

# Those that are ready within so many seconds are decided together.
WINDOW = 0.01

_log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """A decision, and what it leaves behind."""

    decision: Decision
    outside: str | None
    """Which bound of the envelope was left; ``None``: none."""
    selection: Selection | None
    """What the selector knows now; ``None``: it has nothing to choose from."""
    forecast: float
    """The rate expected a lead time ahead, requests/s; NaN: nothing is known."""
    scoring: Scoring | None
    """What the decisions came to; ``None``: nothing is known of the load yet."""


def decide_together(sights: Sequence[Sight]) -> list[Verdict]:
    """Decide for services that share one artefact, in order."""
    observation = Observation.concatenate([sight.observation for sight in sights])
    policy = sights[0].policy
    left: Sequence[Selection | None] = [None] * len(sights)
    if policy is None:
        asked = recommend_reactive(observation)
        at = situation(sights, observation, asked.outside)
    elif policy.selects:
        at = situation(sights, observation, envelope.leaves(policy.envelope, observation))
        asked, left = _select(policy, sights, observation, at)
    else:
        asked = recommend(policy, observation)
        at = situation(sights, observation, asked.outside)
    scored = score(sights, observation, at)
    if any(scored.demoted):
        at = replace(at, demoted=scored.demoted)
    decisions = decide(asked, at)
    expected = forecast(observation).tolist()
    noted = scored.remember(asked, decisions, at)
    parts = zip(decisions, asked.outside, left, expected, noted, strict=True)
    return [Verdict(*part) for part in parts]


def _select(
    policy: Policy, sights: Sequence[Sight], observation: Observation, at: Situation
) -> tuple[Recommendation, list[Selection | None]]:
    """Let the selector choose, and note for each service what it knows after that."""
    before = [sight.selection for sight in sights if sight.selection is not None]
    scores = Scores.stack([selection.scores for selection in before])
    asked, scores = recommend_selected(policy, observation, at, scores)
    after = scores.split(observation.profiles.lead_steps)
    return asked, [
        # On half of a history nothing is learned: the time at which it was must not move either.
        replace(selection, scores=one) if sight.history_loaded else sight.memory.selection
        for sight, selection, one in zip(sights, before, after, strict=True)
    ]


class Batcher:
    """Collects sights for a moment and decides for all of them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Sight, asyncio.Future[Verdict]]] = []

    async def decide(self, sight: Sight) -> Verdict:
        """Decide for one service, in a batch with whoever asks at the same time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Verdict] = loop.create_future()
        self._waiting.append((sight, future))
        if len(self._waiting) == 1:
            loop.call_later(WINDOW, self._flush)
        return await future

    def _flush(self) -> None:
        batches = defaultdict(list)
        for sight, future in self._waiting:
            batches[sight.policy.digest if sight.policy else ""].append((sight, future))
        self._waiting = []
        for batch in batches.values():
            self._answer(batch)

    def _answer(self, batch: list[tuple[Sight, asyncio.Future[Verdict]]]) -> None:
        """Answer a batch; where it fails, find the one that breaks it and answer the others."""
        try:
            verdicts = decide_together([sight for sight, _ in batch])
        except Exception as error:  # noqa: BLE001 - a bug in one must not stop the others.
            if len(batch) > 1:
                _log.exception("a batch of %d failed: deciding one by one", len(batch))
                for one in batch:
                    self._answer([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for (_, future), verdict in zip(batch, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)

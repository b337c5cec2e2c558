"""Reads what an operator recorded, and decides again."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from headstart_policy import artifact, envelope
from headstart_policy.activation import Activation
from headstart_policy.behavior import Memory
from headstart_policy.decision import (
    Decision,
    decide,
    recommend,
    recommend_reactive,
    recommend_selected,
)
from headstart_policy.guardrails import Headroom, Situation
from headstart_policy.known_events import Floor
from headstart_policy.observation import recent_peak
from headstart_policy.pins import Pause
from headstart_policy.selector import Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from headstart_operator.resource import Spec
    from headstart_policy.artifact import Policy
    from headstart_policy.observation import Observation

Line = dict[str, Any]
T = TypeVar("T")


class Record:
    """The lines of one file, by their kind."""

    def __init__(self, path: Path) -> None:
        """Read a file; a last line that a killed operator did not finish is left out."""
        *lines, rest = path.read_text().split("\n")
        assert rest == "" or not rest.endswith("}")
        self.lines: list[Line] = [json.loads(line) for line in lines]
        self.artifacts: dict[str, Policy] = {
            line["digest"]: artifact.parse(base64.b64decode(line["content"]))
            for line in self.lines
            if line["kind"] == "artifact"
        }

    def of(self, policy: str, kind: str) -> list[Line]:
        """Lines of a kind about a policy, in their order."""
        return [x for x in self.lines if x["kind"] == kind and x["policy"].endswith(f"/{policy}")]


def number(value: float | None, missing: float) -> float:
    """Read a number that JSON could not hold."""
    return missing if value is None else value


def _read(kind: Callable[..., T], values: list[Any] | None) -> T | None:
    """Read a tuple that may be missing."""
    return None if values is None else kind(*values)


def replay(
    record: Record, lines: Sequence[Line], specs: Sequence[Spec], observation: Observation
) -> list[Decision]:
    """Decide again for lines that share one artefact, in one batch."""
    digest = lines[0]["artifact"]
    policy = record.artifacts[digest] if digest else None
    at = [line["situation"] for line in lines]
    outside: Sequence[str | None] = [None] * len(lines)
    if policy:
        outside = envelope.leaves(policy.envelope, observation)
    situation = Situation(
        now=np.array([line["time"] for line in lines]),
        interval=np.array([spec.interval for spec in specs]),
        current=np.array([s["held"] for s in at], dtype=np.int64),
        rate=np.array([number(s["rate"], np.nan) for s in at]),
        rate_age=np.array([number(s["rateAge"], np.inf) for s in at]),
        watched=np.array([number(s["watched"], np.inf) for s in at]),
        peak=recent_peak(observation),
        capacity=observation.profiles.capacity,
        history_loaded=np.array([s["historyLoaded"] for s in at]),
        outside=outside,
        limits=[spec.limits() for spec in specs],
        memories=[Memory.from_json(s["behavior"]) for s in at],
        raise_only=[s["raiseOnly"] for s in at],
        demoted=[s["demoted"] for s in at],
        events=[_read(Floor, s["orders"]["event"]) for s in at],
        pauses=[_read(Pause, s["orders"]["pause"]) for s in at],
        quotas=[_read(Headroom, s["orders"]["quota"]) for s in at],
        activations=[_read(Activation, s["orders"]["activation"]) for s in at],
    )
    if policy is None:
        return decide(recommend_reactive(observation), situation)
    if not policy.selects:
        return decide(recommend(policy, observation), situation)
    scores = Scores.stack([Scores.from_json(line["scores"]) for line in lines])
    return decide(recommend_selected(policy, observation, situation, scores)[0], situation)

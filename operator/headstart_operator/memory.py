"""What a restarted operator needs to know of a policy and Prometheus cannot tell it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headstart_operator.accounts.scoring import Scoring
from headstart_operator.accounts.selection import Selection
from headstart_operator.rivals.contest import Contest
from headstart_operator.rivals.originals import Original
from headstart_operator.sources.plausibility import Vanished
from headstart_operator.workloads.lead_times import LeadTimes
from headstart_policy.behavior import Memory as BehaviorMemory
from headstart_policy.known_events import Level

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1
# As in the CRD; many times what there ever is.
MOST_TEXT = 262_144
DEEPEST = 8
MOST_ITEMS = 4096
# Beyond this a float does not count by ones.
MOST_NUMBER = 2.0**53
_NOT_OURS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Memory:
    """``status.memory``: bounded, versioned, and no interface."""

    lead_times: LeadTimes = field(default_factory=LeadTimes)
    contest: Contest = field(default_factory=Contest)
    behavior: BehaviorMemory = field(default_factory=BehaviorMemory)
    selection: Selection | None = None
    original: Original | None = None
    scoring: Scoring | None = None
    vanished: Vanished | None = None
    levels: Mapping[str, Level] = field(default_factory=dict)
    """The load when known events began, by their names."""
    busy: float | None = None
    """Since when a service that may sleep is idle, s since the epoch."""

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return {
            "version": VERSION,
            "leadTimes": self.lead_times.to_json(),
            "contest": self.contest.to_json(),
            "behavior": self.behavior.to_json(),
            "scores": self.selection.to_json() if self.selection else None,
            "original": self.original.to_json() if self.original else None,
            "accounts": self.scoring.to_json() if self.scoring else None,
            "vanished": list(self.vanished) if self.vanished else None,
            "levels": {name: list(level) for name, level in self.levels.items()} or None,
            "busy": self.busy,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> Memory:
        """Read what :meth:`to_json` wrote; start afresh from anything else.

        Raises nothing: a status that was edited by hand must not stop the operator.
        """
        try:
            document = _unpacked(document)
            if document.get("version") != VERSION:
                return cls()
            return cls(
                LeadTimes.from_json(document["leadTimes"]),
                Contest.from_json(document["contest"]),
                BehaviorMemory.from_json(document["behavior"]),
                # Those of other candidates must not take the rest with them.
                Selection.from_json(document.get("scores")),
                original=Original.from_json(document.get("original")),
                scoring=Scoring.from_json(document.get("accounts")),
                vanished=Vanished.from_json(document.get("vanished")),
                levels=_levels(document.get("levels")),
                busy=None if (busy := document.get("busy")) is None else float(busy),
            )
        except _NOT_OURS:
            return cls()


def packed(status: Mapping[str, Any]) -> dict[str, Any]:
    """Write a status with its memory as text, as the API server keeps it.

    Its shape is nobody's business, and a merge of objects would never forget a key.
    """
    memory = status["memory"]
    text = json.dumps(memory, separators=(",", ":"))
    return {**status, "memory": {"version": memory["version"], "text": text}}


def _unpacked(document: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Read the text, or take what was never packed.

    Raises
    ------
    AttributeError, RecursionError, TypeError, ValueError
        It is no JSON, or too large, too deep, or has numbers that nothing can be counted with.
    """
    memory: Any = document or {}
    if "text" in memory:
        if len(memory["text"]) > MOST_TEXT:
            raise ValueError(f"memory has {len(memory['text'])} characters, at most {MOST_TEXT}")
        memory = json.loads(memory["text"])
    _check(memory, DEEPEST)
    if not isinstance(memory, dict):
        raise TypeError("memory is no object")
    return memory


def _check(value: object, deepest: int) -> None:
    if deepest == 0:
        raise ValueError("memory is too deep")
    if isinstance(value, dict | list | str) and len(value) > MOST_ITEMS:
        raise ValueError(f"memory has {len(value)} items in one place, at most {MOST_ITEMS}")
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            _check(child, deepest - 1)
    elif isinstance(value, int | float) and not abs(value) <= MOST_NUMBER:
        raise ValueError(f"memory has the number {value}, at most {MOST_NUMBER:g}")


def _levels(document: Mapping[str, Any] | None) -> dict[str, Level]:
    return {
        str(name): Level(float(until), float(rate))
        for name, (until, rate) in (document or {}).items()
    }

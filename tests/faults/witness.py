"""What the API server's audit log tells: who held the lease when, and who scaled what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.cluster import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

# One line a request that scales or elects, when it has ended.
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "Request",
            "verbs": ["patch", "update"],
            "resources": [{"group": "apps", "resources": ["deployments/scale"]}],
        },
        {
            "level": "Request",
            "verbs": ["create", "update"],
            "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
        },
        {"level": "None"},
    ],
}
_OK = 300


@dataclass(frozen=True)
class Scaling:
    """A request to set replicas, carried out or refused.

    Attributes
    ----------
    time
        When the API server received it, s since the epoch.
    who
        The replica that sent it.
    target
        Name of the Deployment.
    before, after
        Replicas that it was decided for, and those asked for.
    done
        Whether it was carried out.
    """

    time: float
    who: str
    target: str
    before: int
    after: int
    done: bool


@dataclass(frozen=True)
class Tenure:
    """Someone took or renewed the lease at ``time``; nobody: it was handed back."""

    time: float
    holder: str


@dataclass(frozen=True)
class Evidence:
    """All that happened between two moments."""

    scalings: Sequence[Scaling]
    tenures: Sequence[Tenure]

    @classmethod
    def read(cls, log: Path, namespace: str) -> Evidence:
        """Read the whole log."""
        scalings, tenures = [], []
        for event in _events(log):
            reference = event["objectRef"]
            if reference.get("namespace") != namespace:
                continue
            if reference["resource"] == "leases":
                if event["responseStatus"]["code"] < _OK:
                    holder = event["requestObject"]["spec"].get("holderIdentity", "")
                    tenures.append(Tenure(_time(event["stageTimestamp"]), holder))
            elif "requestObject" in event:
                scalings.append(_scaling(event))
            elif event["responseStatus"]["code"] < _OK:
                raise ClusterError(f"the audit log does not say what was carried out: {event}")
            # Else the API server gave the request up before it had read what it asks for.
        return cls(sorted(scalings, key=_when), sorted(tenures, key=_when))

    def holder(self, time: float) -> str:
        """Name who held the lease at a time."""
        held = [tenure.holder for tenure in self.tenures if tenure.time <= time]
        return held[-1].partition("_")[0] if held else ""

    def wrong(self, since: float, most: int) -> list[str]:
        """Say what was set wrongly since a time, when no load has fallen.

        Lowered; raised above what the highest rate needs; asked for by one that did not lead, even
        where it was refused.
        """
        found = []
        for s in self.scalings:
            if s.time < since:
                continue
            what = f"{s.who} {s.target} {s.before} -> {s.after}"
            if self.holder(s.time) != s.who:
                found.append(f"{what}, while {self.holder(s.time) or 'nobody'} leads")
            elif s.done and s.after < s.before:
                found.append(f"{what}: lowered")
            elif s.done and s.after > most:
                found.append(f"{what}: above {most}")
        return found


def _when(happened: Scaling | Tenure) -> float:
    return happened.time


def _events(log: Path) -> Iterator[dict[str, Any]]:
    with log.open() as file:
        for line in file:
            # The last line may be half written.
            if line.endswith("\n"):
                yield json.loads(line)


def _scaling(event: Mapping[str, Any]) -> Scaling:
    changes = {change["op"]: change for change in event["requestObject"]}
    before = changes["test"]["value"]
    return Scaling(
        time=_time(event["requestReceivedTimestamp"]),
        who=event["userAgent"],
        target=event["objectRef"]["name"],
        before=0 if before == {} else int(before),
        after=int(changes["add"]["value"]),
        done=event["responseStatus"]["code"] < _OK,
    )


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()

"""Kubernetes events about a policy. Building is pure; sending blocks: call it from a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.status import format_time

if TYPE_CHECKING:
    from headstart_operator.kube import Api, Document

COMPONENT = "headstart"
NORMAL = "Normal"
WARNING = "Warning"
# The API server refuses longer ones.
LONGEST_MESSAGE = 1024
# A condition that flaps tells its story once in so many seconds.
QUIET = 300.0


class Subject(NamedTuple):
    """The policy that an event is about."""

    namespace: str
    name: str
    uid: str


class Throttle:
    """Lets the same reason pass once in :data:`QUIET` seconds."""

    def __init__(self) -> None:
        self._passed: dict[str, float] = {}

    def passes(self, reason: str, now: float) -> bool:
        """Whether an event with ``reason`` may be sent now."""
        if now - self._passed.get(reason, -QUIET) < QUIET:
            return False
        self._passed[reason] = now
        return True


def build(
    subject: Subject, kind: str, reason: str, message: str, now: float, host: str
) -> Document:
    """Write an event of core/v1; ``host`` is the operator's pod."""
    time = format_time(now)
    if len(message) > LONGEST_MESSAGE:
        message = message[: LONGEST_MESSAGE - 3] + "..."
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{subject.name[:200]}.", "namespace": subject.namespace},
        "involvedObject": {
            "apiVersion": "headstart.dev/v1alpha1",
            "kind": "ScalingPolicy",
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "source": {"component": COMPONENT, "host": host},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def send(api: Api, event: Document) -> None:
    """Send an event.

    Raises
    ------
    ApiError
        Refused, or the API server is away.
    """
    api.post(f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)

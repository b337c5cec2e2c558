"""Kubernetes events about a policy. Building is pure; sending blocks: call it from a thread.

What happens again is one event that counts, as client-go's recorder does it, and not a new one
(https://github.com/kubernetes/client-go/blob/master/tools/record/events_cache.go).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.kube import MERGE_PATCH, ApiError
from headstart_operator.reporting.status import format_time

if TYPE_CHECKING:
    from headstart_operator.kube import Api, Document

COMPONENT = "headstart"
NORMAL = "Normal"
WARNING = "Warning"
# The API server refuses longer ones.
LONGEST_MESSAGE = 1024
# A condition that flaps is counted each time, and told once in so many seconds.
QUIET = 300.0
# The API server forgets events after an hour: what happens again then is a new one.
FORGOTTEN = 3600.0
# Different things of one policy that are kept in mind.
MOST = 64


class Subject(NamedTuple):
    """The policy that an event is about."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True)
class _Told:
    """What was told of something that may happen again; times in s since the epoch."""

    name: str
    first: float
    sent: float
    count: int


class Chronicle:
    """What has happened to one policy, so that the same thing is told once and counted."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._told: dict[tuple[str, str, str], _Told] = {}

    def tell(
        self, kind: str, reason: str, message: str, now: float, host: str, same: str = ""
    ) -> Document | None:
        """Write an event of core/v1; ``None``: it was told a moment ago, and is counted.

        Parameters
        ----------
        kind, reason, message
            ``Normal`` or ``Warning``; in one word; in a sentence.
        now
            Seconds since the epoch.
        host
            The operator's pod.
        same
            What makes it the same as another one, beside kind and reason.
        """
        key = (kind, reason, same)
        told = self._told.pop(key, None)
        if told is None or now - told.sent >= FORGOTTEN:
            # The names of client-go: unique without asking the API server.
            told = _Told(f"{self._subject.name[:200]}.{int(now * 1e9):x}", now, now, 0)
        told = replace(told, count=told.count + 1)
        again = told.count > 1 and now - told.sent < QUIET
        self._told[key] = told if again else replace(told, sent=now)
        while len(self._told) > MOST:
            del self._told[next(iter(self._told))]
        return None if again else self._event(told, kind, reason, message, now, host)

    def _event(
        self, told: _Told, kind: str, reason: str, message: str, now: float, host: str
    ) -> Document:
        subject = self._subject
        if len(message) > LONGEST_MESSAGE:
            message = message[: LONGEST_MESSAGE - 3] + "..."
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": told.name, "namespace": subject.namespace},
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
            "firstTimestamp": format_time(told.first),
            "lastTimestamp": format_time(now),
            "count": told.count,
        }


def send(api: Api, event: Document) -> None:
    """Send an event, or raise the count of the one that it repeats.

    Raises
    ------
    ApiError
        Refused, or the API server is away.
    """
    path = f"/api/v1/namespaces/{event['metadata']['namespace']}/events"
    if event["count"] > 1:
        news = {key: event[key] for key in ("count", "lastTimestamp", "message")}
        try:
            api.patch(f"{path}/{event['metadata']['name']}", news, MERGE_PATCH)
        except ApiError as error:
            # Someone deleted it, or its first telling never arrived.
            if error.status != HTTPStatus.NOT_FOUND:
                raise
        else:
            return
    api.post(path, event)

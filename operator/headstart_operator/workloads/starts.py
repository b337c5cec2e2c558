"""Starts of pods: how long each took, in stages, and which were cancelled."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.workloads.pods import UNSCHEDULABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_operator.workloads.pods import Pod


class Start(NamedTuple):
    """One start; durations in seconds, as whole as pods' timestamps are.

    Attributes
    ----------
    template
        Hash of the pod template, empty where the workload's kind has none.
    created
        When, s since the epoch.
    seconds
        From creation to Ready; of a cancelled one, how old it became.
    scheduling
        From creation until a node was found.
    starting
        From there until all containers ran: volumes, images, init containers.
    cancelled
        Deleted before it was ready: it would have taken longer than ``seconds``.
    """

    template: str
    created: float
    seconds: float
    scheduling: float = 0.0
    starting: float = 0.0
    cancelled: bool = False

    @property
    def readiness(self) -> float:
        """From running to Ready: what the application itself takes."""
        return self.seconds - self.scheduling - self.starting


class _Waiting(NamedTuple):
    pod: Pod
    seen: float
    broken: bool
    """Whether a person had to mend it."""


@dataclass
class Stopwatch:
    """Measures starts: from a pod's creation to the first time that it is ready.

    Only of pods created since it looks: an older pod's Ready condition may tell of a restart. A
    start that a missing image, a missing Secret or a crash held up says when someone mended it, and
    is left out; one that waited for a node is a start like any other, since where a cluster
    autoscaler adds nodes that is how the workload starts.
    """

    since: float
    _done: set[str] = field(default_factory=set)
    _waiting: dict[str, _Waiting] = field(default_factory=dict)

    def measure(self, pods: Sequence[Pod], now: float) -> list[Start]:
        """Return the starts that have ended since the last look.

        Parameters
        ----------
        pods
            Those of the workload that live, without those that are being deleted.
        now
            Seconds since the epoch.
        """
        # Timestamps are whole seconds: a pod of the second in which we began came after us, or is
        # as good as new.
        since = math.floor(self.since)
        young = [pod for pod in pods if pod.created >= since and pod.uid not in self._done]
        fresh = [pod for pod in young if pod.ready_since is not None]
        alive = {pod.uid for pod in pods}
        gone = [waiting for uid, waiting in self._waiting.items() if uid not in alive]
        broken = {uid for uid, waiting in self._waiting.items() if waiting.broken}
        self._done = alive & (self._done | {pod.uid for pod in fresh})
        self._waiting = {
            pod.uid: _Waiting(pod, now, pod.uid in broken or _broken(pod))
            for pod in young
            if pod.ready_since is None
        }
        ended = [_ended(pod) for pod in fresh if pod.uid not in broken]
        # A pod that found no node until it was deleted tells of a full cluster, not of its start.
        cancelled = [_cancelled(pod, seen) for pod, seen, bad in gone if not bad and not pod.stuck]
        return [*ended, *cancelled]


def _broken(pod: Pod) -> bool:
    return pod.stuck is not None and pod.stuck != UNSCHEDULABLE


def _ended(pod: Pod) -> Start:
    ready = max(pod.created, pod.ready_since or pod.created)
    # Clocks of nodes differ, and a container that was restarted tells of its last start.
    scheduled = min(max(pod.created, pod.scheduled or pod.created), ready)
    running = min(max(scheduled, pod.running_since or scheduled), ready)
    return Start(
        pod.template,
        pod.created,
        ready - pod.created,
        scheduled - pod.created,
        running - scheduled,
    )


def _cancelled(pod: Pod, seen: float) -> Start:
    return Start(pod.template, pod.created, max(0.0, seen - pod.created), cancelled=True)

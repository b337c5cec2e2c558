"""The slow truth: one object per pod and per node, as Kubernetes keeps them.

What :mod:`headstart_training.fleet` counts in columns is looked at pod by pod here: the order in
which a ReplicaSet deletes, one lead time per pod, seats on nodes, a StatefulSet that starts one
pod after the other, and clients that come back. The fast physics are tested against it where they
are exact, and measured against it where they are an approximation (`headstart bench physics`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from headstart_training.frictions import NO_LIMIT

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints
    from headstart_training.simulator import World

# Share of a lead time after which the containers of a pod run, and it is no longer pending.
_RUNNING = 0.5


@dataclass(eq=False)
class Node:
    """A machine that is there from step ``due`` on, with room for so many pods."""

    due: int
    seats: int
    pods: list[Pod] = field(default_factory=list)


@dataclass(eq=False)
class Pod:
    """Asked for in step ``created``; serves ``lead`` steps after it got its seat."""

    created: int
    uid: float
    """Random, as a UID is."""
    seated: int | None = None
    lead: int = 0
    node: Node | None = None

    @property
    def due(self) -> float:
        """Step from which on it serves; infinite without a node."""
        return math.inf if self.seated is None else self.seated + self.lead

    def serves(self, t: int) -> bool:
        """Whether it serves in step t."""
        return self.due <= t


# Orders pods for deletion before step t, of so many seconds: the lowest goes first.
Ranking: TypeAlias = Callable[[Pod, int, float], tuple[float, ...]]
# Lead times, in steps, of so many pods that get their seats in step t.
Leads: TypeAlias = Callable[[int, int], Iterable[int]]


def furthest_first(pod: Pod, t: int, interval: float) -> tuple[float, ...]:  # noqa: ARG001
    """Delete those that are furthest from serving: with one lead time, the youngest.

    This is what the fast physics take for granted.
    """
    return (-pod.due if pod.due > t - 1 else math.inf, -pod.created)


def as_kubernetes(pod: Pod, t: int, interval: float) -> tuple[float, ...]:
    """Delete as a ReplicaSet does: unassigned, pending, not ready, crowded, young, at random.

    Ages are told apart by the power of two that they lie in, so of two pods that have been warming
    for 70 s and 130 s either may go. Deletion costs and restarts are left out.

    Source: ``ActivePodsWithRanks.Less`` in
    https://github.com/kubernetes/kubernetes/blob/v1.36.3/pkg/controller/controller_utils.go
    """
    ready = pod.serves(t - 1)
    running = pod.seated is not None and t - pod.seated >= _RUNNING * pod.lead
    neighbours = 0 if pod.node is None else len(pod.node.pods)
    age = t - (pod.due if ready else pod.created)
    magnitude = int(math.log2(age * interval * 1e9)) if age > 0 else -1
    return (pod.seated is not None, running, ready, -neighbours, magnitude, pod.uid)


class Controller(Protocol):
    """Keeps pods as a decision wants them."""

    pods: list[Pod]

    def step(self, t: int, desired: int) -> tuple[int, int]:
        """Carry out a decision and return the pods asked for and those that serve in step t."""


class ReplicaSet:
    """One service's pods, the first of which serve before step 0, and the nodes they sit on.

    Parameters
    ----------
    initial
        Pods to begin with.
    leads
        Lead times of pods by the step in which they get a seat.
    ranking
        Who is deleted first.
    interval
        Length of a step [s].
    rng
        Draws the UIDs.
    most_up, most_down, per_node, node_steps
        As in :class:`headstart_training.frictions.Frictions`, of one service.
    """

    def __init__(
        self,
        initial: int,
        leads: Leads,
        *,
        ranking: Ranking = furthest_first,
        interval: float = 60.0,
        rng: np.random.Generator | None = None,
        most_up: int = NO_LIMIT,
        most_down: int = NO_LIMIT,
        per_node: int = 0,
        node_steps: int = 0,
    ) -> None:
        self._leads, self._ranking, self._interval = leads, ranking, interval
        self._rng = rng or np.random.default_rng(0)
        self._most_up, self._most_down = most_up, most_down
        self._per_node, self._node_steps = per_node, node_steps
        self.nodes: list[Node] = []
        self.pods = [self._new_pod(_EARLIER) for _ in range(initial)]
        self._order_nodes(_EARLIER, initial)
        for pod in self.pods:
            self._seat(pod, _EARLIER, 0)

    def step(self, t: int, desired: int) -> tuple[int, int]:
        """Carry out a decision and return the pods asked for and those that serve in step t."""
        count = len(self.pods)
        asked = min(max(desired, count - self._most_down, 0), count + self._most_up)
        # Of equals the newest first, so that nodes empty one after the other.
        newest = self.pods[::-1]
        in_order = sorted(newest, key=lambda pod: self._ranking(pod, t, self._interval))
        for pod in in_order[: max(count - asked, 0)]:
            self._delete(pod)
        self.pods += [self._new_pod(t) for _ in range(asked - len(self.pods))]
        self._order_nodes(t, asked)
        waiting = [pod for pod in self.pods if pod.seated is None][: self._free_seats(t)]
        for pod, lead in zip(waiting, self._leads(len(waiting), t), strict=True):
            self._seat(pod, t, lead)
        return asked, sum(pod.serves(t) for pod in self.pods)

    def _new_pod(self, t: int) -> Pod:
        return Pod(created=t, uid=self._rng.random())

    def _delete(self, pod: Pod) -> None:
        self.pods.remove(pod)
        if pod.node is not None:
            pod.node.pods.remove(pod)

    def _order_nodes(self, t: int, asked: int) -> None:
        """Have as many nodes as the pods need; empty ones leave, those not there yet first."""
        if self._per_node == 0:
            return
        wanted = math.ceil(asked / self._per_node)
        wait = self._node_steps if t > _EARLIER else 0
        self.nodes += [Node(t + wait, self._per_node) for _ in range(wanted - len(self.nodes))]
        for node in sorted(self.nodes, key=lambda node: -node.due):
            if len(self.nodes) > wanted and not node.pods:
                self.nodes.remove(node)

    def _free_seats(self, t: int) -> int:
        if self._per_node == 0:
            return len(self.pods)
        return sum(node.seats - len(node.pods) for node in self.nodes if node.due <= t)

    def _seat(self, pod: Pod, t: int, lead: int) -> None:
        pod.seated, pod.lead = t, lead
        if self._per_node:
            free = (n for n in self.nodes if n.due <= t and len(n.pods) < n.seats)
            pod.node = next(free)
            pod.node.pods.append(pod)


class StatefulSet:
    """Pods with ordinals: one starts when all before it serve, and the highest leaves first.

    Source: ``podManagementPolicy: OrderedReady``,
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
    """

    def __init__(self, initial: int, leads: Leads) -> None:
        self._leads = leads
        self.pods = [Pod(_EARLIER, 0.0, seated=_EARLIER) for _ in range(initial)]

    def step(self, t: int, desired: int) -> tuple[int, int]:
        """Carry out a decision and return the pods that exist and those that serve in step t."""
        del self.pods[max(desired, 0) :]
        if len(self.pods) < desired and all(pod.serves(t) for pod in self.pods):
            (lead,) = self._leads(1, t)
            self.pods.append(Pod(t, 0.0, seated=t, lead=lead))
        return len(self.pods), sum(pod.serves(t) for pod in self.pods)


# Long before the first step.
_EARLIER = -1_000_000


def stratified(arrivals: Floats, luck: Floats) -> Leads:
    """Lead times as the fast physics draw them: quantiles as far apart as can be.

    Parameters
    ----------
    arrivals
        Share of lead times of at most k steps, shape (W,).
    luck
        Uniform draws of each step, shape (T,).
    """

    def leads(count: int, t: int) -> list[int]:
        ready = np.floor(count * arrivals + luck[t]).astype(np.int64)
        return [int(np.argmax(ready > pod)) for pod in range(count)]

    return leads


def independent(rng: np.random.Generator, arrivals: Floats) -> Leads:
    """Lead times that know nothing of each other; ``arrivals`` as of :func:`stratified`."""

    def leads(count: int, t: int) -> list[int]:  # noqa: ARG001
        return [int(lead) for lead in np.searchsorted(arrivals, rng.random(count))]

    return leads


def replay(world: World, desired: Ints, make: Callable[[int], Controller]) -> tuple[Ints, Ints]:
    """Carry out paths of desired replicas pod by pod: what exists and what serves, (N, T).

    Parameters
    ----------
    world
        Of N services.
    desired
        Shape (N, T).
    make
        Makes the controller of the service with an index.
    """
    asked, ready = np.empty_like(desired), np.empty_like(desired)
    for i in range(len(world.rates)):
        controller = make(i)
        for t, wanted in enumerate(desired[i].tolist()):
            asked[i, t], ready[i, t] = controller.step(t, wanted)
    return asked, ready


def with_retries(rates: Floats, capacity: Floats, share: float) -> Floats:
    """Load where a share of what was not served in a step comes again in the next, shape (N, T).

    Here the load is no longer exogenous: it depends on the ``capacity`` that was there, requests/s,
    shape (N, T).
    """
    load, again = np.empty_like(rates), np.zeros(len(rates))
    for t in range(rates.shape[1]):
        load[:, t] = rates[:, t] + again
        again = share * np.maximum(load[:, t] - capacity[:, t], 0.0)
    return load

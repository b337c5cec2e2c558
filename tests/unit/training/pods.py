"""The slow truth: one object per pod, to hold the vectorised pipeline against."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Pod:
    """Asked for in step ``asked``; serves from step ``due`` on."""

    asked: int
    due: int


@dataclass
class ReplicaSet:
    """One service's pods; the first ones are ready before step 0."""

    initial: int
    lead: int
    pods: list[Pod] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with ready pods."""
        self.pods = [Pod(asked=-1_000_000, due=-1_000_000) for _ in range(self.initial)]

    def step(self, t: int, desired: int) -> tuple[int, int]:
        """Carry out a decision and return the ready and the existing pods during step t."""
        while len(self.pods) > desired:
            # Not-ready pods go first, the youngest of them before the others; then ready ones.
            self.pods.remove(max(self.pods, key=lambda pod: (pod.due > t - 1, pod.asked)))
        self.pods += [Pod(asked=t, due=t + self.lead) for _ in range(desired - len(self.pods))]
        return sum(pod.due <= t for pod in self.pods), len(self.pods)

    def remaining(self, t: int) -> list[float]:
        """Shares of the lead time that the warming pods have left before step t."""
        return [(pod.due - t) / self.lead for pod in self.pods if pod.due > t - 1]

"""Someone else sets the replicas too: notice it, and do not pull the rope."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

# How long a change by someone else is respected: the load may raise the replicas, nothing lowers
# them. In lead times, because that is how long the other side needs to see what its change does.
QUIET_LEAD_TIMES = 2.0
# Someone who comes back so often within so many lead times is no accident but a second controller.
STUBBORN = 3
STUBBORN_LEAD_TIMES = 24.0


@dataclass(frozen=True)
class Contest:
    """What of the replicas was set by whom.

    Attributes
    ----------
    uid
        The workload's; one that was re-created is another.
    expected
        The replicas that we set or accepted; ``None``: we have not seen the workload yet.
    times
        When others changed them, s since the epoch, at most :data:`STUBBORN`.
    message
        Who did, last.
    """

    uid: str = ""
    expected: int | None = None
    times: tuple[float, ...] = ()
    message: str = ""

    def differs(self, uid: str, replicas: int) -> bool:
        """Whether ``replicas`` are not what we left behind."""
        return self.uid == uid and self.expected is not None and replicas != self.expected

    def accept(self, uid: str, replicas: int) -> Contest:
        """Take the replicas for ours; a re-created workload starts with no past."""
        if uid != self.uid:
            return Contest(uid, replicas)
        return replace(self, expected=replicas)

    def contested_by(self, who: str, now: float, replicas: int) -> Contest:
        """Note that someone changed the replicas, and accept them."""
        message = f"{who} set {replicas} replicas where Headstart had left {self.expected}"
        times = (*self.times, now)[-STUBBORN:]
        return replace(self, expected=replicas, times=times, message=message)

    def until(self, lead_time: float) -> float:
        """When the last change by someone else ceases to count, s since the epoch."""
        if not self.times:
            return 0.0
        often = len(self.times) == STUBBORN
        stubborn = often and self.times[-1] - self.times[0] < STUBBORN_LEAD_TIMES * lead_time
        quiet = STUBBORN_LEAD_TIMES if stubborn else QUIET_LEAD_TIMES
        return self.times[-1] + quiet * lead_time

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return {
            "uid": self.uid,
            "expected": self.expected,
            "times": list(self.times),
            "message": self.message,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Contest:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError, TypeError
            The document is none of ours.
        """
        expected = document.get("expected")
        return cls(
            uid=str(document.get("uid", "")),
            expected=None if expected is None else int(expected),
            times=tuple(float(time) for time in document.get("times", ()))[-STUBBORN:],
            message=str(document.get("message", "")),
        )

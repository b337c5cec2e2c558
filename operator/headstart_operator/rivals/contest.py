"""Someone else sets the replicas too: notice it, and do not pull the rope."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from headstart_operator.rivals.autoscalers import HPA, SCALED_OBJECT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headstart_operator.rivals.autoscalers import Autoscaler, Found

# How long a change by someone else is respected: the load may raise the replicas, nothing lowers
# them. In lead times, because that is how long the other side needs to see what its change does.
QUIET_LEAD_TIMES = 2.0
# Someone who comes back so often within so many lead times is no accident but a second controller.
STUBBORN = 3
STUBBORN_LEAD_TIMES = 24.0


CHANGED, POLICY, UNREADABLE = "ChangedByAnother", "ScalingPolicy", "AutoscalersUnreadable"


class Stand(NamedTuple):
    """How Headstart stands to someone else who scales the workload; it never lowers it then."""

    reason: str
    message: str
    hands_off: bool = False
    """Whether it must not raise it either, because that would be undone or done twice."""
    certain: bool = True
    """Whether there is someone for sure."""

    @property
    def brief(self) -> str:
        """Who it is, without what to do about it."""
        return self.message.partition(";")[0]


def autoscaler(found: Found, least: int, most: int) -> Stand | None:
    """Give way to an HPA or a ScaledObject, for a policy in mode Auto.

    An HPA that may scale in neither direction still enforces its bounds. It is no rival where the
    policy keeps within them.

    Parameters
    ----------
    found
        The workload's autoscalers.
    least, most
        The policy's bounds, replicas.
    """
    acting = found.acting or next(
        (a for a in found.autoscalers if a.kind == HPA and (a.least > least or a.most < most)), None
    )
    if acting is None:
        if found.problem is None:
            return None
        return Stand(UNREADABLE, f"{found.problem}; until then replicas only grow", certain=False)
    if acting.kind == SCALED_OBJECT or acting.scaled_object:
        name = acting.scaled_object or acting.name
        return Stand(
            SCALED_OBJECT,
            f"ScaledObject/{name} scales this workload: Headstart leaves it alone. Pause the "
            f'ScaledObject (annotation autoscaling.keda.sh/paused: "true") or delete it, or use '
            f"mode Observe",
            hands_off=True,
        )
    return Stand(HPA, _beside(acting, least, most), hands_off=True)


def _beside(hpa: Autoscaler, least: int, most: int) -> str:
    if hpa.asleep:
        return (
            f"{hpa} is asleep but enforces its bounds, {hpa.least} to {hpa.most} replicas: "
            f"Headstart leaves the workload alone. Set minReplicas = {least} and maxReplicas = "
            f"{most} in it, or delete it"
        )
    return (
        f"{hpa} scales this workload: Headstart leaves it alone. Use mode Assist to raise the "
        f"HPA's minReplicas ahead of the load, or delete the HPA (the replicas stay as they are); "
        f"headstart init --from-hpa {hpa.target.namespace}/{hpa.name} prints the steps"
    )


def other_policy(name: str, *, older: bool) -> Stand:
    """Stand beside another ScalingPolicy of the same workload: the older one acts."""
    if older:
        message = (
            f"ScalingPolicy {name} scales this workload already, and is older: delete one of them"
        )
    else:
        message = (
            f"ScalingPolicy {name}, which is younger, is to scale this workload too: until one of "
            f"them is deleted, replicas only grow"
        )
    return Stand(POLICY, message, hands_off=older)


def strictest(stands: Iterable[Stand | None]) -> Stand | None:
    """Choose the stand that allows least; of equals, the first."""
    return max(
        filter(None, stands), key=lambda stand: (stand.hands_off, stand.certain), default=None
    )


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
    advice
        What would end it; empty: nobody knows.
    """

    uid: str = ""
    expected: int | None = None
    times: tuple[float, ...] = ()
    message: str = ""
    advice: str = ""

    def differs(self, uid: str, replicas: int) -> bool:
        """Whether ``replicas`` are not what we left behind."""
        return self.uid == uid and self.expected is not None and replicas != self.expected

    def accept(self, uid: str, replicas: int) -> Contest:
        """Take the replicas for ours; a re-created workload starts with no past."""
        if uid != self.uid:
            return Contest(uid, replicas)
        return replace(self, expected=replicas)

    def contested_by(self, who: str, now: float, replicas: int, advice: str = "") -> Contest:
        """Note that someone changed the replicas, and accept them."""
        message = f"{who} set {replicas} replicas where Headstart had left {self.expected}"
        noted = self._noted(message, now, advice)
        return replace(noted, expected=replicas)

    def floor_contested_by(
        self, who: str, now: float, change: tuple[int, int], advice: str = ""
    ) -> Contest:
        """Note that someone changed an HPA's minReplicas from one number to another."""
        left, found = change
        message = f"{who} set minReplicas = {found} where Headstart had left {left}"
        return self._noted(message, now, advice)

    def _noted(self, message: str, now: float, advice: str) -> Contest:
        times = (*self.times, now)[-STUBBORN:]
        return replace(self, times=times, message=message, advice=advice)

    def clamped(self, now: float) -> Contest:
        """Take what lies ahead for what has just been: the clock has been set back since.

        Or the leader before had a clock that was fast: it is not forgotten.
        """
        return replace(self, times=tuple(min(time, now) for time in self.times))

    def until(self, lead_time: float) -> float:
        """When the last change by someone else ceases to count, s since the epoch."""
        if not self.times:
            return 0.0
        quiet = STUBBORN_LEAD_TIMES if self.stubborn(lead_time) else QUIET_LEAD_TIMES
        return self.times[-1] + quiet * lead_time

    def stubborn(self, lead_time: float) -> bool:
        """Whether it is a second controller, which would undo what Headstart does."""
        often = len(self.times) == STUBBORN
        return often and self.times[-1] - self.times[0] < STUBBORN_LEAD_TIMES * lead_time

    def stand(self, lead_time: float, now: float) -> Stand | None:
        """Say who sets the replicas too; ``None`` where nobody does or it rests.

        Once is a person, whose number is not undercut while they watch what it does. Who comes
        back is left alone altogether: raising what a GitOps tool takes back within seconds starts
        pods for nothing, and stops them again, for as long as both go on.
        """
        if now >= self.until(lead_time):
            return None
        again = self.stubborn(lead_time)
        if again:
            rest = (
                f"{STUBBORN} times now: Headstart leaves the workload alone until it has rested "
                f"for {STUBBORN_LEAD_TIMES:g} lead times, or the policy's spec is changed"
            )
        else:
            rest = "until it rests, replicas only grow"
        told = f"{self.message}; {rest}"
        return Stand(CHANGED, f"{told}. {self.advice}" if self.advice else told, hands_off=again)

    def rest(self) -> Contest:
        """Forget who came back: whoever changes the policy has had a look."""
        return replace(self, times=(), message="", advice="")

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return {
            "uid": self.uid,
            "expected": self.expected,
            "times": list(self.times),
            "message": self.message,
            "advice": self.advice,
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
            advice=str(document.get("advice", "")),
        )

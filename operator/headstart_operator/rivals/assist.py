"""Mode Assist: raise an HPA's minReplicas ahead of the load, with an expiry written beside it.

Kubernetes has no field that expires. So the floor that was raised carries a note, an annotation on
the HPA: what its owner's ``minReplicas`` is, and until when the raised one is good. A living
operator prolongs it; whoever finds it expired (another operator, ``headstart assist-reset`` in a
CronJob, a person) puts the owner's number back. Nothing is lost if nobody does: the HPA goes on
scaling, from a floor that costs money and breaks nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.kube import JSON_PATCH, Api, ApiError
from headstart_operator.reporting.status import format_time, parse_time
from headstart_operator.rivals.autoscalers import HPA, parse_hpa

if TYPE_CHECKING:
    from headstart_operator.kube import Document
    from headstart_operator.rivals.autoscalers import Autoscaler, Found

ANNOTATION = "headstart.dev/assist"
# A raised floor is good for so long, s, and is prolonged when half of that has passed: an operator
# that is restarted, or upgraded, is back before it ends.
LEASE = 300.0


class HpaChangedError(Exception):
    """Someone changed the HPA between our reading and our writing."""


class HpaError(Exception):
    """The HPA cannot be written."""


@dataclass(frozen=True)
class Note:
    """What is written beside a floor that was raised.

    Attributes
    ----------
    owners
        ``minReplicas`` as its owner set it.
    raised
        As Headstart set it.
    until
        The floor is good until then, s since the epoch.
    policy
        The ScalingPolicy that raised it, in the HPA's namespace.
    """

    owners: int
    raised: int
    until: float
    policy: str

    def __str__(self) -> str:
        """Write it as the annotation's value."""
        return json.dumps(
            {
                "minReplicas": self.owners,
                "raisedTo": self.raised,
                "until": format_time(self.until),
                "policy": self.policy,
            }
        )


class Step(NamedTuple):
    """What to write to an HPA: its floor, and the note beside it (``None``: none)."""

    least: int
    note: Note | None


class Care(Enum):
    """What becomes of a raised floor."""

    KEEP = "keep"
    PROLONG = "prolong"
    RESTORE = "restore"


def read(hpa: Autoscaler) -> Note | None:
    """Read the note beside an HPA's floor; ``None``: there is none that anybody can read."""
    try:
        document = json.loads((hpa.annotations or {})[ANNOTATION])
        return Note(
            owners=int(document["minReplicas"]),
            raised=int(document["raisedTo"]),
            until=parse_time(document["until"]) or 0.0,
            policy=str(document["policy"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def owners_floor(hpa: Autoscaler) -> int:
    """Return ``minReplicas`` as the HPA's owner wants it.

    Where it is not what Headstart had set, someone has set it since: theirs is the newer word.
    """
    note = read(hpa)
    return note.owners if note is not None and note.raised == hpa.least else hpa.least


def changed(hpa: Autoscaler) -> tuple[int, int] | None:
    """Return what the floor was raised to and what someone made of it; ``None``: nobody did."""
    note = read(hpa)
    return None if note is None or note.raised == hpa.least else (note.raised, hpa.least)


def plan(hpa: Autoscaler, desired: int, policy: str, now: float) -> Step | None:
    """Say what to write so that the HPA keeps ``desired`` replicas at least.

    Never above its ``maxReplicas``, never under its owner's ``minReplicas``. ``None``: nothing.
    """
    owners, note = owners_floor(hpa), read(hpa)
    least = max(owners, min(desired, hpa.most))
    if least == owners:
        return None if note is None else Step(owners, None)
    as_wanted = note is not None and (note.owners, note.policy) == (owners, policy)
    if as_wanted and hpa.least == least:
        return None
    return Step(least, Note(owners, least, now + LEASE, policy))


def care(note: Note, now: float, *, claimed: bool | None) -> Care:
    """Say what becomes of a raised floor.

    Parameters
    ----------
    note
        Beside it.
    now
        Seconds since the epoch.
    claimed
        Whether its policy still assists this HPA; ``None``: this operator does not know the policy,
        which may be another operator's, or gone.
    """
    if claimed is None:
        return Care.RESTORE if now >= note.until else Care.KEEP
    if not claimed:
        return Care.RESTORE
    return Care.PROLONG if note.until - now < LEASE / 2 else Care.KEEP


def restored(hpa: Autoscaler) -> Step:
    """Put the owner's floor back, and take the note away."""
    return Step(owners_floor(hpa), None)


def prolonged(hpa: Autoscaler, note: Note, now: float) -> Step:
    """Let the floor be good for a while more."""
    return Step(hpa.least, replace(note, until=now + LEASE))


def write(api: Api, hpa: Autoscaler, step: Step) -> Autoscaler:
    """Carry out a step, unless someone has just changed the HPA; blocks.

    Raises
    ------
    HpaChangedError
        Someone has: its floor or the note is not what the step was planned for.
    HpaError
        Refused, or the API server is away.
    """
    try:
        document = api.patch(hpa.path, patch_of(hpa, step), JSON_PATCH)
    except ApiError as error:
        if error.status == HTTPStatus.CONFLICT or _failed_test(api, error, hpa):
            raise HpaChangedError(str(error)) from error
        hint = (
            "; grant it, in the chart by assist.enabled"
            if error.status == HTTPStatus.FORBIDDEN
            else ""
        )
        raise HpaError(f"{hpa} cannot be patched: {error}{hint}") from error
    return parse_hpa(document)


def _failed_test(api: Api, error: ApiError, hpa: Autoscaler) -> bool:
    """Whether a patch failed since the HPA is another than it was.

    A ValidatingAdmissionPolicy that refuses the floor answers as a failed test does, with 422. The
    operator may list HPAs, and not get one.
    """
    if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
        return False
    collection, name = hpa.path.rsplit("/", 1)
    try:
        items = api.get(collection, fieldSelector=f"metadata.name={name}").get("items", [])
    except ApiError:
        return True
    return [_tested(parse_hpa(item)) for item in items] != [_tested(hpa)]


def _tested(hpa: Autoscaler) -> tuple[str, int, bool, str | None]:
    """Take of an HPA what its patches test: :func:`patch_of`."""
    note = (hpa.annotations or {}).get(ANNOTATION)
    return hpa.uid, hpa.least, bool(hpa.annotations), note


def patch_of(hpa: Autoscaler, step: Step) -> list[Document]:
    """Write a step as a JSON patch that fails where the HPA is no longer as it was seen."""
    key = f"/metadata/annotations/{ANNOTATION.replace('/', '~1')}"
    there = (hpa.annotations or {}).get(ANNOTATION)
    patch: list[Document] = [
        {"op": "test", "path": "/metadata/uid", "value": hpa.uid},
        {"op": "test", "path": "/spec/minReplicas", "value": hpa.least},
    ]
    if hpa.annotations:
        # A test for null holds where there is nothing.
        patch.append({"op": "test", "path": key, "value": there})
    else:
        patch.append({"op": "test", "path": "/metadata/annotations", "value": None})
        patch.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    if step.note is not None:
        patch.append({"op": "add", "path": key, "value": str(step.note)})
    elif there is not None:
        patch.append({"op": "remove", "path": key})
    patch.append({"op": "replace", "path": "/spec/minReplicas", "value": step.least})
    return patch


def refusal(found: Found) -> str | None:
    """Say why there is nothing to assist; ``None``: there is."""
    if found.problem is not None:
        return found.problem
    hpas = [a for a in found.autoscalers if a.kind == HPA]
    if not hpas:
        return (
            "mode Assist raises the minReplicas of an HPA, and no HorizontalPodAutoscaler scales "
            "this workload: create one, or use mode Auto"
        )
    if len(hpas) > 1:
        names = ", ".join(sorted(hpa.name for hpa in hpas))
        return f"several HorizontalPodAutoscalers scale this workload ({names}): delete all but one"
    if hpas[0].scaled_object:
        return (
            f"the HPA belongs to ScaledObject/{hpas[0].scaled_object}, and KEDA would set its "
            f"minReplicas back: use the metric headstart_desired_replicas as a trigger of the "
            f"ScaledObject instead"
        )
    return None

"""An HPA's floor is raised within its owner's bounds, and never without a note of theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_operator.rivals import assist
from headstart_operator.rivals.assist import ANNOTATION, LEASE, Care, Note, Step
from headstart_operator.rivals.autoscalers import HPA, SCALED_OBJECT, Autoscaler, Found, Target

NOW = 1_767_225_600.0
TARGET = Target("shop", "apps", "Deployment", "checkout")
PLAIN = Autoscaler(HPA, "checkout", "u", TARGET, least=2, most=9)
NOTE = Note(owners=2, raised=6, until=NOW + LEASE, policy="checkout")


def noted(note: Note = NOTE, least: int | None = None, hpa: Autoscaler = PLAIN) -> Autoscaler:
    """Raise the floor of an HPA."""
    least = note.raised if least is None else least
    return replace(hpa, least=least, annotations={ANNOTATION: str(note), "team": "shop"})


def carry_out(hpa: Autoscaler, step: Step) -> Autoscaler:
    """Play what a step does to an HPA."""
    kept = {k: v for k, v in (hpa.annotations or {}).items() if k != ANNOTATION}
    mark = {ANNOTATION: str(step.note)} if step.note else {}
    return replace(hpa, least=step.least, annotations={**kept, **mark})


def test_a_note_is_read_as_it_was_written() -> None:
    assert assist.read(noted()) == NOTE
    assert assist.read(PLAIN) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "6", '{"minReplicas": "x"}', '"'])
def test_a_note_that_nobody_can_read_is_none(text: str) -> None:
    assert assist.read(replace(PLAIN, annotations={ANNOTATION: text})) is None


@pytest.mark.parametrize(
    ("hpa", "desired", "step"),
    [
        (PLAIN, 2, None),
        (PLAIN, 1, None),
        (PLAIN, 6, Step(6, NOTE)),
        # Never above its maxReplicas.
        (PLAIN, 50, Step(9, replace(NOTE, raised=9))),
        (noted(), 6, None),
        (noted(), 8, Step(8, replace(NOTE, raised=8))),
        (noted(), 3, Step(3, replace(NOTE, raised=3))),
        # Never under its owner's minReplicas, and no note where there is nothing to note.
        (noted(), 1, Step(2, None)),
        # The owner has set another meanwhile.
        (noted(least=3), 6, Step(6, replace(NOTE, owners=3))),
        (noted(least=3), 1, Step(3, None)),
        # They set the same once more, which the note has as theirs already.
        (noted(replace(NOTE, owners=3), 3), 6, Step(6, replace(NOTE, owners=3))),
        # Another policy's floor becomes ours.
        (noted(replace(NOTE, policy="old")), 6, Step(6, NOTE)),
    ],
)
def test_what_is_written(hpa: Autoscaler, desired: int, step: Step | None) -> None:
    assert assist.plan(hpa, desired, "checkout", NOW) == step


@given(
    wishes=st.lists(st.integers(0, 30), max_size=8),
    owners=st.integers(1, 10),
    room=st.integers(0, 10),
)
def test_whatever_was_wished_for_the_owner_gets_their_floor_back(
    wishes: list[int], owners: int, room: int
) -> None:
    hpa = first = replace(PLAIN, least=owners, most=owners + room)
    for wish in wishes:
        step = assist.plan(hpa, wish, "checkout", NOW)
        hpa = carry_out(hpa, step) if step else hpa
        assert owners <= hpa.least <= owners + room
        assert hpa.least == max(owners, min(wish, owners + room))
        assert assist.owners_floor(hpa) == owners
        assert (hpa.least == owners) == (assist.read(hpa) is None)
    assert carry_out(hpa, assist.restored(hpa)).least == first.least


@pytest.mark.parametrize(
    ("claimed", "left", "care"),
    [
        (True, LEASE, Care.KEEP),
        (True, LEASE / 2 - 1, Care.PROLONG),
        (True, -1, Care.PROLONG),
        (False, LEASE, Care.RESTORE),
        (None, 1, Care.KEEP),
        (None, 0, Care.RESTORE),
    ],
)
def test_a_floor_lasts_while_somebody_cares(
    *, claimed: bool | None, left: float, care: Care
) -> None:
    assert assist.care(NOTE, NOTE.until - left, claimed=claimed) is care


def test_a_floor_that_someone_changed_is_told() -> None:
    assert assist.changed(PLAIN) is None
    assert assist.changed(noted()) is None
    assert assist.changed(noted(least=3)) == (6, 3)


def test_a_patch_fails_where_the_hpa_is_not_as_it_was_seen() -> None:
    patch = assist.patch_of(noted(), Step(2, None))
    tests = {p["path"]: p["value"] for p in patch if p["op"] == "test"}
    key = "/metadata/annotations/headstart.dev~1assist"
    assert tests == {"/metadata/uid": "u", "/spec/minReplicas": 6, key: str(NOTE)}
    assert {"op": "remove", "path": key} in patch
    # Without annotations there is nothing to add one to.
    patch = assist.patch_of(PLAIN, Step(6, NOTE))
    assert {"op": "test", "path": "/metadata/annotations", "value": None} in patch
    assert patch.index({"op": "add", "path": "/metadata/annotations", "value": {}}) < patch.index(
        {"op": "add", "path": key, "value": str(NOTE)}
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Found((PLAIN,)), None),
        (Found(), "no HorizontalPodAutoscaler scales this workload"),
        (Found((replace(PLAIN, kind=SCALED_OBJECT),)), "no HorizontalPodAutoscaler"),
        (Found((PLAIN, replace(PLAIN, name="two"))), "(checkout, two): delete all but one"),
        (Found((replace(PLAIN, scaled_object="so"),)), "belongs to ScaledObject/so"),
        (Found((), "they cannot be listed"), "they cannot be listed"),
    ],
)
def test_what_there_is_to_assist(found: Found, says: str | None) -> None:
    refusal = assist.refusal(found)
    assert refusal is None if says is None else says in (refusal or "")

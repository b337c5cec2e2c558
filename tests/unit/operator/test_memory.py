"""A memory that somebody wrote by hand: read, or forgotten, and never believed beyond reason."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_operator.memory import MOST_TEXT, VERSION, Memory, packed
from headstart_operator.sources import pool
from headstart_policy import artifact
from tests.unit.operator.test_controller import FakeSource, Stage
from tests.unit.policy.build import a_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

# Everything on that has something to remember.
SPEC: dict[str, Any] = {
    "objective": {"errorBudget": {"slo": "99.9", "window": "24h"}},
    "events": [
        {
            "name": "sale",
            "start": "2026-01-01T00:00:30Z",
            "duration": "1h",
            "expectedFactor": "1.2",
        }
    ],
    "guardrails": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}}},
}


@pytest.fixture(scope="module", autouse=True)
def _serving() -> Iterator[None]:
    """Serve a policy that leaves a choice, and a constant rate."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "Source", FakeSource)
        patch.setattr(artifact, "builtin", lambda _: a_policy(blind=True))
        yield


def after(ticks: int, status: Any = None) -> tuple[dict[str, Any], Stage]:
    """Decide so often, from a status; return the status and the stage."""

    async def play() -> tuple[dict[str, Any], Stage]:
        with tempfile.TemporaryDirectory() as folder:
            stage = Stage(Path(folder))
            stage.upsert(status=status, **SPEC)
            try:
                for _ in range(ticks):
                    status_after = await stage.tick()
            finally:
                await stage.controller.close(1.0)
            return status_after, stage

    return asyncio.run(play())


@pytest.fixture(scope="module")
def remembered() -> dict[str, Any]:
    """Provide a memory of everything that there is to remember, as plain JSON."""
    status, _ = after(24)
    memory: dict[str, Any] = json.loads(json.dumps(status["memory"]))
    memory["vanished"] = [1_767_225_700.0, 40.0, 10.0, 12.0, 3.0, 0.0]
    memory["leadTimes"]["starts"] = [[0, 1_767_225_650.0, 30.0, 1.0, 28.0, 0]]
    memory["leadTimes"]["templates"] = ["abc"]
    return memory


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Name every place in a document."""
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


NUMBERS = st.sampled_from(
    [0, -1, 1.5, 2**31, 2**63, 10**30, 1e18, 1e308, -1e308, math.nan, math.inf, -math.inf]
)
JUNK = st.one_of(
    NUMBERS,
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.lists(NUMBERS, max_size=4),
    st.lists(st.lists(NUMBERS, max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), NUMBERS, max_size=3),
    # Right in kind, and far too many.
    st.sampled_from([4000, 9000]).map(lambda count: [[1.0, 2]] * count),
    st.just(9000).map(lambda count: {str(k): [1.0, 2.0] for k in range(count)}),
    st.just("x" * 10_000),
)


def edited(remembered: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """Draw a memory with one to three places overwritten."""
    document = deepcopy(remembered)
    several = st.lists(st.sampled_from(list(places(remembered))), min_size=1, max_size=3)
    # A place that was overwritten has no places in it any more.
    for *parents, last in data.draw(several):
        node = document
        with suppress(KeyError, IndexError, TypeError):
            for parent in parents:
                node = node[parent]
            node[last] = deepcopy(data.draw(JUNK))
    return document


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_memory_that_was_edited_by_hand_is_read_or_forgotten(
    remembered: dict[str, Any], data: st.DataObject
) -> None:
    """Never an error, and what is kept of it can be written again and read again."""
    memory = Memory.from_json(edited(remembered, data))
    written = packed({"memory": memory.to_json()})["memory"]
    assert len(written["text"]) < MOST_TEXT
    Memory.from_json(written)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_it_is_decided_with_an_edited_memory(
    remembered: dict[str, Any], data: st.DataObject
) -> None:
    text = json.dumps(edited(remembered, data))
    status, stage = after(2, {"memory": {"version": VERSION, "text": text}})
    reasons = {c["type"]: c["reason"] for c in status["conditions"]}
    assert reasons["Ready"] != "InternalError", status
    assert stage.api.patches


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        [],
        "text",
        {"version": 99, "text": "{}"},
        {"version": VERSION},
        {"version": VERSION, "text": None},
        {"version": VERSION, "text": ""},
        {"version": VERSION, "text": "[]"},
        {"version": VERSION, "text": "{"},
        {"version": VERSION, "text": DEEP},
        {"version": VERSION, "text": f'{{"version":1,"leadTimes":{DEEP}}}'},
        {"version": VERSION, "text": '{"version":1,"leadTimes":' + "9" * 10_000 + "}"},
        {"version": VERSION, "text": '{"version":1,"leadTimes":1e999}'},
        {"version": VERSION, "text": " " * (MOST_TEXT + 1)},
    ],
)
def test_what_is_no_memory_begins_afresh(document: Any) -> None:
    assert Memory.from_json(document) == Memory()


def test_what_is_remembered_is_what_was_written(remembered: dict[str, Any]) -> None:
    memory = Memory.from_json(remembered)
    assert memory.selection is not None
    assert memory.scoring is not None
    assert memory.vanished is not None
    assert memory.lead_times.starts
    assert memory.behavior.recommendations
    assert memory.levels
    written = packed({"memory": memory.to_json()})["memory"]
    assert Memory.from_json(written).to_json() == memory.to_json()
    assert len(written["text"]) < MOST_TEXT / 10

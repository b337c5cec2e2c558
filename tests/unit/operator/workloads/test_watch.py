"""What is kept of watched objects, and where it is found."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_operator.sources.history import SLOT, phase_of
from headstart_operator.workloads.pod_watch import equalities
from headstart_operator.workloads.watch import Cache, Name

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

NAMES = st.builds(Name, st.sampled_from(["a", "b"]), st.sampled_from(["x", "y", "z"]))
VALUES = st.frozensets(st.sampled_from(["red", "green", "blue"]))
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, VALUES | st.none()),
    st.tuples(st.just("replace"), st.dictionaries(NAMES, VALUES), st.none()),
)


def by_colour(name: Name, value: frozenset[str]) -> Iterable[Hashable]:
    return [(name.namespace, colour) for colour in value]


@given(st.lists(STEPS))
def test_what_is_found_is_what_is_there(steps: list[tuple[str, object, frozenset[str]]]) -> None:
    cache, expected = Cache(by_colour), {}
    for what, which, value in steps:
        if what == "replace":
            cache.replace(dict(which))  # type: ignore[call-overload]
            expected = dict(which)  # type: ignore[call-overload]
        else:
            cache.put(which, value)  # type: ignore[arg-type]
            expected[which] = value
    expected = {name: value for name, value in expected.items() if value is not None}
    assert len(cache) == len(expected)
    for namespace in ("a", "b"):
        for colours in (["red"], ["red", "green"], ["green", "blue", "red"]):
            found = cache.find((namespace, colour) for colour in colours)
            wanted = [
                v for n, v in expected.items() if n.namespace == namespace and v >= {*colours}
            ]
            assert sorted(map(sorted, found)) == sorted(map(sorted, wanted))
    # Nothing is left of what has gone.
    assert set(cache._names) == {key for n, v in expected.items() for key in by_colour(n, v)}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=x", ["app=x"]),
        ("app.kubernetes.io/name=x,tier==web", ["app.kubernetes.io/name=x", "tier=web"]),
        ("empty=", ["empty="]),
        ("", None),
        ("app!=x", None),
        ("app=x,!canary", None),
        ("app=x,canary", None),
        ("app in (x,y)", None),
        ("app=x,tier notin (web)", None),
    ],
)
def test_only_equalities_are_looked_up(selector: str, expected: list[str] | None) -> None:
    assert equalities(selector) == expected


@pytest.mark.parametrize("interval", [1.0, 15.0, 60.0])
def test_policies_are_spread_over_the_whole_interval(interval: float) -> None:
    dice = random.Random(0)  # noqa: S311
    uids = [str(uuid.UUID(int=dice.getrandbits(128), version=4)) for _ in range(4000)]
    phases = [phase_of(uid, interval) for uid in uids]
    slots = round(interval / SLOT)
    assert set(phases) == {k * SLOT for k in range(slots)}
    most = max(phases.count(phase) for phase in set(phases))
    assert most < 2.2 * len(phases) / slots
    assert phases == [phase_of(uid, interval) for uid in uids]

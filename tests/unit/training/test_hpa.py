"""The HPA as a baseline: the formula by example, its rules against the operator's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_policy.behavior import NO_LIMIT, Behavior, Memory, Policy, Rules, Sample, Select
from headstart_policy.behavior import apply as limit
from headstart_training.baselines import hpa
from headstart_training.baselines.hpa import HPA, standard
from tests.unit.training.plain import a_world


def _path(setting: HPA, rates: list[float], initial: int, interval: float = 60.0) -> list[int]:
    """Desired replicas of 5 requests/s where ``rates[t]`` is known before step t."""
    world = a_world([*rates, 0.0], initial=initial, interval=interval, lead=2 * interval)
    return [int(n) for n in setting.path(world)[0]]


@pytest.mark.parametrize(
    ("rate", "current", "expected"),
    [
        (70.0, 10, 20),  # 70 / (0.7 * 5)
        (70.1, 11, 21),
        (38.4, 10, 10),  # 1.097 of the target: within the tolerance
        (38.5, 10, 10),  # 1.1: still within
        (38.6, 10, 12),
        (31.5, 10, 10),
        (31.4, 10, 9),
        (0.0, 10, 1),
        (35.0, 0, 1),  # A real one would not scale at all.
        (math.nan, 10, 10),
        (100.0, 10, 20),  # No more than twice as many at once,
        (100.0, 1, 4),  # but 4 always.
    ],
)
def test_it_wants_what_the_formula_says(rate: float, current: int, expected: int) -> None:
    assert _path(HPA(0.7, window=0), [rate], current) == [expected]


def test_it_decides_every_15_seconds_on_what_was_known_then() -> None:
    """From 1 to 40 replicas at twice as many, or 4, a sync; the rate is known from step 0 on."""
    assert _path(HPA(0.7, window=0), [140.0] * 3, 1) == [4, 40, 40]
    assert _path(HPA(0.7, window=0), [140.0] * 6, 1, interval=5.0) == [4, 4, 4, 8, 8, 8]


def test_what_is_not_known_yet_does_not_count() -> None:
    """The syncs before a step see the rate of the step before."""
    tripled = _path(HPA(0.7, window=0), [35.0, 105.0, 105.0], 10)
    assert tripled == [10, 20, 30]


@pytest.mark.parametrize("behavior", [None, standard()])
def test_it_goes_down_only_to_the_largest_want_of_the_window(behavior: Behavior | None) -> None:
    rates = [70.0, 35.0, 35.0, 35.0, 35.0, 35.0, 35.0]
    # What was wanted at minute 0 is wanted until minute 1, and forgotten 5 minutes later.
    assert _path(HPA(0.7, behavior=behavior), rates, 20) == [20] * 6 + [10]


def test_it_stays_within_its_bounds() -> None:
    assert _path(HPA(0.7, least=3), [1.0], 3) == [3]
    assert _path(HPA(0.7, most=8), [70.0], 8) == [8]
    assert _path(HPA(0.7, most=8), [70.0], 30) == [8]
    assert _path(HPA(0.7, least=3), [70.0, 70.0], 1)[0] == 3


def test_each_direction_has_its_tolerance() -> None:
    setting = HPA(0.7, down_tolerance=0.3, up_tolerance=0.0, window=0)
    assert _path(setting, [26.0], 10) == [10]
    assert _path(setting, [36.0], 10) == [11]


_POLICIES = st.lists(
    st.builds(
        Policy,
        st.sampled_from(["Pods", "Percent"]),
        st.integers(1, 200),
        st.sampled_from([15.0, 30.0, 60.0, 100.0]),
    ),
    max_size=3,
).map(tuple)
_RULES = st.builds(
    Rules, st.sampled_from([0.0, 15.0, 45.0, 100.0]), _POLICIES, st.sampled_from(list(Select))
)


@settings(max_examples=200, deadline=None)
@given(
    behavior=st.builds(Behavior, _RULES, _RULES),
    rates=st.lists(
        st.one_of(st.floats(0, 500), st.sampled_from([0.0, math.nan, 70.0])), min_size=1
    ),
    current=st.integers(1, 60),
    tolerance=st.sampled_from([0.0, 0.1]),
)
def test_its_rules_are_those_of_the_guardrail(
    behavior: Behavior, rates: list[float], current: int, tolerance: float
) -> None:
    """The compiled loop against the operator's ``behavior``, sync by sync."""
    path, setting = [], HPA(0.7, behavior=behavior, down_tolerance=tolerance)
    memory, now = Memory(recommendations=(Sample(0.0, current),)), current
    known = math.nan
    for k, newest in enumerate(rates):
        # A figure that is missing leaves the one before in place.
        known = known if math.isnan(newest) else newest
        time, before = 15.0 * k, now
        if not math.isnan(known):
            usage = known / (3.5 * before)
            calm = 1 - tolerance - 1e-9 <= usage <= 1.1 + 1e-9
            wanted = before if calm else math.ceil(known / 3.5 - 1e-9)
            now = max(limit(behavior, memory, time, before, wanted), 1)
            memory = memory.after(time, wanted, now - before, behavior.horizon)
        path.append(now)
    assert _path(setting, rates, current, interval=15.0) == path


def test_the_default_is_what_a_new_hpa_does() -> None:
    (setting,) = hpa.default(a_world([1.0, 1.0]))
    assert setting == HPA(0.7, 1, NO_LIMIT, 0.1, 0.1, None, 300.0, 15.0)


def test_the_grid_is_the_protocols() -> None:
    settings_ = hpa.grid(a_world(np.linspace(10.0, 100.0, 500)))
    assert len(settings_) == 13 * 4 * 4 * 2
    assert {s.least for s in settings_} == {1, 4, 8, 12}
    assert {s.target for s in settings_} == {round(0.05 * k, 2) for k in range(6, 19)}
    assert {s.behavior.down.window for s in settings_ if s.behavior} == {0.0, 300.0, 900.0, 1800.0}


def test_a_quiet_service_has_fewer_floors() -> None:
    assert hpa.floors(a_world(np.zeros(10))) == (1,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 0.0}, "target = 0.0, must be finite and greater than 0"),
        ({"target": 0.7, "window": -1.0}, "window = -1.0, must be at least 0"),
        ({"target": 0.7, "up_tolerance": math.nan}, "up_tolerance = nan, must be at least 0"),
        ({"target": 0.7, "least": 0}, "least = 0, must be at least 1"),
        ({"target": 0.7, "least": 5, "most": 4}, "most = 4, must be at least least = 5"),
        ({"target": 0.7, "sync": 0.0}, "sync = 0.0, must be greater than 0 s"),
    ],
)
def test_senseless_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HPA(**arguments)

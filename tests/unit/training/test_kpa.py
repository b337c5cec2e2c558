"""Knative's rules, tick by tick, against a slow copy of what its ``Scale`` does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_training.baselines import kpa
from headstart_training.baselines.kpa import KPA, TICK
from tests.unit.training.plain import a_world


def _path(setting: KPA, rates: list[float], initial: int, interval: float = 60.0) -> list[int]:
    """Desired replicas of 5 requests/s where ``rates[t]`` is known before step t."""
    world = a_world([*rates, 0.0], initial=initial, interval=interval, lead=2 * interval)
    return [int(n) for n in setting.path(world)[0]]


def _scale(setting: KPA, rates: list[float], initial: int, interval: float) -> list[int]:
    """Autoscaler.Scale for windows no longer than a step, with a lead time of two steps."""
    desired: list[int] = []
    current = initial
    panic_since: float | None = 0.0 if initial > 1 else None
    panic_pods, wants = initial, []
    for t, rate in enumerate(rates):
        asked = min([*([initial] * 2 + desired)[-2:], current])
        ticks = [k for k in range(10**4) if t * interval <= k * TICK < (t + 1) * interval]
        at_step = None
        for k in ticks:
            if not math.isnan(rate):
                now, ready = k * TICK, max(1, min(asked, current))
                want = math.ceil(rate / (setting.target * 5.0) - 1e-9)
                low = math.floor(ready / setting.down_rate)
                pods = min(max(want, low), math.ceil(setting.up_rate * ready))
                if want / ready >= setting.panic_threshold:
                    panic_since = now
                elif panic_since is not None and now - panic_since > setting.window:
                    panic_since, panic_pods = None, 0
                if panic_since is not None:
                    panic_pods = pods = max(panic_pods, pods)
                wants.append((k, pods))
                delay = math.ceil(setting.delay / TICK)
                held = max([pods, *(n for at, n in wants if at > k - delay)])
                current = max(held, setting.least)
            if k * TICK == t * interval:
                at_step = current
        desired.append(current if at_step is None else at_step)
    return desired


@settings(max_examples=60, deadline=None)
@given(
    setting=st.builds(
        KPA,
        target=st.sampled_from([0.5, 0.7]),
        least=st.integers(1, 3),
        window=st.sampled_from([6.0, 20.0]),
        up_rate=st.sampled_from([1.5, 10.0, 1000.0]),
        delay=st.sampled_from([0.0, 10.0, 60.0]),
    ),
    rates=st.lists(
        st.one_of(st.floats(0, 200), st.sampled_from([0.0, 30.0, 35.0])), min_size=1, max_size=12
    ),
    initial=st.integers(1, 30),
)
def test_it_decides_as_knative_does(setting: KPA, rates: list[float], initial: int) -> None:
    assert _path(setting, rates, initial, 20.0) == _scale(setting, rates, initial, 20.0)


def test_a_panic_keeps_the_pods_for_a_window() -> None:
    """At 1 pod a want of 20 is a panic, and 2 still is while 1 is ready; half go at a time."""
    path = _path(KPA(0.7), [3.0, 70.0, 7.0, 7.0, 7.0, 7.0], 1)
    assert path == [1, 20, 20, 20, 10, 2]


def test_a_longer_window_is_slower() -> None:
    rates = [35.0] * 15 + [65.0] * 5
    assert _path(KPA(0.7, window=60.0), rates, 10)[15] == 19
    assert _path(KPA(0.7, window=600.0), rates, 10)[15] == 11


def test_where_nothing_is_known_nothing_changes() -> None:
    assert _path(KPA(0.7), [math.nan, math.nan], 7) == [7, 7]


def test_it_is_tuned_over_targets_floors_windows_and_delays() -> None:
    assert len(kpa.grid(a_world(np.linspace(10.0, 100.0, 50)))) == 13 * 4 * 2 * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": math.inf}, "target = inf, must be finite and greater than 0"),
        ({"least": 0}, "least = 0, must be at least 1"),
        ({"panic_window": 1.5}, r"panic_window = 1.5, must be in \(0, 1\]"),
        ({"up_rate": 1.0}, "up_rate = 1.0, must be greater than 1"),
        ({"delay": -1.0}, "delay = -1.0, must be at least 0 s"),
    ],
)
def test_senseless_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KPA(**arguments)

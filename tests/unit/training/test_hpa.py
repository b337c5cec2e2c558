"""The HPA as a baseline: the formula, its tolerance and its stabilisation, by example."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from headstart_training.baselines.hpa import HPA
from headstart_training.contest import Moment
from tests.unit.policy.build import an_observation


def _decide(hpa: HPA, minute: int, rate: float, current: int) -> int:
    observation = an_observation(np.full((1, 60), 50.0), current=current)
    moment = Moment(np.array([60.0 * minute]), np.array([rate]), np.array([0.0]))
    return int(hpa.decide(observation, moment)[0])


@pytest.mark.parametrize(
    ("rate", "current", "expected"),
    [
        (70.0, 10, 20),  # 70 / (0.7 * 5)
        (70.1, 10, 21),
        (38.4, 10, 10),  # 1.097 of the target: within the tolerance
        (38.6, 10, 12),
        (31.6, 10, 10),
        (0.0, 10, 1),
        (35.0, 0, 10),
        (math.nan, 10, 10),
    ],
)
def test_it_wants_what_the_formula_says(rate: float, current: int, expected: int) -> None:
    assert _decide(HPA(0.7, window=0), 0, rate, current) == expected


def test_without_tolerance_it_follows_every_change() -> None:
    assert _decide(HPA(0.7, window=0, tolerance=0), 0, 36.0, 10) == 11


def test_it_goes_down_only_to_the_largest_want_of_the_window() -> None:
    hpa = HPA(0.7, window=300, tolerance=0)
    rates = [70.0, 35.0, 35.0, 35.0, 35.0, 35.0, 35.0]
    current, path = 20, []
    for minute, rate in enumerate(rates):
        current = _decide(hpa, minute, rate, current)
        path.append(current)
    # What was wanted at minute 0 is forgotten at minute 5.
    assert path == [20, 20, 20, 20, 20, 10, 10]


def test_it_goes_up_at_once() -> None:
    hpa = HPA(0.7, window=300, tolerance=0)
    assert [_decide(hpa, 0, 35.0, 10), _decide(hpa, 1, 70.0, 10)] == [10, 20]


def test_it_stays_within_its_bounds() -> None:
    assert _decide(HPA(0.7, least=3), 0, 1.0, 3) == 3
    assert _decide(HPA(0.7, most=8), 0, 70.0, 8) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 0.0}, r"target = 0.0, must be in \(0, 1\]"),
        ({"target": 0.7, "window": -1.0}, "window = -1.0, must be at least 0 s"),
        ({"target": 0.7, "tolerance": 1.0}, r"tolerance = 1.0, must be in \[0, 1\)"),
    ],
)
def test_senseless_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HPA(**arguments)

"""KEDA is its HPA, but for the way to zero and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headstart_policy.behavior import NO_LIMIT
from headstart_training.baselines import keda
from headstart_training.baselines.hpa import HPA, standard
from headstart_training.baselines.keda import KEDA
from headstart_training.settings import seed_day
from tests.unit.training.plain import a_world


def _path(setting: KEDA, rates: list[float], initial: int) -> list[int]:
    world = a_world([*rates, 0.0], initial=initial)
    return [int(n) for n in setting.path(world)[0]]


@pytest.mark.parametrize("behavior", [None, standard(600.0)])
def test_while_active_it_is_an_hpa(behavior: Any) -> None:
    world = seed_day(3, 500)
    hpa = HPA(0.6, 2, behavior=behavior)
    np.testing.assert_array_equal(KEDA(0.6, 2, behavior=behavior).path(world), hpa.path(world))


def test_it_goes_to_zero_after_the_cooldown_and_back_with_the_first_request() -> None:
    """The poll at 30 s is the last to see it active; that of 6 min finds it over."""
    rates = [7.0] + [0.0] * 7 + [7.0, 7.0]
    assert _path(KEDA(0.7), rates, 2) == [2, 2, 2, 2, 2, 2, 0, 0, 2, 2]


def test_a_rate_at_the_activation_threshold_is_inactive() -> None:
    rates = [3.0] * 8
    assert _path(KEDA(0.7, activation=3.0), rates, 1)[-1] == 0
    assert _path(KEDA(0.7, activation=2.9), rates, 1)[-1] == 1


def test_idle_goes_below_the_least() -> None:
    rates = [30.0] + [0.0] * 8 + [3.0]
    assert _path(KEDA(0.7, 4), rates, 9)[-2:] == [4, 4]
    assert _path(KEDA(0.7, 4, idle=0), rates, 9)[-2:] == [0, 4]


def test_its_grid_goes_down_to_zero() -> None:
    settings = keda.grid(a_world(np.linspace(10.0, 100.0, 50)))
    assert len(settings) == 13 * 5
    assert {s.least for s in settings} >= {0, 1}
    assert settings[0].most == NO_LIMIT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 0.0}, "target = 0.0, must be finite and greater than 0"),
        ({"target": 0.7, "least": -1}, "least = -1, must be at least 0"),
        ({"target": 0.7, "idle": 2}, "idle = 2, must be 0 or None"),
        ({"target": 0.7, "cooldown": -1.0}, "cooldown = -1.0, must be at least 0"),
        ({"target": 0.7, "polling": 0.0}, "polling = 0.0, must be greater than 0 s"),
    ],
)
def test_senseless_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KEDA(**arguments)

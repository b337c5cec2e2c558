"""Plays a scenario: looks at the stage once a second while the load passes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from demo.score import draw_noise, violates
from demo.screen import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.stage import Stage


def play(stage: Stage, show: Callable[[Sequence[Moment]], None]) -> list[Moment]:
    """Watch the replay from its first minute to its last; ``show`` gets all moments so far."""
    scenario = stage.scenario
    noise = draw_noise(len(scenario.replay))
    moments: list[Moment] = []
    violations = 0
    for minute, rate in enumerate(scenario.replay.tolist()):
        # The load of minute k arrives between start + k and start + k + 1: look in between.
        time.sleep(max(0.0, stage.start + minute + 0.5 - time.time()))
        seen = stage.look()
        violations += violates(rate, seen.ready, scenario, float(noise[minute]))
        moments.append(
            Moment(
                minute=minute,
                rate=rate,
                demand=rate / scenario.capacity,
                ready=seen.ready,
                desired=seen.desired,
                reason=seen.reason,
                violations=violations,
            )
        )
        show(moments)
    return moments

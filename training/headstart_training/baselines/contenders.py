"""Who plays against Headstart in a backtest, by the name that its report has for them.

Each entry gives, for a world of one service to tune on, the candidates to choose from::

    choice = tune(CONTENDERS["hpa_tuned"], tuning_half)
    desired = choice.path(test_half)

What is as it comes has one candidate, and nothing is tuned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headstart_training.baselines import (
    forecast,
    holt_winters,
    hpa,
    keda,
    kpa,
    scheduled,
    static,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headstart_training.baselines.tuning import Candidate
    from headstart_training.simulator import World

CONTENDERS: Final[Mapping[str, Callable[[World], Sequence[Candidate]]]] = {
    "hpa_default": hpa.default,
    "hpa_tuned": hpa.grid,
    "keda": keda.grid,
    "kpa": kpa.grid,
    "holt_winters": holt_winters.grid,
    "forecast": forecast.grid,
    "scheduled": scheduled.grid,
    "static": static.grid,
}

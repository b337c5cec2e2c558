"""What fine-tuning is worth on days that nothing of it has seen, losses included.

The first half of a recording is the history: all of :func:`.fine_tuning.fine_tune`, its held-back
days too, happens there. The days after it are untouched, and judge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy import artifact
from headstart_policy.guardrails import Guardrails
from headstart_training import fine_tuning
from headstart_training.backtest.bootstrap import Interval, interval
from headstart_training.backtest.setting import Setting
from headstart_training.fine_tuning import MULTIPLIER

if TYPE_CHECKING:
    from typing import Any

    from headstart_policy.types import Floats
    from headstart_training.backtest.services import Service

# Of history, and of judging: more days cost time and say little more.
MOST_DAYS = 14
GUARDRAILS = Guardrails(max_replicas=100_000)
_DRAWS = 10_000


@dataclass(frozen=True)
class Line:
    """One service; dollars a day more than the default on the untouched days.

    Attributes
    ----------
    name, kind
        Of the service.
    kept, held_days
        What fine-tuning chose, by how many days of its own.
    days
        Untouched days.
    default
        Dollars a day of the default.
    gain
        Of what was kept; 0 where that is the default.
    multiplier, weights
        Of the best fit of each kind by the held-back days, whether it was kept or not.
    """

    name: str
    kind: str
    kept: str
    held_days: int
    days: int
    default: float
    gain: Interval
    multiplier: Interval
    weights: Interval

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values."""
        figures = {
            name: getattr(self, name).to_json() for name in ("gain", "multiplier", "weights")
        }
        return {**vars(self), **figures}


def measure(service: Service, setting: Setting | None = None, seed: int = 0) -> Line | None:
    """Fine-tune on the first half, judge on the second; ``None``: too short to fine-tune."""
    default = artifact.builtin()
    profile = (setting or Setting()).profile(service)
    half, days = int(service.days) // 2, int(service.days)
    first = max(0, half - MOST_DAYS)
    seen = slice(*(fine_tuning.first_step(service, day) for day in (first, half)))
    history = replace(service, rates=service.rates[seen])
    outcome = fine_tuning.fine_tune(history, profile, default, GUARDRAILS, seed=seed)
    if not outcome.candidates:
        return None
    fits = fine_tuning.fit(history, profile, default.network, (1, half - first), seed)
    judged = (half, min(days, half + MOST_DAYS))
    gains = fine_tuning.judge(fits, service, profile, default, GUARDRAILS, judged)
    tried = [one for one in outcome.candidates if one.name != MULTIPLIER]
    best = max(tried, key=lambda one: one.low).name
    nothing = np.zeros(judged[1] - judged[0])
    world = fine_tuning.play_days(service, profile, judged)
    earned = fine_tuning.dollars_by_day(world, default, GUARDRAILS, service, judged)
    return Line(
        name=service.name,
        kind=str(service.kind),
        kept=outcome.kept,
        held_days=outcome.held_days,
        days=judged[1] - judged[0],
        default=float(earned.mean()),
        gain=_with_interval(gains.get(outcome.kept, nothing)),
        multiplier=_with_interval(gains[MULTIPLIER]),
        weights=_with_interval(gains[best]),
    )


def _with_interval(gains: Floats) -> Interval:
    random = np.random.default_rng(0)
    drawn = gains[random.integers(len(gains), size=(_DRAWS, len(gains)))].mean(axis=1)
    return interval(float(gains.mean()), drawn)

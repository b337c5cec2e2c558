"""How long starts of a workload really take, and the lead time to plan with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

# Fewer starts than these say too little, more than those say what the service once was.
FEWEST_STARTS = 5
MOST_STARTS = 32
# Plan with a quantile: half of the replicas would be late for a plan with the median.
QUANTILE = 0.9
# Keep the plan until it is wrong by more than this: the history's grids hang on it. Pods tell
# whole seconds, so two timestamps are worth two.
TOLERANCE = 0.2
TIMESTAMP_ERROR = 2.0


@dataclass(frozen=True)
class LeadTimes:
    """Measured lead times, s, oldest first, and the one that is planned with (0: none yet)."""

    measured: tuple[float, ...] = ()
    planned: float = 0.0

    def plan(self, default: float) -> float:
        """Lead time to plan with, s: ``default`` until enough starts were measured."""
        return self.planned or default

    def add(self, starts: Sequence[float], default: float) -> LeadTimes:
        """Take in newly measured lead times, s."""
        measured = (*self.measured, *starts)[-MOST_STARTS:]
        if len(measured) < FEWEST_STARTS:
            return LeadTimes(measured, self.planned)
        # A measured 0 means less than a second; no plan can be shorter than one.
        quantile = max(1.0, math.ceil(np.quantile(measured, QUANTILE)))
        plan = self.plan(default)
        wrong = abs(quantile - plan) > max(TOLERANCE * plan, TIMESTAMP_ERROR)
        return LeadTimes(measured, float(quantile) if wrong else self.planned)

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return {"measured": list(self.measured), "planned": self.planned}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> LeadTimes:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError, TypeError
            The document is none of ours.
        """
        measured = tuple(float(start) for start in document.get("measured", ()))
        return cls(measured[-MOST_STARTS:], float(document.get("planned", 0.0)))

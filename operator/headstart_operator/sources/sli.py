"""Violations as they were measured: the share of good requests, beside what the model predicts.

``objective.sli.query`` is asked of the Prometheus that the rate comes from, once in so many
intervals. An answer that is missing, late or no share says nothing: neither that all was well nor
that it was not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from headstart_operator.sources.history import Gap

if TYPE_CHECKING:
    from collections.abc import Mapping

# Asked for once in so many intervals: each minute at 15 s.
EVERY = 4
# A share may exceed 1 by what rate() extrapolates.
_SLACK = 0.01


class Sample(NamedTuple):
    """The share of good requests at ``time``, s since the epoch; NaN: nobody knows."""

    time: float
    share: float


@dataclass(frozen=True)
class Violations:
    """Seconds under the SLO, predicted and measured over the same time.

    Attributes
    ----------
    since
        When counting began, s since the epoch.
    seconds
        That were measured.
    predicted, measured
        Of those, under the SLO.
    counted, expected
        What the account of what really ran had come to at the last sample: seconds in all, and
        under the SLO.
    """

    since: float
    seconds: float = 0.0
    predicted: float = 0.0
    measured: float = 0.0
    counted: float = 0.0
    expected: float = 0.0

    def mark(self, counted: float, expected: float) -> Violations:
        """Note what the account has come to."""
        return replace(self, counted=counted, expected=expected)

    def add(self, seconds: float, predicted: float, measured: float) -> Violations:
        """Count ``seconds`` more."""
        return replace(
            self,
            seconds=self.seconds + seconds,
            predicted=self.predicted + predicted,
            measured=self.measured + measured,
        )

    def to_json(self) -> dict[str, float]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Violations:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            The document is none of ours.
        """
        names = ("since", "seconds", "predicted", "measured", "counted", "expected")
        values = {name: float(document[name]) for name in names}
        if not all(math.isfinite(value) and value >= 0 for value in values.values()):
            raise ValueError(f"{values} must be finite and at least 0")
        return cls(**values)


def due(instant: float, interval: float, phase: float, uid: str) -> Gap | None:
    """Return what to ask for at ``instant`` of the grid; ``None``: it is not time.

    ``phase`` is by how many seconds the policy's instants come later, and ``uid`` is the policy's:
    a thousand of them do not all ask in the same interval.
    """
    index = round(instant / interval)
    mine = (index + crc32(uid.encode())) % EVERY == 0
    return Gap(interval, index, index, phase) if mine else None


def share_of(value: float) -> float:
    """Read a share of good requests; NaN where the query answers with something else."""
    return min(value, 1.0) if 0.0 <= value <= 1.0 + _SLACK else math.nan

"""Regular rate series and the means of arbitrary windows of them.

Windows are measured in lead times, so their edges fall between samples. A rate sample stands for
the mean over the step that ends at it; the cumulative sum of such a series is piecewise linear,
and interpolating it gives the exact mean of any window in O(1), with no loop over services.
The sums are doubles: a mean is good to about 1e-16 of the sum of everything before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Floats

# Below this known share a mean, or a season, says more about the gap than about the load.
LEAST_KNOWN = 0.5


@dataclass(frozen=True)
class CumulativeRates:
    """Running sums of N series of T samples, each of shape (N, T + 1).

    Attributes
    ----------
    total
        Of the known rates.
    known
        Of ones where the rate is known.
    rough, rough_known
        Of the squared differences between neighbouring known samples, and their count.
    """

    total: Floats
    known: Floats
    rough: Floats
    rough_known: Floats

    @classmethod
    def of(cls, rates: Floats) -> CumulativeRates:
        """Sum ``rates`` of shape (N, T), requests/s, NaN where unknown."""
        known = np.isfinite(rates)
        steps = np.diff(rates, axis=1, prepend=np.nan)
        pairs = np.isfinite(steps)
        return cls(
            total=_running(np.where(known, rates, 0.0)),
            known=_running(known.astype(np.float64)),
            rough=_running(np.where(pairs, steps, 0.0) ** 2),
            rough_known=_running(pairs.astype(np.float64)),
        )

    def means(self, starts: Floats, ends: Floats) -> Floats:
        """Mean rate of windows, NaN where less than half of a window is known.

        Parameters
        ----------
        starts, ends
            Window edges in samples from the left edge of the series, shape (N, K). Edges outside
            of the series count as unknown.
        """
        return self._ratio(self.total, self.known, starts, ends)

    def roughness(self, starts: Floats, ends: Floats) -> Floats:
        """Mean squared difference of neighbouring samples in windows; arguments as for means."""
        return self._ratio(self.rough, self.rough_known, starts, ends)

    def _ratio(self, total: Floats, known: Floats, starts: Floats, ends: Floats) -> Floats:
        """Divide what windows hold of two running sums; NaN where less than half is known.

        All that is read off the sums goes through here: the simulator, which looks at a whole path
        at once, has a compiled one.
        """
        weight = _at(known, ends) - _at(known, starts)
        value = _at(total, ends) - _at(total, starts)
        enough = weight >= LEAST_KNOWN * (ends - starts)
        return np.where(enough, value / np.where(weight > 0, weight, 1.0), np.nan)


def _running(values: Floats) -> Floats:
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _at(sums: Floats, edges: Floats) -> Floats:
    """Interpolate running sums at fractional sample counts; flat outside of the series."""
    last = sums.shape[1] - 1
    inside = np.clip(edges, 0.0, last)
    below = inside.astype(np.int64)
    rows = np.arange(sums.shape[0])[:, None]
    left: Floats = sums[rows, below]
    right: Floats = sums[rows, np.minimum(below + 1, last)]
    between: Floats = left + (right - left) * (inside - below)
    return between

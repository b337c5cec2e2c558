"""How much of the way from the tuned HPA to the best possible a contender goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Floats

# Where what is left to win is less than this share of the clairvoyant's dollars, the ratio of two
# small differences says nothing: dollars speak there.
LEAST_GAP = 0.02


def closure(dollars: Floats, tuned: Floats, best: Floats) -> Floats:
    """``(x - tuned HPA) / (clairvoyant - tuned HPA)``: 0 is the tuned HPA, 1 the best possible.

    Parameters
    ----------
    dollars, tuned, best
        Dollars per day of the contender, the tuned HPA and the clairvoyant; shapes broadcast.

    Returns
    -------
    numpy.ndarray
        NaN where the gap is under :data:`LEAST_GAP` of the clairvoyant's dollars.
    """
    gap = best - tuned
    wide = (gap > 0) & (gap >= LEAST_GAP * np.abs(best))
    return np.where(wide, (dollars - tuned) / np.where(wide, gap, 1.0), np.nan)


def pooled_closure(dollars: Floats, tuned: Floats, best: Floats) -> Floats:
    """Closure of the sums over services, shape (..., N) -> (...); NaN where nothing is to be won.

    No service is left out: a small gap weighs little by itself.
    """
    gap: Floats = (best - tuned).sum(axis=-1)
    won: Floats = (dollars - tuned).sum(axis=-1)
    return np.where(gap > 0, won / np.where(gap > 0, gap, 1.0), np.nan)

"""Quantiles of durations of which some were cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

# Survival is a product of fractions: 0.30000000000000004 is 0.3.
_ROUNDING = 1e-9


def quantile(durations: Sequence[float], cut_short: Sequence[float], share: float) -> float:
    """Estimate a quantile by the product-limit of Kaplan and Meier (1958).

    A pod that was deleted while it warmed says only that its start would have taken longer. To
    leave it out would make starts look quicker the more of them were cancelled; to count its age
    as a start would do so even more.

    Parameters
    ----------
    durations
        That came to their end, s.
    cut_short
        Ages at which others were given up, s.
    share
        Of all that are no longer than the quantile, in (0, 1).

    Returns
    -------
    The shortest of ``durations`` that at most ``1 - share`` outlast, s. Where all of them together
    leave more than that, the longest age that was seen: it took that long, at the least.

    Raises
    ------
    ValueError
        There is no duration at all.

    References
    ----------
    E. L. Kaplan and P. Meier, "Nonparametric Estimation from Incomplete Observations", Journal of
    the American Statistical Association 53 (1958) 457-481, equation 2b. One that ends and one that
    is cut short at the same age: the latter lasted longer.
    """
    if not len(durations):
        raise ValueError("a quantile needs one duration at least")
    ages = np.concatenate([np.asarray(durations, float), np.asarray(cut_short, float)])
    survival = 1.0
    for duration, ended in zip(*np.unique(durations, return_counts=True), strict=True):
        survival *= 1.0 - ended / np.count_nonzero(ages >= duration)
        if survival <= 1.0 - share + _ROUNDING:
            return float(duration)
    return float(ages.max())

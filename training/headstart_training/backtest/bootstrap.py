"""Paired bootstrap over services and their days.

Days are drawn whole, since the minutes of a day hang together, and the same days for everybody:
the difference of two contenders is that of the same loads.
Source: B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap (1993), sections 8 and 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.types import Floats, Ints
    from headstart_training.backtest.accounts import Account

DRAWS = 2000
_LOW, _HIGH = 0.025, 0.975
_SERVICES_SEED = 2**32


class Interval(NamedTuple):
    """A figure and its 95 % interval; NaN where it has no value."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """Turn into plain values; NaN is null."""
        return {
            key: number if np.isfinite(number) else None
            for key, number in zip(self._fields, self, strict=True)
        }


def interval(value: float, draws: Floats) -> Interval:
    """Quantiles of the draws around a value; draws without a value are left out."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return Interval(value, np.nan, np.nan)
    low, high = np.quantile(finite, [_LOW, _HIGH])
    return Interval(value, float(low), float(high))


def draw_days(accounts: Sequence[Account], quantity: str, seed: int) -> Floats:
    """Mean per day of contenders of one service over days drawn with replacement.

    Parameters
    ----------
    accounts
        Of the contenders, on the same D days.
    quantity
        A field of :class:`Account`.
    seed
        Of the draws; services with their own ones have their bad days apart.

    Returns
    -------
    numpy.ndarray
        Shape (DRAWS, contenders); a single day is drawn again and again, and has no spread.
    """
    lengths = accounts[0].days
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(lengths), size=(DRAWS, len(lengths)))
    total = lengths[drawn].sum(axis=1)
    sums = np.stack([getattr(a, quantity)[drawn].sum(axis=1) for a in accounts], axis=1)
    # All days that were drawn may be unknown ones.
    return np.where(total[:, None] > 0, sums / np.maximum(total, 1e-9)[:, None], np.nan)


def draw_services(groups: Sequence[str]) -> Ints:
    """Draw services with replacement within their groups, shape (DRAWS, N).

    The share of each class stays as it is: which services a user has is no chance.
    """
    rng = np.random.default_rng(_SERVICES_SEED)
    names = np.array(groups)
    drawn = np.empty((DRAWS, len(groups)), dtype=np.int64)
    for group in sorted(set(groups)):
        rows = np.flatnonzero(names == group)
        drawn[:, rows] = rows[rng.integers(len(rows), size=(DRAWS, len(rows)))]
    return drawn

"""Propose a capacity from what a service was seen to serve: the input that people do not know.

Where a latency or error query says in which minutes the SLO held, capacity is the rate per ready
replica above which it does not. Where none does, or where it held throughout, all that is known is
a lower bound: the most that a replica was seen to serve. A flat top of the rate per replica is *no*
evidence of saturation: an autoscaler that holds a utilisation makes the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.loads.gaps import runs

if TYPE_CHECKING:
    from headstart_policy.types import Bools, Floats, Ints

# A fleet that serves this share of what it can may have turned more away.
SATURATED = 0.95
# The most that was served, but for one step in a hundred: counters stutter, and a replica may be
# lucky for a minute.
_MOST = 0.99
_LEAST_STEPS = 60
# Fewer separate failures than these may have had any cause.
_LEAST_FAILURES = 3
# How much more often a service fails above its capacity at least, and just below it at most.
_FAILS_TIMES = 2.0
_FAILS_MORE = 0.1
# Log-likelihood that a split must explain: independent failures reach 5, those that last for some
# minutes ten times as much; a fleet that was too small for an hour reaches hundreds.
_LEAST_GAIN = 50.0
# "Just below" is a tenth.
_JUST = 0.9
# Minutes are alike, hours less so: the bootstrap draws blocks of them. The interval is of 90 %.
_BLOCK = 60
_REPEATS = 200
_TAIL = 0.05


class Capacity(NamedTuple):
    """Requests/s that one ready replica serves within its SLO, as far as a recording tells."""

    estimate: float
    low: float
    """Lower end of the 90 % interval."""
    high: float
    """Upper end; infinite where the estimate is a lower bound."""
    words: str
    """What it rests on, and how sure it is."""

    @property
    def lower_bound(self) -> bool:
        """Whether a replica may serve any amount more."""
        return self.high == float("inf")


def saturated(rate: Floats, ready: Floats, capacity: float) -> Bools:
    """Whether a rate may have been cut off by what was ready, shape (T,).

    A counter of served requests flattens exactly when replicas are missing: demand is at least
    this. Nothing is flagged where rate or ready replicas are unknown (NaN), or nothing came.
    """
    flagged: Bools = (rate >= SATURATED * ready * capacity) & (rate > 0)
    return flagged


def propose(rate: Floats, ready: Floats, held: Floats | None = None) -> Capacity | None:
    """Propose a capacity; ``None`` where less than an hour of steps says anything.

    Parameters
    ----------
    rate, ready
        Requests/s and ready replicas of each step, NaN where unknown, shape (T,).
    held
        Whether the SLO held, 1 or 0, NaN where unknown, shape (T,); ``None``: nothing is known.
    """
    each, steps = _per_replica(rate, ready)
    if held is not None:
        known = np.isfinite(held[steps])
        each, steps = each[known], steps[known]
    if each.size < _LEAST_STEPS:
        return None
    if held is None:
        return _at_least(each, steps, "nothing says whether the SLO held")
    failed = held[steps] == 0
    failures = runs(held == 0)[0].size
    if failures < _LEAST_FAILURES:
        return _at_least(
            each[~failed], steps[~failed], f"the SLO failed {failures} times, which says little"
        )
    limit, below, above, gain = _split(each, failed)
    if above < _FAILS_TIMES * below or gain < _LEAST_GAIN:
        return _at_least(
            each[~failed],
            steps[~failed],
            f"the SLO fails in {below:.1%} of the steps up to {limit:.3g} requests/s per replica "
            f"and in {above:.1%} beyond: too little of it depends on the load",
        )
    drawn = [_safe(each[rows], failed[rows]) for rows in _blocks(steps)]
    low, high = np.quantile(drawn, [_TAIL, 1 - _TAIL])
    return Capacity(
        _safe(each, failed),
        float(low),
        float(high),
        f"above {limit:.3g} requests/s per replica the SLO fails in {above:.0%} of the steps, "
        f"below in {below:.1%}; {failures} failures in {each.size:,} steps",
    )


def _per_replica(rate: Floats, ready: Floats) -> tuple[Floats, Ints]:
    """Rates per ready replica while those did not change, and the steps that they are of.

    Where replicas come or go within a step, nobody knows how many served it.
    """
    usable = np.isfinite(rate) & (rate > 0) & (ready > 0)
    steady = usable.copy()
    steady[1:] &= ready[1:] == ready[:-1]
    steady[:-1] &= ready[:-1] == ready[1:]
    steps = np.flatnonzero(steady if steady.sum() >= _LEAST_STEPS else usable)
    return rate[steps] / ready[steps], steps


def _at_least(each: Floats, steps: Ints, why: str) -> Capacity | None:
    if each.size < _LEAST_STEPS:
        return None
    most = float(np.quantile(each, _MOST))
    low = np.quantile([np.quantile(each[rows], _MOST) for rows in _blocks(steps)], _TAIL)
    return Capacity(
        most,
        float(low),
        float("inf"),
        f"a lower bound: the most that a replica served in {each.size:,} steps; {why}",
    )


def _split(each: Floats, failed: Bools) -> tuple[float, float, float, float]:
    """Find the rate per replica that best parts steps that failed from those that held.

    Maximum likelihood of two Bernoulli shares on either side (Hinkley and Hinkley 1970, Inference
    about the change-point in a sequence of binomial variables, Biometrika 57).

    Returns
    -------
    tuple
        The rate, the share of failures up to it and beyond, and what the split adds to the
        log-likelihood.
    """
    order = np.argsort(each)
    ranked = each[order]
    total = np.cumsum(failed[order])
    count = np.arange(1, each.size)
    below = total[:-1] / count
    above = (total[-1] - total[:-1]) / (each.size - count)
    likelihood = count * _entropy(below) + (each.size - count) * _entropy(above)
    likelihood[(above <= below) | (ranked[1:] == ranked[:-1])] = -np.inf
    best = int(likelihood.argmax())
    gain = likelihood[best] - each.size * _entropy(failed.mean(keepdims=True))[0]
    limit = ranked[best : best + 2].mean()
    return float(limit), float(below[best]), float(above[best]), float(gain)


def _entropy(share: Floats) -> Floats:
    """Mean log-likelihood of a Bernoulli share, 0 at both ends."""
    inner = np.clip(share, 1e-12, 1 - 1e-12)
    value: Floats = inner * np.log(inner) + (1 - inner) * np.log1p(-inner)
    return value


def _safe(each: Floats, failed: Bools) -> float:
    """Highest rate just below which the SLO seldom fails: the split, unless it fails by degrees."""
    limit, below, _, _ = _split(each, failed)
    order = np.argsort(each)
    ranked = each[order]
    total = np.concatenate([[0], np.cumsum(failed[order])])
    last = np.arange(1, ranked.size + 1)
    first = np.searchsorted(ranked, _JUST * ranked)
    share = (total[last] - total[first]) / (last - first)
    fine = (ranked <= limit) & (share <= below + _FAILS_MORE)
    return float(ranked[fine][-1]) if fine.any() else limit


def _blocks(steps: Ints) -> list[Ints]:
    """Draw rows by whole blocks of time, with replacement, some hundred times."""
    rng = np.random.default_rng(0)
    parts = np.split(np.arange(steps.size), np.flatnonzero(np.diff(steps // _BLOCK)) + 1)
    return [
        np.concatenate([parts[k] for k in rng.integers(0, len(parts), len(parts))])
        for _ in range(_REPEATS)
    ]

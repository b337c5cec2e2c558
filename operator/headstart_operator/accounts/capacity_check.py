"""Is the declared capacity what a replica really serves? Only saturation tells.

Evidence is counted by how much of its declared capacity each ready replica got, in seconds: good
and bad ones where an sli says which, seconds of saturation where none does.

- With an sli: the load per replica that divides good from bad best is the capacity. Bad seconds at
  every load, as in an outage, divide nothing and say nothing.
- Without one: the rate is either what arrives or what is served. What is served stays at the
  capacity while there is more to serve, however many replicas there are; so seconds over the
  declared capacity that pile up at one load are a plateau, and the plateau is the capacity. A
  capacity that is lower than declared is not to be seen: those seconds look unsaturated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headstart_policy.types import Floats

# Edges of the bins: loads per ready replica, as multiples of the declared capacity, 5 % apart.
EDGES = 0.3 * 1.05 ** np.arange(50)
# A drift of more than this share is worth a warning: less is noise of the load balancer.
DRIFT = 0.15
# It takes so many intervals of evidence on either side, 10 minutes at 15 s.
ENOUGH = 40.0
# Evidence counts half after so many intervals, a day at 15 s.
HALF_LIFE = 5760.0
# A division is clear when it misplaces at most this share of the bad seconds.
UNCLEAR = 0.25
# A plateau holds this share of the saturated seconds within two neighbouring bins.
PLATEAU = 0.7
_BINS = len(EDGES) + 1


class Drift(NamedTuple):
    """The capacity is not as declared."""

    reason: str
    ratio: float
    """Of what a replica serves to what is declared."""


@dataclass(frozen=True)
class Evidence:
    """Intervals of each bin, forgotten with :data:`HALF_LIFE`.

    Attributes
    ----------
    good, bad
        With an sli.
    full
        Without one: those over the declared capacity.
    """

    good: tuple[float, ...] = (0.0,) * _BINS
    bad: tuple[float, ...] = (0.0,) * _BINS
    full: tuple[float, ...] = (0.0,) * _BINS

    def add(self, load: float, *, good: bool | None, intervals: float = 1.0) -> Evidence:
        """Count intervals at a load per ready replica, in declared capacities; ``None``: no sli."""
        if good is None and load < 1.0:
            return self
        name = {True: "good", False: "bad", None: "full"}[good]
        counts = np.array(getattr(self, name)) * 0.5 ** (intervals / HALF_LIFE)
        counts[int(np.searchsorted(EDGES, load, side="right"))] += intervals
        return replace(self, **{name: tuple(counts.tolist())})

    def drift(self) -> Drift | None:
        """Say how the capacity differs from what is declared; ``None``: it is not seen to."""
        ratio = self._divide() if any(self.bad) or any(self.good) else self._plateau()
        if ratio is None or abs(ratio - 1.0) <= DRIFT:
            return None
        return Drift("CapacityLower" if ratio < 1 else "CapacityHigher", ratio)

    @property
    def seen(self) -> bool:
        """Whether there was enough saturation to confirm the declared capacity."""
        return sum(self.bad) >= ENOUGH or sum(self.full) >= ENOUGH or self._well_above()

    def _divide(self) -> float | None:
        good, bad = np.array(self.good), np.array(self.bad)
        if bad.sum() < ENOUGH:
            # Nothing fails. Where it was tried for long over what is declared, that is too little.
            return _quantile(good, ENOUGH) if self._well_above() else None
        # Dividing before bin k: the bad below it and the good from it on are misplaced.
        below = np.concatenate([[0.0], np.cumsum(bad)])
        above = good.sum() - np.concatenate([[0.0], np.cumsum(good)])
        wrong = below + above
        # Between the best that was good and the least that was bad nobody knows: in the middle.
        best = np.flatnonzero(wrong <= wrong.min() + 1e-9)
        k = int(best[len(best) // 2])
        clear = wrong[k] <= UNCLEAR * bad.sum() and good[:k].sum() >= ENOUGH
        return float(EDGES[min(max(k - 1, 0), _BINS - 2)]) if clear else None

    def _well_above(self) -> bool:
        first = int(np.searchsorted(EDGES, 1.0 + DRIFT, side="right"))
        return sum(self.good[first:]) >= ENOUGH and not any(self.bad[:first])

    def _plateau(self) -> float | None:
        full = np.array(self.full)
        if full.sum() < ENOUGH:
            return None
        pairs = full[:-1] + full[1:]
        k = int(pairs.argmax())
        return float(EDGES[k]) if pairs[k] >= PLATEAU * full.sum() else None

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values, empty bins left out; the inverse is :meth:`from_json`."""
        return {
            name: {str(k): round(count, 3) for k, count in enumerate(counts) if count >= 0.001}  # noqa: PLR2004
            for name, counts in vars(self).items()
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Evidence:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            The document is none of ours.
        """
        return cls(**{name: _counts(document[name]) for name in ("good", "bad", "full")})


def _quantile(counts: Floats, above: float) -> float:
    """The load that was exceeded for so many intervals."""
    over = np.cumsum(counts[::-1])[::-1]
    return float(EDGES[max(int(np.flatnonzero(over >= above)[-1]) - 1, 0)])


def _counts(document: Mapping[str, Any]) -> tuple[float, ...]:
    counts = [0.0] * _BINS
    for key, value in document.items():
        index, count = int(key), float(value)
        if not (0 <= index < _BINS and math.isfinite(count) and count >= 0):
            raise ValueError(f"{key}: {value} is no count of a bin")
        counts[index] = count
    return tuple(counts)

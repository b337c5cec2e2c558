"""Whether replicas were scaled ahead: rises of demand that were met before they came."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

# A rise is this many replicas or more, within this many lead times or fewer.
RISE_REPLICAS = 3
RISE_LEADS = 2.0
# Ahead means: this share of a lead time before demand.
AHEAD_LEADS = 0.5


class Rise(NamedTuple):
    """Demand went up by :data:`RISE_REPLICAS` or more within two lead times."""

    start: int
    """Step from which it rose."""
    end: int
    """First step at which demand was at the level."""
    level: float
    """Demand at its end."""
    led: bool
    """Whether desired was at the level half a lead time before demand, or earlier."""


def rises(demand: Sequence[float], desired: Sequence[float], lead_steps: float) -> list[Rise]:
    """Find the rises of demand and say of each whether desired led it.

    Parameters
    ----------
    demand
        Replicas that the load of each step needs, before any margin.
    desired
        Replicas asked for in each step, of the same length.
    lead_steps
        Lead time in steps, above 0.

    Returns
    -------
    list of Rise
        In order of time and without overlap: a rise ends at the first step whose demand is
        :data:`RISE_REPLICAS` above the least of the two lead times before, and the search goes on
        from there. A rise whose half lead time before lies before the first step is left out:
        nobody can tell.

    Raises
    ------
    ValueError
        Paths of different lengths, or a lead time of 0.

    Notes
    -----
    That desired was at the level must hold throughout the time from half a lead time before to
    when demand gets there: who asked and took it back had nothing ready.
    """
    if len(demand) != len(desired):
        raise ValueError(f"demand has {len(demand)} steps, desired has {len(desired)}")
    if lead_steps <= 0:
        raise ValueError(f"lead_steps = {lead_steps}, must be above 0")
    span, ahead = math.floor(RISE_LEADS * lead_steps), math.ceil(AHEAD_LEADS * lead_steps)
    found: list[Rise] = []
    begin = 0
    for t in range(len(demand)):
        first = max(begin, t - span)
        start = min(range(first, t + 1), key=lambda k: (demand[k], -k))
        if demand[t] - demand[start] < RISE_REPLICAS:
            continue
        begin = t
        if t >= ahead:
            led = bool(min(desired[t - ahead : t + 1]) >= demand[t])
            found.append(Rise(start, t, float(demand[t]), led))
    return found


def scaled_ahead(found: Sequence[Rise]) -> bool:
    """Most of the rises were led; of none at all nobody can say so."""
    return 2 * sum(rise.led for rise in found) > len(found)

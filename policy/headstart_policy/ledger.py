"""Accounts of what Headstart costs against what else could have decided, on the load that came.

Four accounts a service, each in dollars and in seconds of violation:

======== ==========================================================================================
own      what the policy and its guardrails asked for: the decision as it was taken
choice   what the policy would have asked for had it not been demoted; its regret is judged by this
reactive what the reactive formula would have asked for, at 70 %, through the same bounds
actual   what really ran: pods that were ready, replicas that were asked for
======== ==========================================================================================

All but ``actual`` are priced by the physics that the selector prices candidates by
(:func:`headstart_policy.selector.relive`): ready is the least that was asked for over a lead time,
violations are expectations over the capacity noise, and a saturated interval never speaks for fewer
replicas. Costs are replicas, violations, and what was not earned by requests that were not
served: what serving all of them would have earned, less the dollars of the physics. So a cost is
never negative, and two accounts differ by what the physics say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_policy.behavior import NO_LIMIT
from headstart_policy.physics import expected_outcome
from headstart_policy.profile import Profiles
from headstart_policy.selector import (
    HALF_LIFE,
    LONGEST_LEAD,
    Fleet,
    no_dearer_than_leaner,
    push,
    relive,
    stand_by,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_policy.types import Bools, Floats, Ints

NAMES = ("own", "choice", "reactive", "actual")
OWN, CHOICE, REACTIVE, ACTUAL = range(len(NAMES))
# Those of them that are asked, rather than looked at.
ASKED = 3


class Accounts(NamedTuple):
    """What N services came to so far.

    Attributes
    ----------
    dollars
        Spent, shape (N, 4).
    violation
        Seconds under the SLO, expected, shape (N, 4).
    seconds
        That were priced, shape (N,).
    regret
        What the choice cost more than the reactive formula, dollars: discounted, at least 0,
        shape (N,).
    fleet, weight
        Discounted sum of what the reactive formula asked for, replicas, and of the intervals,
        shape (N,).
    asked
        In the newest intervals, newest first, shape (N, 3, W); all of it -1 before the first.
    ready
        Replicas that served when the newest was asked, shape (N,); -1 before the first.
    """

    dollars: Floats
    violation: Floats
    seconds: Floats
    regret: Floats
    fleet: Floats
    weight: Floats
    asked: Ints
    ready: Ints

    @classmethod
    def begin(cls, services: int, lead_steps: int) -> Accounts:
        """Open accounts for N services whose lead time is at most ``lead_steps`` intervals."""
        width = min(lead_steps, LONGEST_LEAD) + 1
        return cls(
            dollars=np.zeros((services, len(NAMES))),
            violation=np.zeros((services, len(NAMES))),
            seconds=np.zeros(services),
            regret=np.zeros(services),
            fleet=np.zeros(services),
            weight=np.zeros(services),
            asked=np.full((services, ASKED, width), -1, dtype=np.int64),
            ready=np.full(services, -1, dtype=np.int64),
        )

    @classmethod
    def stack(cls, parts: Sequence[Accounts]) -> Accounts:
        """Put services side by side; shorter pasts are padded with what is not looked at."""
        if len(parts) == 1:
            return parts[0]
        widest = max(part.asked.shape[2] for part in parts)
        asked = np.full((len(parts), ASKED, widest), -1, dtype=np.int64)
        for row, part in zip(asked, parts, strict=True):
            row[:, : part.asked.shape[2]] = part.asked[0]
        return cls(
            dollars=np.concatenate([part.dollars for part in parts]),
            violation=np.concatenate([part.violation for part in parts]),
            seconds=np.concatenate([part.seconds for part in parts]),
            regret=np.concatenate([part.regret for part in parts]),
            fleet=np.concatenate([part.fleet for part in parts]),
            weight=np.concatenate([part.weight for part in parts]),
            asked=asked,
            ready=np.concatenate([part.ready for part in parts]),
        )

    def row(self, i: int) -> Accounts:
        """Take service i as it stands."""
        if len(self.seconds) == 1:
            return self
        row = slice(i, i + 1)
        return Accounts(
            self.dollars[row],
            self.violation[row],
            self.seconds[row],
            self.regret[row],
            self.fleet[row],
            self.weight[row],
            self.asked[row],
            self.ready[row],
        )

    def one(self, i: int, lead_steps: int) -> Accounts:
        """Take service i, whose lead time is ``lead_steps`` intervals.

        Where it is longer than it was, the oldest that is known stands for what was before.
        """
        width, row = min(lead_steps, LONGEST_LEAD) + 1, self.row(i)
        asked = row.asked[:, :, :width]
        if asked.shape[2] < width:
            asked = np.pad(asked, ((0, 0), (0, 0), (0, width - asked.shape[2])), mode="edge")
        return row._replace(asked=asked)

    def resume(self, missed: int) -> Accounts:
        """Go on after so many intervals without a decision (:func:`selector.resume`)."""
        return self._replace(asked=stand_by(self.asked, missed))

    def to_json(self) -> dict[str, Any]:
        """Turn one service's accounts into plain values; the inverse is :meth:`from_json`."""
        return {
            "dollars": _round(self.dollars[0]),
            "violation": _round(self.violation[0]),
            "seconds": float(self.seconds[0]),
            "regret": float(self.regret[0]),
            "fleet": float(self.fleet[0]),
            "weight": float(self.weight[0]),
            "asked": self.asked[0].tolist(),
            "ready": int(self.ready[0]),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Accounts:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            The document holds no accounts.
        """
        asked = np.array(document["asked"])
        if asked.ndim != 2 or len(asked) != ASKED or asked.dtype.kind != "i":  # noqa: PLR2004
            raise ValueError(f"asked has shape {asked.shape}, must have ({ASKED}, W) of integers")
        if not 1 <= asked.shape[1] <= LONGEST_LEAD + 1:
            raise ValueError(f"asked has {asked.shape[1]} intervals, at most {LONGEST_LEAD + 1}")
        if not ((asked >= 0).all() or (asked == -1).all()) or asked.max() > NO_LIMIT:
            raise ValueError("asked has holes, or more than Kubernetes can count")
        ready = int(document["ready"])
        if not -1 <= ready <= NO_LIMIT:
            raise ValueError(f"ready = {ready}, must be in [-1, {NO_LIMIT}]")
        return cls(
            dollars=_amounts(document["dollars"], len(NAMES)),
            violation=_amounts(document["violation"], len(NAMES)),
            seconds=_amounts([document["seconds"]], 1)[0],
            regret=_amounts([document["regret"]], 1)[0],
            fleet=_amounts([document["fleet"]], 1)[0],
            weight=_amounts([document["weight"]], 1)[0],
            asked=asked[None].astype(np.int64),
            ready=np.array([ready], dtype=np.int64),
        )


class Step(NamedTuple):
    """What one interval of N services came to, for each account; 0 where nothing is known."""

    known: Bools
    """Whether it could be priced, shape (N,)."""
    dollars: Floats
    """Spent, shape (N, 4)."""
    violation: Floats
    """Probability that the SLO was missed, shape (N, 4)."""
    full: Bools
    """Whether the fleet that ran was saturated, shape (N,)."""
    served: Ints
    """Replicas that were ready all through it, shape (N,)."""


def price(
    accounts: Accounts, rate: Floats, fleet: Fleet, profiles: Profiles, lead_steps: Ints
) -> Step:
    """Price the interval that has just passed.

    Parameters
    ----------
    accounts
        Of N services, as they were before it.
    rate
        Requests/s that came, shape (N,); NaN: unknown, nothing is priced.
    fleet
        What really ran.
    profiles
        Of the N services.
    lead_steps
        Whole intervals from asking to ready, shape (N,).
    """
    past = relive(accounts.asked, accounts.ready, rate, fleet, profiles, lead_steps)
    ready = np.column_stack([past.ready, past.served])
    asked = np.column_stack([past.asked, fleet.current])
    # Columns, which numpy stretches over the accounts.
    each = Profiles(**{name: value[:, None] for name, value in vars(profiles).items()})
    came = past.rate[:, None]
    outcome = expected_outcome(came, np.maximum(ready, 0), asked, each, each.capacity_correlation)
    spent = came * each.request_value * each.interval - outcome.dollars
    if past.full.any():
        spent[past.full] = no_dearer_than_leaner(spent[past.full], ready[past.full])
    known = past.known[:, None]
    return Step(
        known=past.known,
        dollars=np.where(known, spent, 0.0),
        violation=np.where(known, outcome.violation, 0.0),
        full=past.full,
        served=past.served,
    )


def enter(accounts: Accounts, step: Step, profiles: Profiles) -> Accounts:
    """Add an interval to the accounts, and to the regret.

    The regret counts what the choice has cost more than the reactive formula, never below 0: what a
    policy has earned is no licence to waste it later. Source: Page 1954, Continuous Inspection
    Schemes, Biometrika 41, 100-115; it fades with the selector's half-life.
    """
    keep = np.where(step.known, 0.5 ** (profiles.interval / (HALF_LIFE * profiles.lead_time)), 1.0)
    more = step.dollars[:, CHOICE] - step.dollars[:, REACTIVE]
    asked = np.where(step.known, accounts.asked[:, REACTIVE, 0], 0)
    return accounts._replace(
        dollars=accounts.dollars + step.dollars,
        violation=accounts.violation + step.violation * profiles.interval[:, None],
        seconds=accounts.seconds + np.where(step.known, profiles.interval, 0.0),
        regret=np.maximum(keep * accounts.regret + more, 0.0),
        fleet=keep * accounts.fleet + asked,
        weight=keep * accounts.weight + step.known,
    )


def remember(accounts: Accounts, asked: Ints, ready: Ints, lost: Bools, loaded: Bools) -> Accounts:
    """Note what is asked for now.

    Parameters
    ----------
    accounts
        Of N services.
    asked
        Of own, choice and reactive, after the guardrails, shape (N, 3).
    ready
        Replicas that serve, shape (N,).
    lost
        Whether there is no rate to decide on, shape (N,): all hold.
    loaded
        Whether the history is loaded, shape (N,): on half of it nobody knows what they ask for.
    """
    pushed = push(accounts.asked, asked, ready, lost)
    return accounts._replace(
        asked=np.where(loaded[:, None, None], pushed, accounts.asked),
        ready=np.where(loaded, ready, accounts.ready),
    )


def _amounts(values: Any, count: int) -> Floats:
    """Read amounts that somebody may have edited by hand, shape (1, count)."""
    amounts = np.array(values, dtype=np.float64)
    if amounts.shape != (count,) or not (np.isfinite(amounts) & (amounts >= 0)).all():
        raise ValueError(f"{values} must be {count} finite numbers of at least 0")
    return amounts[None]


def _round(values: Floats) -> list[float]:
    """A status is read by people too: a billionth of a dollar is none."""
    return [round(value, 9) for value in values.tolist()]

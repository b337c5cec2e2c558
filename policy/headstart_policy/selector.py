"""Chooses among candidates by what each would have cost on the load that really came.

No decision changes the load, so every interval that passed prices every candidate, tried or not:
what it would have asked for, what would have been ready, what that would have cost. The selector
follows the leader. Candidates are the policy's network at several hedges and the reactive formula,
so a policy that suits a service badly is hedged, or given up, on the evidence of that service.

All candidates are priced as the guardrails would have let them pass. An interval in which the
fleet was saturated never speaks for fewer replicas: its recorded rate is what was served, not what
came.

Source: the hindsight of problems with exogenous inputs, Sinclair et al. 2023, Hindsight Learning
for MDPs with Exogenous Inputs; following a discounted leader, Cesa-Bianchi and Lugosi 2006,
Prediction, Learning, and Games, sections 2.11 and 4.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_policy.features import features, references
from headstart_policy.observation import recent_peak
from headstart_policy.physics import expected_outcome
from headstart_policy.profile import Profiles
from headstart_policy.reactive import ceil_replicas, reactive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_policy.artifact import Policy
    from headstart_policy.network import Network
    from headstart_policy.observation import Observation
    from headstart_policy.types import Bools, Floats, Ints

# Multiples of what the network asks for.
HEDGES = (0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.6, 2.0)
# Utilisations of the reactive formula.
UTILIZATIONS = (0.5, 0.7)
NAMES = (
    *(f"network x {hedge:g}" if hedge != 1 else "network" for hedge in HEDGES),
    *(f"reactive at {utilization:.0%}" for utilization in UTILIZATIONS),
)
NETWORK = HEDGES.index(1.0)
# Lead times after which what was learned counts half: a week at a lead time of 5 minutes.
HALF_LIFE = 2000.0
# Lead times that the prior counts for.
PRIOR_WEIGHT = 600.0
# Costs per interval, in replicas per replica of the mean fleet, before anything was seen: what a
# hedge wastes. The network is believed until a service shows otherwise.
PRIOR = np.array(
    [0.5 * abs(math.log(hedge)) for hedge in HEDGES] + [0.25 for _ in UTILIZATIONS],
    dtype=np.float64,
)
# The leader must be better by this share of the mean fleet, so that equals do not take turns.
MARGIN = 0.005
# A rate of this share of what is ready may have been cut off.
SATURATED = 0.95
# Intervals that a decision can be in the making; an envelope does not reach further.
LONGEST_LEAD = 64


@dataclass(frozen=True)
class Scores:
    """What the selector knows of N services.

    Attributes
    ----------
    costs
        Discounted costs of each candidate, in replicas paid for an interval, shape (N, C).
    weight
        Discounted number of intervals, shape (N,).
    fleet
        Discounted sum of the demand, replicas, shape (N,).
    asked
        What each candidate would have asked for in the newest intervals, newest first, shape
        (N, C, W); -1 before the first.
    chosen
        Index of the candidate that is followed, shape (N,).
    """

    costs: Floats
    weight: Floats
    fleet: Floats
    asked: Ints
    chosen: Ints

    @classmethod
    def begin(cls, services: int, lead_steps: int) -> Scores:
        """Know nothing of N services whose lead time is at most ``lead_steps`` intervals."""
        width = min(lead_steps, LONGEST_LEAD) + 1
        return cls(
            costs=np.zeros((services, len(NAMES))),
            weight=np.zeros(services),
            fleet=np.zeros(services),
            asked=np.full((services, len(NAMES), width), -1, dtype=np.int64),
            chosen=np.full(services, NETWORK, dtype=np.int64),
        )

    @classmethod
    def stack(cls, parts: Sequence[Scores]) -> Scores:
        """Put services side by side; the shorter pasts are padded."""
        width = max(part.asked.shape[2] for part in parts)
        asked = np.full((len(parts), len(NAMES), width), -1, dtype=np.int64)
        for row, part in zip(asked, parts, strict=True):
            row[:, : part.asked.shape[2]] = part.asked[0]
        return cls(
            costs=np.concatenate([part.costs for part in parts]),
            weight=np.concatenate([part.weight for part in parts]),
            fleet=np.concatenate([part.fleet for part in parts]),
            asked=asked,
            chosen=np.concatenate([part.chosen for part in parts]),
        )

    def one(self, i: int, lead_steps: int) -> Scores:
        """Take service i, whose lead time is ``lead_steps`` intervals."""
        width, row = min(lead_steps, LONGEST_LEAD) + 1, slice(i, i + 1)
        asked = self.asked[row, :, :width]
        if asked.shape[2] < width:
            missing = width - asked.shape[2]
            asked = np.pad(asked, ((0, 0), (0, 0), (0, missing)), constant_values=-1)
        return Scores(self.costs[row], self.weight[row], self.fleet[row], asked, self.chosen[row])

    def to_json(self) -> dict[str, Any]:
        """Turn one service's scores into plain values; the inverse is :meth:`from_json`."""
        return {
            "costs": [round(float(cost), 3) for cost in self.costs[0]],
            "weight": round(float(self.weight[0]), 3),
            "fleet": round(float(self.fleet[0]), 3),
            "asked": self.asked[0].tolist(),
            "chosen": int(self.chosen[0]),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Scores:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            The document holds no scores, or those of other candidates.
        """
        scores = cls(
            costs=np.array([document["costs"]], dtype=np.float64),
            weight=np.array([document["weight"]], dtype=np.float64),
            fleet=np.array([document["fleet"]], dtype=np.float64),
            asked=np.array([document["asked"]], dtype=np.int64),
            chosen=np.array([document["chosen"]], dtype=np.int64),
        )
        shapes = (scores.costs.shape, scores.asked.shape[:2])
        if shapes != ((1, len(NAMES)), (1, len(NAMES))) or scores.asked.ndim != 3:  # noqa: PLR2004
            raise ValueError(f"scores have shapes {shapes}, there are {len(NAMES)} candidates")
        if not 0 <= scores.chosen[0] < len(NAMES) or not np.isfinite(scores.costs).all():
            raise ValueError("scores choose an unknown candidate, or are not finite")
        return scores


class Fleet(NamedTuple):
    """What ran in the interval that has just passed, each of shape (N,)."""

    ready: Ints
    current: Ints


def propose(policy: Policy, observation: Observation) -> Ints:
    """Ask all candidates, shape (N, C)."""
    return propose_by(policy.network, observation)


def propose_by(network: Network, observation: Observation) -> Ints:
    """Ask a network at all hedges, and the reactive formula, shape (N, C)."""
    exact = network.replicas(features(observation), references(observation))
    hedged = ceil_replicas(exact[:, None] * np.array(HEDGES))
    peak, capacity = recent_peak(observation), observation.profiles.capacity
    formula = [reactive(peak, capacity, utilization) for utilization in UTILIZATIONS]
    return np.concatenate([hedged, np.stack(formula, axis=1)], axis=1)


def price(rate: Floats, ready: Ints, asked: Ints, profiles: Profiles) -> Floats:
    """Cost of an interval for each of C candidates, in replicas paid for an interval.

    What serving earns is set against it, so a cost can be negative.

    Parameters
    ----------
    rate
        Requests/s that came, shape (N,).
    ready, asked
        Of each candidate, shape (N, C).
    profiles
        Of the N services.
    """
    rows = np.repeat(np.arange(len(rate)), ready.shape[1])
    each = Profiles(**{name: value[rows] for name, value in vars(profiles).items()})
    dollars = expected_outcome(
        rate[rows], ready.ravel(), asked.ravel(), each, each.capacity_correlation
    ).dollars
    costs: Floats = -dollars / (each.replica_cost * each.interval)
    return costs.reshape(ready.shape)


def learn(
    scores: Scores, rate: Floats, fleet: Fleet, profiles: Profiles, lead_steps: Ints
) -> Scores:
    """Price the interval that has just passed.

    Parameters
    ----------
    scores
        Of N services.
    rate
        Requests/s that came, shape (N,); NaN: unknown, nothing is learned of that service.
    fleet
        What really ran, for saturated intervals.
    profiles
        Of the N services.
    lead_steps
        Whole intervals from asking to ready, shape (N,).
    """
    width = scores.asked.shape[2]
    within = np.arange(width) <= np.minimum(lead_steps, LONGEST_LEAD)[:, None]
    # Before the first interval there was the fleet that ran.
    asked = np.where(scores.asked >= 0, scores.asked, fleet.ready[:, None, None])
    ready = np.where(within[:, None, :], asked, np.iinfo(np.int64).max).min(axis=2)
    known = np.isfinite(rate) & (scores.asked[:, 0, 0] >= 0)
    came = np.where(known, rate, 0.0)
    full = came >= SATURATED * fleet.ready * profiles.capacity
    least_ready = np.where(full, fleet.ready, 0)[:, None]
    least_asked = np.where(full, fleet.current, 0)[:, None]
    cost = price(
        came, np.maximum(ready, least_ready), np.maximum(asked[..., 0], least_asked), profiles
    )
    return passed(scores, cost, came / profiles.capacity, known, profiles)


def passed(
    scores: Scores, cost: Floats, demand: Floats, known: Bools, profiles: Profiles
) -> Scores:
    """Add the costs of an interval, shape (N, C), where they are known, and choose anew."""
    keep = np.where(known, 0.5 ** (profiles.interval / (HALF_LIFE * profiles.lead_time)), 1.0)
    costs = keep[:, None] * scores.costs + np.where(known[:, None], cost, 0.0)
    weight = keep * scores.weight + known
    fleet = keep * scores.fleet + np.where(known, demand, 0.0)
    # The prior fades as evidence comes; it is priced by the mean fleet, and by one replica more.
    size = fleet / np.maximum(weight, 1.0) + 1.0
    intervals = PRIOR_WEIGHT * profiles.lead_time / profiles.interval
    total = costs + PRIOR * (size * np.maximum(intervals - weight, 0.0))[:, None]
    leader = total.argmin(axis=1)
    rows = np.arange(len(leader))
    gain = total[rows, scores.chosen] - total[rows, leader]
    better = known & (gain > MARGIN * size * np.maximum(weight, intervals))
    chosen = np.where(better, leader, scores.chosen)
    return Scores(costs, weight, fleet, scores.asked, chosen)


def remember(scores: Scores, asked: Ints) -> Scores:
    """Note what the candidates asked for now, after the guardrails, shape (N, C)."""
    past = np.concatenate([asked[..., None], scores.asked[..., :-1]], axis=2)
    return Scores(scores.costs, scores.weight, scores.fleet, past, scores.chosen)


def why(scores: Scores, i: int) -> str:
    """Say in words why service i follows its candidate."""
    chosen, weight = int(scores.chosen[i]), float(scores.weight[i])
    if chosen == NETWORK:
        return NAMES[NETWORK]
    saved = (scores.costs[i, NETWORK] - scores.costs[i, chosen]) / max(weight, 1.0)
    return f"{NAMES[chosen]} (the network alone would have cost {saved:.2g} replicas more so far)"

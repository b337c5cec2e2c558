"""Chooses among candidates by what each would have cost on the load that really came.

No decision changes the load, so every interval that passed prices every candidate, tried or not:
what it would have asked for, what would have been ready, what that would have cost. The selector
follows the leader. Candidates are the policy's network with more or less of its margin, at several
hedges, halfway to an order-up-to rule, and the reactive formula, so a policy that suits a service
badly is corrected, hedged, or given up, on the evidence of that service.

All candidates are priced as the guardrails would have let them pass. An interval in which the
fleet was saturated never speaks for fewer replicas: its recorded rate is what was served, not what
came.

Source: the hindsight of problems with exogenous inputs, Sinclair et al. 2023, Hindsight Learning
for MDPs with Exogenous Inputs; the mean of two forecasts, Bates and Granger 1969, The Combination
of Forecasts; following a discounted leader, Cesa-Bianchi and Lugosi 2006, Prediction, Learning, and
Games, sections 2.11 and 4.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_policy.behavior import NO_LIMIT
from headstart_policy.features import REFERENCES, look
from headstart_policy.guardrails import FRESH_INTERVALS
from headstart_policy.network import on_grid
from headstart_policy.observation import recent_peak
from headstart_policy.physics import expected_outcome
from headstart_policy.profile import Profiles
from headstart_policy.reactive import ceil_replicas, reactive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_policy.network import Network
    from headstart_policy.observation import Observation
    from headstart_policy.types import Bools, Floats, Ints

# Multiples of the network's margin, which is what it asks for above the level of now. The network
# sets it wider where a load is noisy; a multiple of all that it asks for would take as much from a
# calm hour, whose margin is one replica, as from a wild one, whose margin is ten.
MARGINS = (0.6, 0.8, 0.9, 1.0, 1.15, 1.3)
# Multiples of all that it asks for, where it was taught too little of a service's like.
HEDGES = (1.1, 1.2, 1.35, 1.6, 2.0)
# Standard deviations of safety stock in a base stock, with which the network goes halves: what the
# two of them miss is not the same, and their mean often misses less (Bates and Granger 1969).
DEVIATIONS = (4.0, 4.5, 5.0, 6.0)
# Utilisations of the reactive formula.
UTILIZATIONS = (0.5, 0.7)
NAMES = (
    *(f"margin x {margin:g}" if margin != 1 else "network" for margin in MARGINS),
    *(f"network x {hedge:g}" for hedge in HEDGES),
    *(f"half base stock {deviations:g}" for deviations in DEVIATIONS),
    *(f"reactive at {utilization:.0%}" for utilization in UTILIZATIONS),
)
NETWORK = MARGINS.index(1.0)
_LEVEL = REFERENCES.index("level")
# Lead times after which what was learned counts half: a week at a lead time of 5 minutes.
HALF_LIFE = 2000.0
# The leader must be better by this share of the mean fleet, so that equals do not take turns.
MARGIN = 0.01
# A rate of this share of what is ready may have been cut off.
SATURATED = 0.95
# Beyond this, costs leave the floats, and nothing is ever beaten.
LARGEST_PRIOR = 1e6
# Intervals that a decision can be in the making; an envelope does not reach further.
LONGEST_LEAD = 64


@dataclass(frozen=True)
class Prior:
    """What is believed of the candidates before a service has shown anything.

    A policy's file carries it: how far its network can be trusted is known where it was trained.

    Attributes
    ----------
    costs
        Of each candidate, in the order of :data:`NAMES`: per interval, in replicas per replica of
        the mean fleet.
    lead_times
        As many lead times of evidence as the prior counts for.

    Raises
    ------
    ValueError
        Costs of another number of candidates, or numbers below 0 or above :data:`LARGEST_PRIOR`.
    """

    costs: tuple[float, ...]
    lead_times: float

    def __post_init__(self) -> None:
        """Refuse what cannot be weighed against evidence."""
        if len(self.costs) != len(NAMES):
            raise ValueError(f"a prior has {len(self.costs)} costs, must have {len(NAMES)}")
        for value in (*self.costs, self.lead_times):
            if not 0 <= value <= LARGEST_PRIOR:
                raise ValueError(
                    f"a prior's numbers must be in [0, {LARGEST_PRIOR:g}], one is {value}"
                )

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return {
            "costs": dict(zip(NAMES, self.costs, strict=True)),
            "lead_times": self.lead_times,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Prior:
        """Read what :meth:`to_json` wrote, in this version or an earlier one.

        What an earlier one did not know as a candidate is believed as :data:`BELIEF` has it, beside
        what the document says of its network.

        Raises
        ------
        KeyError, TypeError, ValueError
            The document holds no prior, or that of candidates that there never were.
        """
        costs = document["costs"]
        if unknown := set(costs) - set(NAMES) - set(_RETIRED):
            raise ValueError(f"a prior has costs of {sorted(unknown)}, must be of {sorted(NAMES)}")
        own = float(costs[NAMES[NETWORK]])
        believed = zip(NAMES, BELIEF.costs, strict=True)
        return cls(
            tuple(float(costs.get(name, own + cost)) for name, cost in believed),
            float(document["lead_times"]),
        )


# The network is believed until a service shows otherwise; a hedge costs what it wastes, and a
# margin is about an eighth of what is asked for. Six days at a lead time of 5 minutes: after
# fewer, one spike that was missed, or a day without any, speaks louder than all that the network
# has learned of them.
BELIEF = Prior(
    costs=(
        *(0.06 * abs(math.log(margin)) for margin in MARGINS),
        *(0.5 * abs(math.log(hedge)) for hedge in HEDGES),
        *(0.02 for _ in DEVIATIONS),
        *(0.25 for _ in UTILIZATIONS),
    ),
    lead_times=1800.0,
)
# What were candidates once: files from then have a prior of them, which nobody needs any more.
_RETIRED = (
    *(f"network x {hedge:g}" for hedge in (0.9, 0.95, 0.975, 1.025, 1.05)),
    *(f"margin x {margin:g}" for margin in (0.5, 0.7)),
)


class Scores(NamedTuple):
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
        (N, C, W), W the longest lead time and one more; all of it -1 before the first.
    ready
        Replicas that served when the newest was asked, shape (N,); -1 before the first.
    chosen
        Index of the candidate that is followed, shape (N,).
    """

    costs: Floats
    weight: Floats
    fleet: Floats
    asked: Ints
    ready: Ints
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
            ready=np.full(services, -1, dtype=np.int64),
            chosen=np.full(services, NETWORK, dtype=np.int64),
        )

    @classmethod
    def stack(cls, parts: Sequence[Scores]) -> Scores:
        """Put single services side by side; shorter pasts are padded with what is not looked at."""
        widths = np.array([part.asked.shape[2] for part in parts])
        asked = np.full((len(parts), len(NAMES), widths.max()), -1, dtype=np.int64)
        own = np.arange(widths.max()) < widths[:, None, None]
        asked[np.broadcast_to(own, asked.shape)] = np.concatenate(
            [part.asked.ravel() for part in parts]
        )
        return cls(
            costs=np.concatenate([part.costs for part in parts]),
            weight=np.concatenate([part.weight for part in parts]),
            fleet=np.concatenate([part.fleet for part in parts]),
            asked=asked,
            ready=np.concatenate([part.ready for part in parts]),
            chosen=np.concatenate([part.chosen for part in parts]),
        )

    def split(self, lead_steps: Ints) -> list[Scores]:
        """Take the services apart, whose lead times are ``lead_steps`` intervals, shape (N,)."""
        return [self.one(i, steps) for i, steps in enumerate(lead_steps.tolist())]

    def one(self, i: int, lead_steps: int) -> Scores:
        """Take service i, whose lead time is ``lead_steps`` intervals.

        Where it is longer than it was, the oldest that is known stands for what was before.
        """
        width, row = min(lead_steps, LONGEST_LEAD) + 1, slice(i, i + 1)
        asked = self.asked[row, :, :width]
        if asked.shape[2] < width:
            asked = np.pad(asked, ((0, 0), (0, 0), (0, width - asked.shape[2])), mode="edge")
        costs, weight, fleet, _, ready, chosen = self
        return Scores(costs[row], weight[row], fleet[row], asked, ready[row], chosen[row])

    def to_json(self) -> dict[str, Any]:
        """Turn one service's scores into plain values; the inverse is :meth:`from_json`."""
        return {
            "costs": self.costs[0].tolist(),
            "weight": float(self.weight[0]),
            "fleet": float(self.fleet[0]),
            "asked": self.asked[0].tolist(),
            "ready": int(self.ready[0]),
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
        count = len(NAMES)
        costs = _numbers(document, "costs", (count,), "if", -np.inf, np.inf)
        weight = _numbers(document, "weight", (), "if", 0.0, np.inf)
        fleet = _numbers(document, "fleet", (), "if", 0.0, np.inf)
        ready = _numbers(document, "ready", (), "i", -1, NO_LIMIT)
        chosen = _numbers(document, "chosen", (), "i", 0, count - 1)
        width = len(document["asked"][0])
        asked = _numbers(document, "asked", (count, width), "i", -1, NO_LIMIT)
        if not 1 <= width <= LONGEST_LEAD + 1:
            raise ValueError(f"asked has {width} intervals, must be in [1, {LONGEST_LEAD + 1}]")
        if (asked < 0).any() and not (asked < 0).all():
            raise ValueError("asked has holes")
        return cls(
            costs=costs[None].astype(np.float64),
            weight=weight.reshape(1).astype(np.float64),
            fleet=fleet.reshape(1).astype(np.float64),
            asked=asked[None].astype(np.int64),
            ready=ready.reshape(1).astype(np.int64),
            chosen=chosen.reshape(1).astype(np.int64),
        )


def _numbers(
    document: Mapping[str, Any],
    key: str,
    shape: tuple[int, ...],
    kinds: str,
    least: float,
    most: float,
) -> Any:
    """Read an array that somebody may have edited by hand."""
    values = np.array(document[key])
    if values.shape != shape or values.dtype.kind not in kinds:
        raise ValueError(f"{key} has shape {values.shape} of {values.dtype}, must have {shape}")
    if not (np.isfinite(values) & (values >= least) & (values <= most)).all():
        raise ValueError(f"{key} must be finite, in [{least}, {most}]")
    return values


class Fleet(NamedTuple):
    """What ran in the interval that has just passed, each of shape (N,)."""

    ready: Ints
    current: Ints


def propose(network: Network, observation: Observation) -> Ints:
    """Ask all candidates, in the order of :data:`NAMES`, shape (N, C)."""
    seen = look(observation)
    exact = network.replicas(seen.features, seen.references)[:, None]
    # Where it asks for less than the level, since it will fall, there is no margin to change.
    margin = np.maximum(exact - seen.references[:, [_LEVEL]], 0.0)
    others = exact + (np.array(MARGINS) - 1.0) * margin
    halves = (exact + seen.stock.order_up_to(np.array(DEVIATIONS))) / 2
    asked = np.concatenate([others, exact * np.array(HEDGES), halves], axis=1)
    peak, capacity = recent_peak(observation), observation.profiles.capacity
    formula = [reactive(peak, capacity, utilization) for utilization in UTILIZATIONS]
    return np.concatenate([ceil_replicas(on_grid(asked)), np.stack(formula, axis=1)], axis=1)


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
    # Columns, which numpy stretches over the candidates.
    each = Profiles(**{name: value[:, None] for name, value in vars(profiles).items()})
    dollars = expected_outcome(rate[:, None], ready, asked, each, each.capacity_correlation).dollars
    costs: Floats = -dollars / (each.replica_cost * each.interval)
    return costs


def learn(
    scores: Scores,
    rate: Floats,
    fleet: Fleet,
    profiles: Profiles,
    lead_steps: Ints,
    prior: Prior = BELIEF,
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
    prior
        Of the policy whose candidates they are.
    """
    past = relive(scores.asked, scores.ready, rate, fleet, profiles, lead_steps)
    cost = price(past.rate, past.ready, past.asked, profiles)
    cost[past.full] = no_dearer_than_leaner(cost[past.full], past.ready[past.full])
    return passed(scores, cost, past.rate / profiles.capacity, past.known, profiles, prior)


class Past(NamedTuple):
    """The interval that has just passed, as it was and as candidates would have met it."""

    known: Bools
    """Whether anything can be priced by it, shape (N,)."""
    rate: Floats
    """Requests/s that came, 0 where nothing is known, shape (N,)."""
    served: Ints
    """Replicas that were ready all through it, shape (N,)."""
    full: Bools
    """Whether those were saturated, shape (N,)."""
    ready: Ints
    """Replicas that would have served each candidate, shape (N, C)."""
    asked: Ints
    """Replicas that each candidate would have paid for, shape (N, C)."""


def relive(
    asked: Ints, before: Ints, rate: Floats, fleet: Fleet, profiles: Profiles, lead_steps: Ints
) -> Past:
    """Say what each candidate would have had in the interval that has just passed.

    Nobody is given fewer than there were in a saturated one: its rate is what was served.

    Parameters
    ----------
    asked, before
        ``asked`` and ``ready`` of :class:`Scores`.
    rate, fleet, profiles, lead_steps
        As for :func:`learn`.
    """
    known = np.isfinite(rate) & (asked[:, 0, 0] >= 0)
    came = np.where(known, rate, 0.0)
    # A replica that became ready at the end of the interval has not served in it.
    served = np.minimum(before, fleet.ready)
    full = known & (came >= SATURATED * served * profiles.capacity)
    return Past(
        known=known,
        rate=came,
        served=served,
        full=full,
        ready=np.maximum(_ready(asked, lead_steps), np.where(full, served, 0)[:, None]),
        asked=np.maximum(asked[..., 0], np.where(full, fleet.current, 0)[:, None]),
    )


def no_dearer_than_leaner(cost: Floats, ready: Ints) -> Floats:
    """Let no candidate pay for having had more ready than another, each of shape (K, C).

    Where the rate was cut off nobody knows what the surplus would have been good for.
    """
    leaner = ready[:, None, :] <= ready[:, :, None]
    least: Floats = np.where(leaner, cost[:, None, :], np.inf).min(axis=2)
    return least


def _ready(asked: Ints, lead_steps: Ints) -> Ints:
    """Take the least that was asked for over each lead time, shape (N, C).

    What :func:`headstart_policy.physics.ready_path` does for a whole path.
    """
    ready = asked[..., 0].copy()
    for age in range(1, asked.shape[2]):
        # A few columns at a time: a mask of all of them costs more than the pass itself.
        reach = lead_steps >= age
        np.minimum(ready, asked[..., age], out=ready, where=reach[:, None])
    return ready


class _Verdict(NamedTuple):
    """Who leads, and by how much the others are behind."""

    leader: Ints
    """Index of the cheapest candidate, shape (..., N)."""
    beaten: Bools
    """Whether the leader is better than a candidate by the margin, shape (..., N, C)."""


def passed(
    scores: Scores,
    cost: Floats,
    demand: Floats,
    known: Bools,
    profiles: Profiles,
    prior: Prior = BELIEF,
) -> Scores:
    """Add the costs of an interval, shape (N, C), where they are known, and choose anew."""
    keep = np.where(known, _keep(profiles), 1.0)
    costs = keep[:, None] * scores.costs + np.where(known[:, None], cost, 0.0)
    weight = keep * scores.weight + known
    fleet = keep * scores.fleet + np.where(known, demand, 0.0)
    leader, beaten = _judge(costs, weight, fleet, profiles, prior)
    better = known & beaten[np.arange(len(leader)), scores.chosen]
    chosen = np.where(better, leader, scores.chosen)
    return scores._replace(costs=costs, weight=weight, fleet=fleet, chosen=chosen)


def passed_all(
    scores: Scores,
    costs: Floats,
    demand: Floats,
    known: Bools,
    profiles: Profiles,
    prior: Prior = BELIEF,
) -> tuple[Ints, Scores]:
    """Pass T intervals one after the other: what :func:`passed` does T times, in one go.

    Parameters
    ----------
    scores
        Before the first.
    costs, demand, known
        As for :func:`passed`, shape (T, N, C), (T, N) and (T, N).
    profiles, prior
        As for :func:`learn`.

    Returns
    -------
    Who is followed in each interval, shape (T, N), and the scores after the last.
    """
    keep = np.where(known, _keep(profiles), 1.0)[..., None]
    # The sums decay alike: one row for all of them, so that an interval is one pass.
    sums = np.concatenate([costs, np.ones_like(demand)[..., None], demand[..., None]], axis=2)
    sums[~known] = 0.0
    newest = np.column_stack([scores.costs, scores.weight, scores.fleet])
    for step, kept in zip(sums, keep, strict=True):
        step += kept * newest  # noqa: PLW2901  # A row of ``sums``, in place.
        newest = step
    weight, fleet = sums[..., -2], sums[..., -1]
    leader, beaten = _judge(sums[..., :-2], weight, fleet, profiles, prior)
    beaten &= known[..., None]
    chosen = np.empty_like(leader)
    follow, rows = scores.chosen, np.arange(len(scores.chosen))
    for t in range(len(chosen)):
        chosen[t] = follow
        follow = np.where(beaten[t, rows, follow], leader[t], follow)
    return chosen, scores._replace(
        costs=newest[:, :-2], weight=newest[:, -2], fleet=newest[:, -1], chosen=follow
    )


def _keep(profiles: Profiles) -> Floats:
    """What an interval leaves of what was learned before it, shape (N,)."""
    kept: Floats = 0.5 ** (profiles.interval / (HALF_LIFE * profiles.lead_time))
    return kept


def _judge(
    costs: Floats, weight: Floats, fleet: Floats, profiles: Profiles, prior: Prior
) -> _Verdict:
    """Weigh costs, shape (..., N, C), against the prior, which fades as evidence comes.

    The prior is priced by the mean fleet, and by one replica more.
    """
    size = fleet / np.maximum(weight, 1.0) + 1.0
    intervals = prior.lead_times * profiles.lead_time / profiles.interval
    missing = size * np.maximum(intervals - weight, 0.0)
    total = costs + np.array(prior.costs) * missing[..., None]
    margin = MARGIN * size * np.maximum(weight, intervals)
    behind = total - total.min(axis=-1, keepdims=True)
    return _Verdict(total.argmin(axis=-1), behind > margin[..., None])


def remember(scores: Scores, asked: Ints, ready: Ints, lost: Bools) -> Scores:
    """Note what the candidates asked for now.

    Parameters
    ----------
    scores
        Of N services.
    asked
        After the guardrails, shape (N, C).
    ready
        Replicas that serve, shape (N,): before the first interval there was the fleet that ran.
    lost
        Whether there is no rate to decide on, shape (N,): every candidate holds.
    """
    return scores._replace(asked=push(scores.asked, asked, ready, lost), ready=ready)


def push(before: Ints, asked: Ints, ready: Ints, lost: Bools) -> Ints:
    """Put what is asked for now before what was, shape (N, C, W); arguments as for remember."""
    begun = before[:, 0, 0] >= 0
    if not begun.all():
        before = np.where(begun[:, None, None], before, ready[:, None, None])
    newest = np.where(lost[:, None], before[..., 0], asked)
    pushed: Ints = np.concatenate([newest[..., None], before[..., :-1]], axis=2)
    return pushed


def resume(scores: Scores, missed: int) -> Scores:
    """Go on after so many intervals without a decision; less than 0: this one was decided for.

    While an operator is away nothing changes the fleet, so for a few intervals every candidate
    stands by what it asked for last. After more, what they would have asked for is not known, and
    nothing may be priced over the gap: they begin with the fleet that runs, and keep their costs.
    """
    return scores._replace(asked=stand_by(scores.asked, missed))


def stand_by(asked: Ints, missed: int) -> Ints:
    """What was asked for, shape (N, C, W), so many intervals later; see :func:`resume`."""
    if missed == 0:
        return asked
    if not 0 < missed <= FRESH_INTERVALS:
        return np.full_like(asked, -1)
    older: Ints = asked[..., np.maximum(np.arange(asked.shape[2]) - missed, 0)]
    return older


def why(scores: Scores) -> list[str | None]:
    """Say in words why another candidate than the network itself is followed; ``None``: none is."""
    rows = np.arange(len(scores.chosen))
    saved = scores.costs[:, NETWORK] - scores.costs[rows, scores.chosen]
    each = saved / np.maximum(scores.weight, 1.0)
    return [
        None if chosen == NETWORK else _saving(float(each[i]))
        for i, chosen in enumerate(scores.chosen.tolist())
    ]


def _saving(saved: float) -> str:
    if saved <= 0:
        return "the network has not been clearly cheaper since"
    # Two digits, and 100 rather than 1e+02.
    replicas = float(f"{saved:.2g}")
    return f"the network alone would have cost as much as {replicas:g} replicas more, on average"

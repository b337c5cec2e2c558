"""An error budget instead of a price: which price of a violation spends no more than the budget.

The policy weighs replicas against violations by a price. Where people have a budget of bad minutes
instead (99.9 % of 30 days: 43 minutes), the price is what has to be found: the *hedge*, a multiple
of the violation cost that is declared. It begins with the smallest one that would have kept to the
budget on the load of the last days (:func:`rehearse`, :func:`multiple_for`), and is corrected by
what the budget really lost: upwards within days, downwards within weeks, and by a factor of
:data:`MOST_CORRECTION` at most, because bad minutes are rare and a quiet month proves little.

Source of burn rates: Beyer et al. 2018, The Site Reliability Workbook, chapter 5, Alerting on SLOs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_policy import envelope
from headstart_policy.behavior import Memory
from headstart_policy.features import look
from headstart_policy.guardrails import Situation, allowed
from headstart_policy.observation import (
    WARMING_BINS,
    Observation,
    echoes,
    look_around,
    look_back,
    look_far,
    recent_peak,
)
from headstart_policy.physics import expected_outcome, ready_path
from headstart_policy.profile import Profiles
from headstart_policy.reactive import ceil_replicas
from headstart_policy.series import CumulativeRates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headstart_policy.artifact import Policy
    from headstart_policy.guardrails import Guardrails
    from headstart_policy.profile import Objective, Profile
    from headstart_policy.types import Floats, Ints

# Prices that are tried, from the least to the most that the policy was trained for.
PRICES = 17
# By how much what really came may move the price that the history asked for, up or down.
MOST_CORRECTION = 4.0
# Shares of the window in which a budget that burns e times as fast as aimed at raises the price
# e-fold, and in which one that burns so much slower lowers it: 3 and 10 days of 30.
RAISE_IN = 0.1
LOWER_IN = 1 / 3
# Buckets that a window is counted in.
BUCKETS = 60
# A budget burns where it goes so much faster than it may, over this share of the window: the
# workbook's 6 over 6 hours of 30 days, which is a twentieth of the budget.
BURNING = 6.0
BURN_SHARE = 1 / 120
# Rehearsed steps at most: a day and a half of minutes, and less than a second of one core.
LONGEST_REHEARSAL = 2_000
# Share of the budget that is aimed at: tomorrow is not yesterday, and what was aimed at is missed
# on both sides.
AIM = 0.7
# Below so many known ones a violation is not made cheaper: a quiet hour proves nothing.
LEAST_REHEARSAL = 1_000


@dataclass(frozen=True)
class Goal:
    """At least ``slo`` (a share) of each ``window`` seconds must be good."""

    slo: float
    window: float

    def __post_init__(self) -> None:
        """Refuse budgets that nothing can be spent of, or that are none."""
        if not 0.0 < self.slo < 1.0:
            raise ValueError(f"errorBudget.slo = {self.slo}, must be in (0, 1)")
        if not self.window > 0.0:
            raise ValueError(f"errorBudget.window = {self.window:g}, must be greater than 0")

    @property
    def seconds(self) -> float:
        """The budget: bad seconds in a window."""
        return (1 - self.slo) * self.window


class Price(NamedTuple):
    """Multiples of the declared violation cost: the one to use, and bounds to it.

    The bounds are those of the policy's envelope. Beyond them the reactive formula would decide.
    """

    multiple: float = 1.0
    least: float = 1.0
    most: float = 1.0


class Bucket(NamedTuple):
    """One part of the window; ``number`` is its start over its length."""

    number: int
    bad: float
    """Seconds under the SLO."""
    total: float
    """Seconds that were looked at."""


@dataclass(frozen=True)
class Budget:
    """What of a service's error budget was spent, and the price that this led to.

    Attributes
    ----------
    goal
        That it is counted for.
    buckets
        Of the window, oldest first, at most :data:`BUCKETS` and one.
    fast_bad, fast_total
        Seconds, forgotten with a time constant of :data:`BURN_SHARE` of the window.
    price
        That the history asked for.
    correction
        What came of it since: a factor.
    rehearsed_at
        When the history was asked last, s since the epoch; ``None``: never.
    """

    goal: Goal
    buckets: tuple[Bucket, ...] = ()
    fast_bad: float = 0.0
    fast_total: float = 0.0
    price: Price = field(default_factory=Price)
    correction: float = 1.0
    rehearsed_at: float | None = None

    @property
    def hedge(self) -> float:
        """The price in force, as a multiple of the declared one."""
        return min(max(self.price.multiple * self.correction, self.price.least), self.price.most)

    @property
    def bad(self) -> float:
        """Seconds under the SLO in the window."""
        return sum(bucket.bad for bucket in self.buckets)

    @property
    def total(self) -> float:
        """Seconds of the window that were looked at."""
        return sum(bucket.total for bucket in self.buckets)

    @property
    def remaining(self) -> float:
        """Share of the budget that is left; less than 0: overspent."""
        return 1.0 - self.bad / self.goal.seconds

    @property
    def burn(self) -> float:
        """How many times as fast as it may the budget was spent, since it is counted."""
        return self.bad / ((1 - self.goal.slo) * self.total) if self.total else 0.0

    @property
    def fast_burn(self) -> float:
        """The same of late."""
        return self.fast_bad / ((1 - self.goal.slo) * self.fast_total) if self.fast_total else 0.0

    @property
    def burning(self) -> bool:
        """Whether it burns so fast that somebody should look."""
        # A minute after the start one bad second is a burn rate of thousands: it takes as many
        # bad seconds as make a twentieth of the budget.
        spent = self.fast_bad >= BURNING * BURN_SHARE * self.goal.seconds / 2
        return spent and self.fast_burn >= BURNING

    def spend(self, now: float, bad: float, total: float) -> Budget:
        """Count ``bad`` of ``total`` seconds that were looked at until ``now``; forget old ones."""
        width = self.goal.window / BUCKETS
        number = math.floor(now / width)
        kept = [bucket for bucket in self.buckets if number - BUCKETS < bucket.number <= number]
        if kept and kept[-1].number == number:
            last = kept.pop()
            bucket = Bucket(number, last.bad + bad, last.total + total)
        else:
            bucket = Bucket(number, bad, total)
        keep = math.exp(-total / (BURN_SHARE * self.goal.window))
        return replace(
            self,
            buckets=(*kept, bucket),
            fast_bad=keep * self.fast_bad + bad,
            fast_total=keep * self.fast_total + total,
        )

    def correct(self, seconds: float) -> Budget:
        """Move the price by what ``seconds`` more of the present burn say."""
        wish = min(max(math.log(max(self.burn, 1e-9) / AIM), -1.0), 1.0)
        # What was looked at for a moment only says little of whether the price is too high.
        if wish < 0 and self.total < BURN_SHARE * self.goal.window:
            return self
        time = (RAISE_IN if wish > 0 else LOWER_IN) * self.goal.window
        moved = self.correction * math.exp(wish * seconds / time)
        return replace(self, correction=min(max(moved, 1 / MOST_CORRECTION), MOST_CORRECTION))

    def rehearsed(self, price: Price | None, now: float) -> Budget:
        """Use the price that the history asks for; ``None``: it does not tell."""
        return replace(self, price=price or self.price, rehearsed_at=now)

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return {
            "slo": self.goal.slo,
            "window": self.goal.window,
            "buckets": [[b.number, round(b.bad, 6), round(b.total, 6)] for b in self.buckets],
            "fast": [self.fast_bad, self.fast_total],
            "price": list(self.price),
            "correction": self.correction,
            "rehearsedAt": self.rehearsed_at,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Budget:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            The document holds no budget.
        """
        fast_bad, fast_total = map(_amount, document["fast"])
        buckets = tuple(
            Bucket(int(number), _amount(bad), _amount(total))
            for number, bad, total in document["buckets"]
        )
        at = document["rehearsedAt"]
        return cls(
            goal=Goal(_amount(document["slo"]), _amount(document["window"])),
            buckets=buckets[-BUCKETS - 1 :],
            fast_bad=fast_bad,
            fast_total=fast_total,
            price=Price(*map(_amount, document["price"])),
            correction=min(
                max(_amount(document["correction"]), 1 / MOST_CORRECTION), MOST_CORRECTION
            ),
            rehearsed_at=None if at is None else _amount(at),
        )


def least_that_keeps(
    allowed_share: float, prices: Sequence[float], bad_share: Callable[[float], float]
) -> float:
    """Find the least price whose bad share is at most ``allowed_share``, by bisection.

    A dearer violation means fewer of them. Where none of ``prices`` is enough, the greatest.
    """
    low, high = 0, len(prices) - 1
    while low < high:
        middle = (low + high) // 2
        if bad_share(prices[middle]) <= allowed_share:
            high = middle
        else:
            low = middle + 1
    return prices[low]


class Played(NamedTuple):
    """What came of a rehearsal, each of shape (T,)."""

    desired: Ints
    violation: Floats
    """Probability that the SLO was missed; NaN where the rate is unknown."""


@dataclass(frozen=True)
class Rehearsal:
    """The newest load of one service, and what decided on it, to be played at other prices.

    Attributes
    ----------
    policy, profile, limits
        Of the service, the profile with the declared prices.
    rates
        Requests/s, oldest first, shape (T,); NaN: unknown.
    step
        Between two rates, s.
    """

    policy: Policy
    profile: Profile
    limits: Guardrails
    rates: Floats
    step: float
    _seen: list[Any] = field(default_factory=list, repr=False)

    @property
    def known(self) -> int:
        """How many of the steps that would be played are known."""
        return int(np.isfinite(self.rates[-LONGEST_REHEARSAL:]).sum())

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest multiple that the policy was trained for."""
        goal = self.profile.objective
        stake = 60.0 * base_of(goal) / goal.replica_cost
        low, high = self.policy.envelope.stake
        # Inside by a hair: a bound that rounding moves is a bound that is left.
        return max(low, 1e-3) / stake * (1 + 1e-9), min(high, 1e9) / stake * (1 - 1e-9)

    def bad_share(self, multiple: float) -> float:
        """Share of the played time that would have been under the SLO; NaN: no rate is known."""
        violation = self.play(multiple).violation
        known = np.isfinite(violation)
        return float(violation[known].mean()) if known.any() else math.nan

    def play(self, multiple: float) -> Played:
        """Play the newest steps with the violation cost ``multiple`` times what is declared.

        What the network would have asked for at each step, after the guardrails.
        """
        profile = hedged(self.profile, multiple)
        steps = min(LONGEST_REHEARSAL, len(self.rates) - 1)
        observation = self._observe(profile, steps)
        seen = look(observation)
        asked = ceil_replicas(self.policy.network.replicas(seen.features, seen.references))
        newest = self.rates[-steps - 1 : -1]
        situation = Situation(
            now=np.arange(steps, dtype=np.float64) * self.step,
            interval=observation.profiles.interval,
            current=observation.current,
            rate=newest,
            rate_age=np.where(np.isfinite(newest), 0.0, np.inf),
            peak=recent_peak(observation),
            capacity=observation.profiles.capacity,
            history_loaded=np.ones(steps, dtype=np.bool_),
            outside=envelope.leaves(self.policy.envelope, observation),
            limits=[self.limits] * steps,
            memories=[Memory()] * steps,
        )
        desired = allowed(asked[:, None], situation)[:, 0]
        lead = max(1, math.ceil(profile.horizon / self.step - 1e-9))
        ready = ready_path(desired[None], lead, desired[:1])[0]
        came = self.rates[-steps:]
        known = np.isfinite(came) & np.isfinite(newest)
        outcome = expected_outcome(
            np.where(known, came, 0.0),
            ready,
            desired,
            observation.profiles,
            observation.profiles.capacity_correlation,
        )
        return Played(desired, np.where(known, outcome.violation, np.nan))

    def _observe(self, profile: Profile, steps: int) -> Observation:
        """Look at the load at each of the newest steps but the last, one a row."""
        one = Profiles.stack([profile])
        if not self._seen:
            sums = CumulativeRates.of(self.rates[None].astype(np.float64))
            now = np.arange(len(self.rates) - steps, len(self.rates), dtype=np.float64)
            lead = one.lead_time / self.step
            recent, roughness = look_back(sums, now, lead)
            seasonal, then = look_around(sums, now, lead, echoes(one.seasons) / self.step)
            extremes = look_far(sums, now, float(lead[0]))
            self._seen.extend([recent, roughness, seasonal, then, extremes])
        recent, roughness, seasonal, then, extremes = self._seen
        nothing = np.zeros(steps, dtype=np.int64)
        return Observation(
            profiles=Profiles(**{k: np.repeat(v, steps, axis=0) for k, v in vars(one).items()}),
            recent=recent,
            roughness=roughness,
            seasonal=seasonal,
            seasonal_roughness=then,
            extremes=extremes,
            ready=nothing,
            warming=np.zeros((steps, WARMING_BINS), dtype=np.int64),
            current=nothing,
        )


def rehearse(rehearsal: Rehearsal, goal: Goal) -> Price | None:
    """Find the price that would have kept to the budget; ``None``: no rate is known."""
    if not rehearsal.known:
        return None
    least, most = rehearsal.bounds
    prices = np.geomspace(least, most, PRICES).tolist()
    multiple = least_that_keeps(AIM * (1 - goal.slo), prices, rehearsal.bad_share)
    if rehearsal.known < LEAST_REHEARSAL:
        multiple = min(max(multiple, 1.0), most)
    return Price(multiple, least, most)


def hedged(profile: Profile, multiple: float) -> Profile:
    """Price violations at ``multiple`` times what is declared."""
    goal = profile.objective
    return replace(profile, objective=replace(goal, violation_cost=base_of(goal) * multiple))


def base_of(goal: Objective) -> float:
    """Dollars a minute that a hedge is a multiple of; a budget needs no declared price."""
    return goal.violation_cost or goal.replica_cost


def _amount(value: Any) -> float:
    amount = float(value)
    if not (math.isfinite(amount) and amount >= 0):
        raise ValueError(f"{value} must be a finite number of at least 0")
    return amount

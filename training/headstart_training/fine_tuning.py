"""The default policy, fitted to one service's history: only where that history proves it better.

Two ways to fit are tried beside the default. A *multiplier* on what the default asks for is
one number, and cannot overfit much; *weights* go on from the default's, by hindsight
(:mod:`headstart_training.algorithms.hindsight`), and are stopped early. Both are fitted to a
stretch of days and priced on the days after it, which they have not seen, again and again with a
longer stretch. The default is kept unless one of them is better there by more than chance explains.

Short histories overfit: a policy that has seen hundreds of services knows more of the next than one
week does. So the question is never how well a fit describes its own days.

Sources: expanding windows, R. J. Hyndman, G. Athanasopoulos, Forecasting: Principles and Practice,
section 5.10; bootstrap of whole days, B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap
(1993), section 8; several candidates, C. E. Bonferroni (1936).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from headstart_policy import artifact
from headstart_policy.features import look
from headstart_training import served
from headstart_training.algorithms import hindsight
from headstart_training.backtest.services import DAY
from headstart_training.backtest.worlds import play
from headstart_training.contest import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headstart_policy.artifact import Policy
    from headstart_policy.guardrails import Guardrails
    from headstart_policy.network import Network
    from headstart_policy.profile import Profile
    from headstart_policy.types import Floats
    from headstart_training.backtest.services import Service
    from headstart_training.simulator import World

DEFAULT, MULTIPLIER = "default", "multiplier"
MULTIPLIERS = tuple(np.round(np.geomspace(0.6, 1.6, 31), 3).tolist())
# Gradient steps after which the weights are looked at.
# Few: each look costs certainty, by Bonferroni's correction.
STOPS = (50, 200)
# A tenth of what learning from nothing takes: the start is good, and is to be kept near.
LEARNING = hindsight.Config(iterations=STOPS[-1], learning_rate=2e-4, averaging=0.1)
FOLDS = 4
# A day to look back on, a day to fit and a day to judge for each fold.
LEAST_DAYS = 2 + FOLDS
# Of a fit that is in truth no better being taken for one that is.
RISK = 0.05
_DRAWS = 10_000


class Fold(NamedTuple):
    """Days to fit to, and the days after them to be judged by; the second of each is excluded."""

    fit: tuple[int, int]
    held: tuple[int, int]


class Candidate(NamedTuple):
    """A way to fit, and what it came to on the days that it did not see."""

    name: str
    gains: Floats
    """Dollars more than the default earned on each held-back day, shape (D,)."""
    low: float
    """Lower bound of the mean gain; the chance that the truth lies below is :data:`RISK` over the
    number of candidates."""

    @property
    def gain(self) -> float:
        """Dollars per day more than the default."""
        return float(self.gains.mean())


@dataclass(frozen=True)
class Outcome:
    """What was kept, and why.

    Attributes
    ----------
    network
        To decide with.
    kept
        ``default``, or the name of a candidate.
    why
        In a sentence.
    candidates
        All that were tried; none where the history is too short.
    held_days
        By which they were judged.
    """

    network: Network
    kept: str
    why: str
    candidates: tuple[Candidate, ...]
    held_days: int


def fine_tune(
    service: Service,
    profile: Profile,
    default: Policy,
    guardrails: Guardrails,
    *,
    seed: int = 0,
    show: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outcome:
    """Fit the default to a service, or say why it stays as it is.

    Parameters
    ----------
    service
        Its history; all of it is used.
    profile
        Of the service.
    default
        Where to start, and what to beat.
    guardrails
        After which everything is priced.
    seed
        Of the order of the days and of the bootstrap.
    show
        Hears how many of all gradient steps were taken.
    """
    days = int(service.days)
    if days < LEAST_DAYS:
        why = f"{days} whole days of history, at least {LEAST_DAYS} are needed to judge a fit"
        return Outcome(default.network, DEFAULT, why, (), 0)
    folds = split(days)
    total = STOPS[-1] * (FOLDS + 1)
    gains: dict[str, list[Floats]] = {}
    for k, fold in enumerate(folds):
        done = k * STOPS[-1]
        fits = fit(
            service, profile, default.network, fold.fit, seed, partial(_go_on, show, done, total)
        )
        for name, gained in judge(fits, service, profile, default, guardrails, fold.held).items():
            gains.setdefault(name, []).append(gained)
    candidates = weigh({name: np.concatenate(parts) for name, parts in gains.items()}, seed)
    held = folds[-1].held[1] - folds[0].held[0]
    best = max(candidates, key=lambda one: one.low)
    if best.low <= 0:
        return Outcome(default.network, DEFAULT, _why_default(candidates, held), candidates, held)
    done = FOLDS * STOPS[-1]
    refitted = fit(
        service, profile, default.network, (1, days), seed, partial(_go_on, show, done, total)
    )
    why = (
        f"on {held} days that it had not seen it earned ${best.gain:,.2f} a day more than the"
        f" default, at least ${best.low:,.2f} at {1 - RISK:.0%} confidence"
    )
    return Outcome(refitted[best.name], best.name, why, candidates, held)


def split(days: int) -> list[Fold]:
    """Divide days into expanding windows; day 0 is only looked back on.

    The last two thirds are held back in turn, each part of them from a fit to all days before it.
    """
    first = max(2, days // 3)
    edges = np.linspace(first, days, FOLDS + 1).round().astype(int).tolist()
    return [Fold((1, a), (a, b)) for a, b in pairwise(edges)]


def weigh(gains: Mapping[str, Floats], seed: int = 0) -> tuple[Candidate, ...]:
    """Bound each candidate's mean gain from below, by drawing days with replacement.

    Who looks at many candidates finds one that was lucky: each gets its part of :data:`RISK` only.
    """
    random = np.random.default_rng(seed)
    share = RISK / len(gains)
    return tuple(
        Candidate(
            name,
            gained,
            float(np.quantile(_means(gained, share, random), share)),
        )
        for name, gained in gains.items()
    )


def multiplied(network: Network, multiplier: float) -> Network:
    """Ask for ``multiplier`` times as much: its logarithm is added to that of every multiple."""
    *biases, last = network.biases
    return replace(network, biases=(*biases, last + np.log(multiplier)))


def _go_on(show: Callable[[int, int], None], before: int, total: int, steps: int) -> None:
    show(before + steps, total)


def _means(gained: Floats, share: float, random: np.random.Generator) -> Floats:
    """Draw mean gains, spread as widely as few days demand."""
    count = len(gained)
    drawn = gained[random.integers(count, size=(_DRAWS, count))].mean(axis=1)
    means: Floats = gained.mean() + (drawn - gained.mean()) * _expansion(share, count)
    return means


def _expansion(share: float, count: int) -> float:
    """By how much a bootstrap from ``count`` values is too narrow at the quantile ``share``.

    Its variance lacks n/(n-1), and its quantiles are the normal's where Student's are meant: with 8
    days, 14 % of worthless fits were kept instead of 5 %.
    Sources: T. Hesterberg, What Teachers Should Know About the Bootstrap (2015), section 3.4.1,
    and Abramowitz and Stegun, 26.7.5, for Student's quantile.
    """
    z, free = -NormalDist().inv_cdf(share), max(count - 1, 1)
    student = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    return float(np.sqrt(count / free) * student / z)


def _why_default(candidates: Sequence[Candidate], held: int) -> str:
    best = max(candidates, key=lambda one: one.gain)
    if best.gain <= 0:
        return f"no fit earned more on {held} days that it had not seen"
    return (
        f"the best fit ({best.name}) earned ${best.gain:,.2f} a day more on {held} days that it"
        f" had not seen, which chance may explain: at {1 - RISK:.0%} confidence it is"
        f" ${best.low:,.2f} or more"
    )


def fit(
    service: Service,
    profile: Profile,
    start: Network,
    days: tuple[int, int],
    seed: int,
    show: Callable[[int], None] = lambda _steps: None,
) -> dict[str, Network]:
    """Fit every candidate to a stretch of days; ``show`` hears of gradient steps."""
    worlds = [play_days(service, profile, (day, day + 1)) for day in range(*days)]
    config = replace(LEARNING, seed=seed, members=1, width=start.biases[0].size)
    learner = hindsight.Learner(worlds, config, start)
    fits = {MULTIPLIER: multiplied(start, _best_multiplier(worlds, start))}

    def look(step: hindsight.Progress) -> None:
        show(step.iteration)
        if step.iteration in STOPS:
            weights, biases = zip(*learner.layers(), strict=True)
            fitted = replace(start, weights=weights, biases=biases)
            fits[f"weights after {step.iteration} steps"] = fitted

    learner.train(look)
    return fits


@torch.no_grad()
def _best_multiplier(worlds: Sequence[World], network: Network) -> float:
    """Find the multiplier that would have earned most."""
    earned = np.zeros(len(MULTIPLIERS))
    for world in worlds:
        batch = hindsight.to_batch(world)
        observation = served.observations(world)
        seen = look(observation)
        asked = network.replicas(seen.features, seen.references)
        exact = torch.tensor(asked, dtype=torch.float32).reshape(batch.load.shape)
        for k, multiplier in enumerate(MULTIPLIERS):
            whole = torch.maximum((exact * multiplier).ceil(), batch.floor).clamp(min=1.0)
            earned[k] += hindsight.dollars(whole, batch)[0].sum().item()
    return float(MULTIPLIERS[int(np.argmax(earned))])


def judge(
    fits: Mapping[str, Network],
    service: Service,
    profile: Profile,
    default: Policy,
    guardrails: Guardrails,
    days: tuple[int, int],
) -> dict[str, Floats]:
    """Price each fit on days that it has not seen, less what the default earns there."""
    world = play_days(service, profile, days)

    def earned(network: Network) -> Floats:
        policy = artifact.parse(artifact.dump(network, default.envelope, {}, default.prior))
        return dollars_by_day(world, policy, guardrails, service, days)

    reference = earned(default.network)
    return {name: earned(network) - reference for name, network in fits.items()}


def dollars_by_day(
    world: World, policy: Policy, guardrails: Guardrails, service: Service, days: tuple[int, int]
) -> Floats:
    """Dollars of each day as the operator would serve the policy; unknown minutes do not count."""
    result = settle(world, served.headstart(world, policy, guardrails))
    starts = [first_step(service, day) for day in range(days[0], days[1] + 1)]
    known = service.known[starts[0] : starts[-1]]
    earned = np.where(known, result.dollars[0], 0.0)
    dollars: Floats = np.add.reduceat(earned, np.array(starts[:-1]) - starts[0])
    return dollars


def play_days(service: Service, profile: Profile, days: tuple[int, int]) -> World:
    """Play days of a service; all days before them are known."""
    first, end = (first_step(service, day) for day in days)
    return play(service, profile, first, end)


def first_step(service: Service, day: int) -> int:
    """First step that begins on a day: bins of seven minutes do not divide it."""
    return math.ceil(day * DAY / service.interval - 1e-9)

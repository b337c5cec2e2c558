"""The seed's game from nothing: what its learners come to, on loads that they did not see.

Shares are of the clairvoyant under the same billing, which knows the load but not the capacity
draws; both are in the mean over those draws.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy.artifact import ArtifactError, builtin, parse
from headstart_policy.guardrails import Guardrails
from headstart_training import clairvoyant, recipe, runs, seed_path, served, settings
from headstart_training.algorithms import hindsight
from headstart_training.algorithms.seed_hindsight import Config, Learner
from headstart_training.contest import settle
from headstart_training.evaluation import play
from headstart_training.games import GAMES
from headstart_training.loads import seed as seed_load
from headstart_training.seed_game import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headstart_policy.artifact import Policy as ServedPolicy
    from headstart_training.algorithms.seed_hindsight import Policy
    from headstart_training.seed_game import Floats

# Warming billed is priced as billed. Where it is not, a price keeps the mean below one machine; and
# without any, from a first level that orders always, the learner finds the rules' loophole.
BILLED = Config(warming_price=Rules().machine_cost)
UNBILLED = Config(warming_price=0.0065, first_order=2.5)
EXPLOIT = Config(warming_price=0.0, first_order=4.0, iterations=600)
# What PPO is measured against, by its name among the game's contenders.
REFERENCE = "HPA 60 %, stabilised"
SCALES = (0.5, 3.0, 8.0)
# Worlds of the seed's loads alone, of any scale between those: what a policy at home learns from.
HOME_WORLDS, HOME_SERVICES, HOME_STEPS = 80, 40, 288
# Larger steps than the recipe's, which has a dozen recordings not to learn by heart.
HOME = hindsight.Config(iterations=6000, learning_rate=1e-2)


@dataclass(frozen=True)
class Learned:
    """One hindsight policy on unseen loads.

    Attributes
    ----------
    share_of_clairvoyant
        Dollars over the clairvoyant's.
    dollars_per_day, clairvoyant_dollars_per_day
        Both.
    mean_warming
        Machines in the queue, mean over all minutes.
    train_seconds
        From nothing: loads, features and all gradient steps.
    """

    share_of_clairvoyant: float
    dollars_per_day: float
    clairvoyant_dollars_per_day: float
    mean_warming: float
    train_seconds: float


@dataclass(frozen=True)
class Gains:
    """PPO's greedy gain over the HPA at 60 %, dollars in a game, for each training seed.

    Attributes
    ----------
    gains, errors
        Mean over the same unseen games, and its standard error.
    mean_warming
        Machines in the queue.
    seconds
        Of training.
    """

    gains: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    mean_warming: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Figures:
    """What :func:`run` measured.

    `ppo` and `ppo_billed` hold the seeds one by one; `transfer` is empty where the policy that
    ships cannot be read, and `unreadable` then says why. `at_home` is what the same learner comes
    to on the same loads if it learns nothing but their like; `specialists` what the game's own
    learner does that knows one scale and how the loads are made.
    """

    loads: int
    minutes: int
    games: int
    billed: Learned
    unbilled: Learned
    exploit: Learned
    ppo: Gains
    ppo_billed: Gains
    transfer: dict[str, float]
    at_home: dict[str, float]
    specialists: dict[str, float]
    unreadable: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values: the figures that are promised first, then all behind them."""
        return {
            "share_of_clairvoyant": self.billed.share_of_clairvoyant,
            "share_of_clairvoyant_unbilled": self.unbilled.share_of_clairvoyant,
            "train_seconds": max(self.billed.train_seconds, self.unbilled.train_seconds),
            "mean_warming": self.unbilled.mean_warming,
            "exploit_share": self.exploit.share_of_clairvoyant,
            "ppo_gain": min(self.ppo.gains),
            "ppo_gain_billed": min(self.ppo_billed.gains),
            "ppo_seconds": max([*self.ppo.seconds, *self.ppo_billed.seconds]),
            **asdict(self),
        }


def run(
    *,
    loads: int = 30,
    minutes: int = 10_000,
    seeds: int = 1,
    games: int = 3000,
    effort: float = 1.0,
    progress: Callable[[str], None] = lambda _: None,
) -> Figures:
    """Train all learners from nothing and play them.

    Parameters
    ----------
    loads, minutes
        Unseen loads for hindsight and the transfer, and how long each is.
    seeds
        Training seeds of PPO, from 0.
    games
        Unseen games of PPO.
    effort
        Share of each learner's iterations; below 1 for a quick look.
    progress
        Hears what is being done.
    """
    progress("the default policy on other scales")
    scaled, unreadable = {}, None
    try:
        scaled = transfer(builtin("default"), loads, minutes)
    except ArtifactError as error:
        # While the features change, the file is of another schema until it is trained anew.
        unreadable = str(error)
    progress("the same learner on nothing but these loads")
    home = transfer(learn_at_home(effort), loads, minutes)
    specialists = {}
    for scale in SCALES:
        progress(f"a specialist of the load times {scale:g}")
        one = learn(_shorter(BILLED, effort), rules_at(scale), loads, minutes)
        specialists[f"{scale:g}"] = one.share_of_clairvoyant
    learned = {}
    for name, config, rules in (
        ("billed", BILLED, Rules(bill_warming=True)),
        ("unbilled", UNBILLED, Rules()),
        ("exploit", EXPLOIT, Rules()),
    ):
        progress(f"hindsight, warming {name}")
        learned[name] = learn(_shorter(config, effort), rules, loads, minutes)
    gains = {}
    for game in ("seed-game", "seed-game-billed"):
        gains[game] = ppo(game, range(seeds), games, effort, progress)
    return Figures(
        loads=loads,
        minutes=minutes,
        games=games,
        **learned,
        ppo=gains["seed-game"],
        ppo_billed=gains["seed-game-billed"],
        transfer=scaled,
        at_home=home,
        specialists=specialists,
        unreadable=unreadable,
    )


def _shorter(config: Config, effort: float) -> Config:
    return replace(config, iterations=max(1, round(config.iterations * effort)))


def rules_at(scale: float) -> Rules:
    """Rules of the game with so many times the load, warming billed.

    What tells of the load is its ratio to a machine, so the machines are made smaller instead, and
    what is served dearer.
    """
    rules = Rules(bill_warming=True)
    return replace(
        rules,
        tpm_per_machine=rules.tpm_per_machine / scale,
        tpm_sigma=rules.tpm_sigma / scale,
        transaction_val=rules.transaction_val * scale,
        initial_machines=round(rules.initial_machines * scale),
    )


def learn(config: Config, rules: Rules, loads: int, minutes: int) -> Learned:
    """Train by hindsight and play the unseen loads."""
    began = time.monotonic()
    learner = Learner(config, rules)
    learner.train()
    seconds = time.monotonic() - began
    return measure(learner.policy, rules, loads, minutes, seconds)


def measure(policy: Policy, rules: Rules, loads: int, minutes: int, seconds: float) -> Learned:
    """Play unseen loads of the seed's, under the given billing."""
    load = seed_load.generate(np.random.default_rng(settings.UNSEEN), loads, minutes)
    made = policy.play(load)
    earned = float(seed_path.dollars(rules, made, load).mean()) * seed_path.MINUTES_PER_DAY
    limit = float(seed_path.clairvoyant(rules, load).mean() / minutes) * seed_path.MINUTES_PER_DAY
    return Learned(earned / limit, earned, limit, float(made.warming.mean()), seconds)


def ppo(
    game: str, seeds: Sequence[int], games: int, effort: float, progress: Callable[[str], None]
) -> Gains:
    """Train PPO once for each seed; play each greedily against :data:`REFERENCE`."""
    line = GAMES[game]

    def player_of(seed: int) -> tuple[runs.Greedy, float]:
        iterations = max(1, round(line.ppo["iterations"] * effort))
        learner = runs.make_learner(game, seed=seed, iterations=iterations)
        return runs.Greedy(learner.policy, game), learner.train()[-1].seconds

    def returns(player: Any) -> dict[str, Floats]:
        return play(
            line.environment, player, games=games, seed=settings.UNSEEN, arguments=line.rules
        )

    progress(f"{game}: {REFERENCE}")
    reference = returns(line.contenders()[REFERENCE])["return"]
    gains = Gains()
    for seed in seeds:
        progress(f"{game}: PPO, training seed {seed}")
        player, seconds = player_of(seed)
        played = returns(player)
        difference = played["return"] - reference
        gains.gains.append(float(difference.mean()))
        gains.errors.append(float(difference.std(ddof=1) / np.sqrt(games)))
        gains.mean_warming.append(float((played["warming_machines"] / played["steps"]).mean()))
        gains.seconds.append(seconds)
    return gains


def learn_at_home(effort: float = 1.0) -> ServedPolicy:
    """Follow the shipped policy's method on the seed's loads alone, at all scales between ours.

    A bound for :func:`transfer`: it does not share its weights with services of other kinds.
    """
    random = np.random.default_rng(0)
    low, high = np.log(min(SCALES)), np.log(max(SCALES))
    worlds = (
        settings.seed_day(
            HOME_SERVICES, HOME_STEPS, seed=k, scale=float(np.exp(random.uniform(low, high)))
        )
        for k in range(max(1, round(HOME_WORLDS * effort)))
    )
    config = replace(HOME, iterations=max(1, round(HOME.iterations * effort)))
    network, _ = recipe.learn(worlds, config)
    return parse(recipe.to_artifact(network, config))


def transfer(policy: ServedPolicy, loads: int, minutes: int) -> dict[str, float]:
    """Serve the seed's loads, scaled, with one policy: shares of the clairvoyant.

    The capacity of a replica stays, so there are as many more of them. Kubernetes semantics,
    warming billed, a day known before, the guardrails that ship.
    """
    shares = {}
    for scale in SCALES:
        world = settings.seed_day(loads, minutes, scale=scale)
        paths = (
            served.headstart(world, policy, Guardrails(max_replicas=10_000)),
            clairvoyant.path(world),
        )
        earned, limit = (settle(world, path).dollars_per_day.mean() for path in paths)
        shares[f"{scale:g}"] = float(earned / limit)
    return shares

"""Hindsight on the seed's game: the gradient of what a load earns, straight through the queue.

The load is exogenous, so every minute that ever passed prices every way to have scaled it. A small
network sees the load before each minute and gives two levels: order up to the one, discard down to
the other. :mod:`headstart_training.seed_path` plays them through the game's queue and pulls the
gradient back; the capacity draw is integrated out in closed form, so the rare violation of 200 $
has a smooth price. Nothing is explored and no return is estimated.

Levels are not rounded in training. When they are played they are rounded up from a quarter of a
machine on: what is lost is within the noise of the evaluation, and a gradient through rounding
learns slower.

Where warming is free, the same learner finds what the seed's rules invite to: to order always and
to discard what is not needed. A price on warming machines, whether they are billed or not, keeps it
honest.

Sources: Sinclair et al. 2023, Hindsight Learning for MDPs with Exogenous Inputs; Alvo et al. 2023,
Neural Inventory Control in Networks via Hindsight Differentiable Policy Optimization (base-stock
levels as the network's output); Polyak and Juditsky 1992 for averaged weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from headstart_training import seed_path, seed_sight
from headstart_training.loads import seed as seed_load
from headstart_training.seed_game import Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_training.seed_game import Floats, Ints

# Levels are bounded by these multiples of what the recent load needs without any margin.
LEAST_RATIO, MOST_RATIO = 0.5, 8.0
# A level is rounded up if it exceeds a whole number by this much.
ROUND_UP_FROM = 0.25
# Below so many machines the noise of their capacity is taken to be that of so many.
_LEAST_ACTIVE = 0.01


@dataclass(frozen=True)
class Config:
    """How to learn.

    Attributes
    ----------
    seed
        Of the loads, the first weights and the order of the stretches.
    games, minutes
        Loads to learn from, and how long each is.
    iterations
        Gradient steps.
    batch, stretch
        Games in a step, and minutes of each.
    learning_rate
        Adam's at the start; it falls to 0 along a cosine.
    width
        Of the two hidden layers.
    averaging
        Share by which the averaged weights, which are the result, follow in each step.
    largest_gradient
        Norm at which a gradient is cut.
    warming_price
        What a warming machine costs the learner [$/min], whatever the rules bill.
    first_order, first_discard
        The two levels before anything was learned, over what the recent load needs.
    """

    seed: int = 0
    games: int = 256
    minutes: int = 5000
    iterations: int = 1500
    batch: int = 64
    stretch: int = 250
    learning_rate: float = 3e-3
    width: int = 64
    averaging: float = 0.01
    largest_gradient: float = 1.0
    warming_price: float = 0.05
    first_order: float = 1.6
    first_discard: float = 1.7


class Progress(NamedTuple):
    """One gradient step."""

    iteration: int
    iterations: int
    reward: float
    """Mean over the minutes of the step, less the price of warming [$/min]."""


class Policy:
    """Two levels for each minute of a load.

    Parameters
    ----------
    network
        From scaled features to the logarithms of two ratios.
    mean, scale
        Of the features, shape (F,).
    rules
        The game's numbers.
    """

    def __init__(self, network: nn.Sequential, mean: Floats, scale: Floats, rules: Rules) -> None:
        self.network, self.rules = network, rules
        self._mean, self._scale = mean, scale

    def look(self, load: Ints) -> tuple[Tensor, Tensor]:
        """Scaled features (N, T, F) of N loads, and the machines that the recent load needs."""
        features, recent = seed_sight.see(load)
        return self.scaled(features), needed(recent, self.rules)

    def scaled(self, features: Floats) -> Tensor:
        """Features with mean 0 and variance 1 on the loads that were learned from; in place."""
        features -= self._mean
        features /= self._scale
        return torch.from_numpy(features)

    def levels(self, features: Tensor, demand: Tensor) -> tuple[Tensor, Tensor]:
        """Machines to order up to and to discard down to, each of shape (N, T)."""
        bounded = self.network(features).clamp(math.log(LEAST_RATIO), math.log(MOST_RATIO))
        levels = bounded.exp() * demand[..., None]
        return levels[..., 0], levels[..., 1]

    @torch.no_grad()
    def play(self, load: Ints) -> seed_path.Fleets:
        """Play N games from their start, in whole machines, shape (N, T)."""
        order, discard = (
            np.ceil(level.double().numpy() - ROUND_UP_FROM)
            for level in self.levels(*self.look(load))
        )
        first = np.full(len(load), float(self.rules.initial_machines))
        return seed_path.fleets(self.rules, order, discard, first)


class Learner:
    """Learns one policy from generated loads.

    Parameters
    ----------
    config
        How to learn.
    rules
        The game's numbers.
    """

    def __init__(self, config: Config, rules: Rules | None = None) -> None:
        self.config, self.rules = config, rules or Rules()
        self._random = np.random.default_rng(config.seed)
        self._load = seed_load.generate(self._random, config.games, config.minutes)
        # Threads wait for each other longer than these small networks take.
        torch.set_num_threads(1)
        torch.manual_seed(config.seed)
        features, recent = seed_sight.see(self._load)
        some = features[: config.batch]
        mean, scale = some.mean(axis=(0, 1)), some.std(axis=(0, 1)) + np.float32(1e-3)
        self._newest = _network(config, features.shape[2])
        average = _network(config, features.shape[2])
        average.load_state_dict(self._newest.state_dict())
        self.policy = Policy(average, mean, scale, self.rules)
        self._features, self._demand = self.policy.scaled(features), needed(recent, self.rules)

    def train(self, show: Callable[[Progress], None] = lambda _: None) -> list[Progress]:
        """Take all gradient steps; ``show`` hears of each. The result is :attr:`policy`."""
        config = self.config
        learned = Policy(self._newest, np.zeros(()), np.ones(()), self.rules)
        optimizer = torch.optim.Adam(self._newest.parameters(), config.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.iterations)
        history = []
        for iteration in range(1, config.iterations + 1):
            games, minutes = self._draw()
            load = self._load[games, minutes]
            levels = learned.levels(self._features[games, minutes], self._demand[games, minutes])
            first = levels[0][:, 0].detach().numpy()
            if minutes.start == 0:
                first = np.full_like(first, self.rules.initial_machines)
            active, warming = _Fleets.apply(*levels, first, self.rules)
            earned = dollars(active, load, self.rules) - config.warming_price * warming
            reward = earned.mean()
            optimizer.zero_grad()
            (-reward).backward()
            nn.utils.clip_grad_norm_(self._newest.parameters(), config.largest_gradient)
            optimizer.step()
            schedule.step()
            self._follow()
            history.append(Progress(iteration, config.iterations, reward.item()))
            show(history[-1])
        return history

    def _draw(self) -> tuple[Ints, slice]:
        """Draw some games and one stretch of their minutes; one in 20 is the start of the games."""
        config = self.config
        games = self._random.integers(config.games, size=config.batch)
        start = int(self._random.integers(config.minutes - config.stretch + 1))
        if self._random.random() < 0.05:  # noqa: PLR2004  # As the docstring says.
            start = 0
        return games, slice(start, start + config.stretch)

    @torch.no_grad()
    def _follow(self) -> None:
        pairs = zip(self.policy.network.parameters(), self._newest.parameters(), strict=True)
        for average, newest in pairs:
            average.lerp_(newest, self.config.averaging)


def needed(load: Floats, rules: Rules) -> Tensor:
    """Machines that a load needs without any margin."""
    return torch.tensor(load / rules.tpm_per_machine, dtype=torch.float32)


def dollars(active: Tensor, load: Ints, rules: Rules) -> Tensor:
    """Reward of each minute in the mean over its capacity draw, warming not billed [$].

    The formulas of :func:`headstart_training.seed_game.expected_reward`, with a gradient.
    """
    arriving = torch.tensor(load, dtype=torch.float32)
    fleet = active.clamp(min=_LEAST_ACTIVE)
    mean, spread = fleet * rules.tpm_per_machine, fleet * rules.tpm_sigma
    d = (arriving - mean) / spread
    served = arriving - (arriving - mean) * _cdf(d) - spread * _density(d)
    missed = _cdf((rules.downtime_percent / 100 * arriving - mean) / spread)
    return (
        served * rules.transaction_val / 1000
        - missed * (arriving > 0) * rules.downtime_cost
        - fleet * rules.machine_cost
    )


class _Fleets(torch.autograd.Function):
    """:func:`headstart_training.seed_path.fleets` with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, order: Tensor, discard: Tensor, first: Floats, rules: Rules
    ) -> tuple[Tensor, Tensor]:
        ctx.rules = rules
        ctx.made = seed_path.fleets(rules, order.numpy(), discard.numpy(), first)
        return torch.from_numpy(ctx.made.active).float(), torch.from_numpy(ctx.made.warming).float()

    @staticmethod
    def backward(
        ctx: Any, by_active: Tensor, by_warming: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        order, discard = seed_path.gradient(
            ctx.rules, ctx.made, by_active.numpy(), by_warming.numpy()
        )
        return torch.from_numpy(order).float(), torch.from_numpy(discard).float(), None, None


def _network(config: Config, inputs: int) -> nn.Sequential:
    last = nn.Linear(config.width, 2)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        ratios = torch.tensor([config.first_order, config.first_discard])
        last.bias.copy_(ratios.log())
    return nn.Sequential(
        nn.Linear(inputs, config.width),
        nn.ReLU(),
        nn.Linear(config.width, config.width),
        nn.ReLU(),
        last,
    )


def _cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _density(x: Tensor) -> Tensor:
    return torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)

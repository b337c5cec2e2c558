"""Hindsight: the gradient of what a load earns, straight through the replicas.

No action changes the load, so every load prices every way to scale it: there is nothing to explore
and no return to estimate. Multiples of a few references (the level of now, the mean and the top of
the last hours, the season) become replicas, replicas become ready after their lead time, and what
they serve is money; each of these steps is differentiable, or is made so:

- *ready* is the least that was asked for within the lead time (:func:`headstart_policy.physics.
  ready_path`), a moving minimum;
- *whole replicas*: rounded up going forward, the identity going back (a straight-through
  estimator), so that a service of two replicas learns what rounding does to it;
- *capacity noise* is integrated out in closed form, so the rare violation has a smooth price.

The features that tell of the fleet (ready, asked, warming) are left out: what is worth asking for
depends on the load and the lead time alone, and without them all steps of a load are one batch.

Sources: Sinclair et al. 2023, Hindsight Learning for MDPs with Exogenous Inputs; Madeka et al.
2022, Deep Inventory Management; Alvo et al. 2023, Neural Inventory Control in Networks via
Hindsight Differentiable Policy Optimization; Bengio et al. 2013 for the straight-through estimator.
"""

from __future__ import annotations

import copy
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from headstart_policy.features import FLEET, NAMES, REFERENCES, look
from headstart_policy.guardrails import Guardrails
from headstart_training.algorithms.ensemble import mean_of
from headstart_training.served import observations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from headstart_policy.network import Network
    from headstart_policy.types import Floats
    from headstart_training.algorithms.ensemble import Layers
    from headstart_training.simulator import World

# What a policy may not look at, by column of the features.
BLIND = list(FLEET)
# A service weighs by the price of its mean fleet, of one replica more, and of this share of a
# violation: else small services, whose violations cost a thousand times their fleet, drown others.
VIOLATION_SHARE = 0.01
# Bounds of a multiple. A reference that says nothing weighs nearly nothing.
LEAST, MOST = 1e-3, 8.0
# While learning, capacity is at least this uncertain: without noise a violation is a step, which
# has no gradient to say which way it lies.
LEAST_SPREAD = 0.01
# Below this many replicas the noise of their capacity is taken to be that of so many.
LEAST_READY = 0.01


@dataclass(frozen=True)
class Config:
    """How to learn.

    Attributes
    ----------
    seed
        Of the first weights and of the order of the worlds.
    iterations
        Gradient steps, one world and one member each; members take turns.
    members
        Networks that learn apart; the result is their mean (:mod:`.ensemble`).
    learning_rate
        Adam's at the start; it falls to 0 along a cosine.
    width
        Of the two hidden layers of each member.
    averaging
        Share by which the averaged weights, which are the result, follow in each step.
    largest_gradient
        Norm at which a gradient is cut.
    first
        Multiples of each reference before anything was learned.
    """

    seed: int = 0
    iterations: int = 20_000
    members: int = 2
    learning_rate: float = 2e-3
    width: int = 56
    averaging: float = 0.01
    largest_gradient: float = 1.0
    first: tuple[float, ...] = (0.2, 0.03, 0.03, 0.03, 0.3, 0.3, 0.3, 1.5, 1.5)


class Progress(NamedTuple):
    """One gradient step."""

    iteration: int
    iterations: int
    loss: float
    """Dollars lost against the reference, over the price of the mean fleet."""
    violations: float
    """Mean probability that a step misses its SLO."""


class Batch(NamedTuple):
    """A world of N services and T steps as tensors, money in replicas' prices."""

    features: Tensor
    """Shape (N, T, F), with the blind columns 0."""
    references: Tensor
    """What decisions give in multiples of, in replicas, shape (N, T, R)."""
    floor: Tensor
    """Replicas of the reactive floor, shape (N, T)."""
    load: Tensor
    """Replicas that the load of each step really needs, shape (N, T)."""
    lead_steps: Tensor
    """Shape (N,)."""
    initial: Tensor
    """Ready replicas before the first step, shape (N,)."""
    slo: Tensor
    noise: Tensor
    common: Tensor
    worth: Tensor
    stake: Tensor
    """The profile's, each of shape (N, 1)."""


class Learner:
    """Learns one policy from worlds that have passed.

    Parameters
    ----------
    worlds
        To learn from; their capacity noise is integrated out.
    config
        How to learn.
    start
        Weights that every member goes on from; ``None``: random ones. Its layers must be as wide as
        the config says.
    device
        Where torch computes.
    """

    def __init__(
        self,
        worlds: Iterable[World],
        config: Config,
        start: Network | None = None,
        device: str = "cpu",
    ) -> None:
        self.config = config
        self.history: list[Progress] = []
        self._device = device
        self._batches = [Batch(*(part.to(device) for part in to_batch(world))) for world in worlds]
        # Threads wait for each other longer than these small networks take.
        torch.set_num_threads(1)
        torch.manual_seed(config.seed)
        # The weights are drawn on the CPU, so that they are the same on every device.
        self._members = nn.ModuleList(_network(config) for _ in range(config.members))
        if start is not None:
            for member in self._members:
                _load(member, start)
        self._members.to(device)
        self._averages = copy.deepcopy(self._members)
        self._optimizer = torch.optim.Adam(self._members.parameters(), config.learning_rate)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self._optimizer, config.iterations
        )
        self._random = np.random.default_rng(config.seed)

    def train(self, show: Callable[[Progress], None] = lambda _: None) -> list[Progress]:
        """Take all gradient steps that are left; ``show`` hears of each."""
        config = self.config
        for iteration in range(len(self.history) + 1, config.iterations + 1):
            batch = self._batches[self._random.integers(len(self._batches))]
            turn = iteration % config.members
            member = self._members[turn]
            asked = desired(member(batch.features), batch)
            earned, violations = dollars(asked, batch, least_spread=LEAST_SPREAD)
            loss = regret(earned, batch)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped.
            nn.utils.clip_grad_norm_(member.parameters(), config.largest_gradient)
            # Nothing moves those whose turn it is not: they have no gradients.
            self._optimizer.step()
            self._schedule.step()
            self._follow(turn)
            missed = violations.mean().item()
            self.history.append(Progress(iteration, config.iterations, loss.item(), missed))
            show(self.history[-1])
        return self.history

    def save(self, path: Path) -> None:
        """Write all that :meth:`load` needs to go on; a reader never sees half a file."""
        partial = path.with_name(path.name + ".partial")
        torch.save(
            {
                "config": asdict(self.config),
                "members": self._members.state_dict(),
                "averages": self._averages.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "schedule": self._schedule.state_dict(),
                # As text: its numbers have 128 bits.
                "random": json.dumps(self._random.bit_generator.state),
                "history": [list(step) for step in self.history],
            },
            partial,
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint of the same config, to the same result as without a pause.

        Raises
        ------
        ValueError
            It is of another config, or not of this method.
        OSError
            It cannot be read.
        """
        saved = torch.load(path, map_location=self._device, weights_only=True)
        config = asdict(self.config)
        there = saved.get("config", {})
        for key, value in config.items():
            if there.get(key) != value:
                raise ValueError(
                    f"{path}: {key} = {there.get(key)!r}, this run has {value!r}; give the same"
                    " options as then, or begin anew"
                )
        self._members.load_state_dict(saved["members"])
        self._averages.load_state_dict(saved["averages"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._schedule.load_state_dict(saved["schedule"])
        self._random.bit_generator.state = json.loads(saved["random"])
        self.history = [Progress(*step) for step in saved["history"]]

    def layers(self) -> list[tuple[Floats, Floats]]:
        """Give the averaged weights (in, out) and biases (out,) of each layer, members as one."""
        layers = mean_of([_layers(member) for member in self._averages])
        layers[0][0][BLIND] = 0.0
        return layers

    @torch.no_grad()
    def _follow(self, turn: int) -> None:
        averages, newest = self._averages[turn].parameters(), self._members[turn].parameters()
        for average, new in zip(averages, newest, strict=True):
            average.lerp_(new, self.config.averaging)


def to_batch(world: World) -> Batch:
    """Work out all that can be seen of a world's loads; no decision changes it."""
    services, steps = world.rates.shape
    observation = observations(world)
    seen = look(observation)
    columns = seen.features
    columns[:, BLIND] = 0.0
    profiles = world.profiles
    newest = np.nan_to_num(world.sight.newest[:, :steps]) / profiles.capacity[:, None]
    utilization = Guardrails(max_replicas=1).floor_utilization
    return Batch(
        features=_tensor(columns.reshape(services, steps, -1)),
        references=_tensor(seen.references.reshape(services, steps, -1)),
        floor=_tensor(np.ceil(newest / utilization)),
        load=_tensor(world.rates / profiles.capacity[:, None]),
        lead_steps=torch.tensor(world.lead_steps),
        initial=_tensor(world.initial),
        slo=_tensor(profiles.slo[:, None]),
        noise=_tensor(profiles.capacity_noise[:, None]),
        common=_tensor(profiles.capacity_correlation[:, None]),
        worth=_tensor(
            (profiles.request_value * profiles.capacity / profiles.replica_cost)[:, None]
        ),
        stake=_tensor((profiles.violation_cost / profiles.replica_cost)[:, None]),
    )


def desired(multiples: Tensor, batch: Batch) -> Tensor:
    """Replicas asked for at each step, as the operator makes them of log multiples, shape (N, T).

    ``multiples`` has shape (N, T, R), with an entry for each of the first R references.
    """
    bounded = multiples.clamp(math.log(LEAST), math.log(MOST)).exp()
    exact = (bounded * batch.references[..., : bounded.shape[-1]]).sum(dim=-1)
    whole = exact + (exact.ceil() - exact).detach()
    return torch.maximum(whole, batch.floor).clamp(min=1.0)


def ready(asked: Tensor, batch: Batch) -> Tensor:
    """Replicas that serve in each step: the least asked for within the lead time, shape (N, T)."""
    path = torch.empty_like(asked)
    for lead in set(batch.lead_steps.tolist()):
        rows = batch.lead_steps == lead
        before = batch.initial[rows, None].expand(-1, lead)
        window = torch.cat([before, asked[rows]], dim=1)
        path[rows] = -nn.functional.max_pool1d(-window, lead + 1, stride=1)
    return path


def dollars(asked: Tensor, batch: Batch, *, least_spread: float = 0.0) -> tuple[Tensor, Tensor]:
    """Price each step: dollars over a replica's price, and the probability of a violation.

    The formulas of :func:`headstart_policy.physics.expected_outcome`, with what is asked for
    billed. ``least_spread`` is a least standard deviation of the fleet's capacity over its mean.
    """
    fleet = ready(asked, batch).clamp(min=LEAST_READY)
    spread = batch.noise * (fleet * (1 - batch.common) + fleet**2 * batch.common).sqrt()
    spread = torch.maximum(spread, least_spread * fleet)
    d = (batch.load - fleet) / spread
    served = batch.load - (batch.load - fleet) * _cdf(d) - spread * _density(d)
    missed = _cdf((batch.slo * batch.load - fleet) / spread) * (batch.load > 0)
    return served * batch.worth - missed * batch.stake - asked, missed


def regret(earned: Tensor, batch: Batch) -> Tensor:
    """Mean loss against serving everything with the fleet that demand needs, per unit of fleet."""
    reference = batch.load * batch.worth - batch.load
    unit = batch.load.mean(dim=1) + 1.0 + VIOLATION_SHARE * batch.stake[:, 0]
    return ((reference - earned) / unit[:, None]).mean()


def _network(config: Config) -> nn.Sequential:
    last = nn.Linear(config.width, len(REFERENCES))
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor(config.first).log())
    return nn.Sequential(
        nn.Linear(len(NAMES), config.width),
        nn.ReLU(),
        nn.Linear(config.width, config.width),
        nn.ReLU(),
        last,
    )


def _layers(module: nn.Module) -> Layers:
    linear = [layer for layer in module.children() if isinstance(layer, nn.Linear)]
    return [
        (
            layer.weight.detach().double().cpu().numpy().T.copy(),
            layer.bias.detach().double().cpu().numpy(),
        )
        for layer in linear
    ]


@torch.no_grad()
def _load(module: nn.Module, network: Network) -> None:
    linear = [layer for layer in module.children() if isinstance(layer, nn.Linear)]
    for layer, weight, bias in zip(linear, network.weights, network.biases, strict=True):
        # One from before columns or references were added looks at none and asks for next to none.
        inputs, outputs = weight.shape
        layer.weight.zero_()
        layer.weight[:outputs, :inputs].copy_(torch.tensor(weight.T))
        layer.bias.fill_(math.log(LEAST))
        layer.bias[:outputs].copy_(torch.tensor(bias))


def _tensor(values: Floats | np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def _cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _density(x: Tensor) -> Tensor:
    return torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)

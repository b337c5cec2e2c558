"""How many service-steps per second this machine simulates, sees and decides."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy import artifact
from headstart_policy.guardrails import Guardrails
from headstart_training import pods, scenarios
from headstart_training.frictions import Frictions
from headstart_training.served import headstart
from headstart_training.sight import see
from headstart_training.simulator import Simulator, World, serve, take_profiles
from headstart_training.threads import cores

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.types import Ints

# Services and steps of the worlds that are timed.
_PATHS = (256, 4096)
_STEPWISE = (512, 1024)
_DECIDED = (64, 512)
# The slow truth plays a part of a path only.
_SLOW = (4, 200)
_SEED = 0


@dataclass(frozen=True)
class Speed:
    """Service-steps per second; the best of several runs, on ``cores`` cores.

    Attributes
    ----------
    physics_steps_per_second
        A decision becomes pods, pods serve, and the step is priced in expectation.
    physics_drawn_steps_per_second
        The same with capacity drawn beforehand.
    physics_frictions_steps_per_second
        The same in expectation, with ramp limits, nodes and lead times that spread.
    environment_steps_per_second
        A step of the simulator, and the arrays of the observation that the next decision sees.
    decision_steps_per_second
        What is seen of a load to what is asked for: features, network, selector and guardrails of
        the shipped policy.
    scalar_reference_ratio
        The first over what explicit pods reach, one object each, priced with numpy.
    """

    cores: int
    physics_steps_per_second: float
    physics_drawn_steps_per_second: float
    physics_frictions_steps_per_second: float
    environment_steps_per_second: float
    decision_steps_per_second: float
    scalar_reference_ratio: float

    def to_json(self) -> dict[str, float]:
        """Turn into plain values."""
        return asdict(self)


def measure(seconds: float = 1.0, progress: Callable[[str], None] = lambda _: None) -> Speed:
    """Measure each figure for about so many seconds.

    Parameters
    ----------
    seconds
        For each figure.
    progress
        Hears what is being measured.
    """
    progress("physics")
    world = _world(*_PATHS)
    desired = _desired(world)
    physics = _rate(lambda: _settle(world, desired), world.rates.size, seconds)
    noise = np.random.default_rng(_SEED).standard_normal(world.rates.shape)
    drawn = replace(world, noise=noise)
    rough = replace(world, frictions=_frictions(world))
    progress("environment")
    environment = _environment(seconds)
    progress("decisions")
    few = _world(*_DECIDED)
    policy, limits = artifact.builtin(), Guardrails(max_replicas=100_000)
    progress("explicit pods")
    slow = _rate(lambda: _explicit_pods(world, desired), _SLOW[0] * _SLOW[1], seconds)
    return Speed(
        cores=cores(),
        physics_steps_per_second=physics,
        physics_drawn_steps_per_second=_rate(
            lambda: _settle(drawn, desired), world.rates.size, seconds
        ),
        physics_frictions_steps_per_second=_rate(
            lambda: _settle(rough, desired), world.rates.size, seconds
        ),
        environment_steps_per_second=environment,
        decision_steps_per_second=_rate(
            lambda: headstart(few, policy, limits), few.rates.size, seconds
        ),
        scalar_reference_ratio=physics / slow,
    )


def _rate(run: Callable[[], object], steps: int, seconds: float) -> float:
    """Steps per second of the best of the runs that fit into so many seconds, two at least.

    The best, since what else the machine does only adds; the first run compiles.
    """
    run()
    best, began = np.inf, time.perf_counter()
    while best == np.inf or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return float(steps / best)


def _world(services: int, steps: int) -> World:
    """Services of every kind, in expectation."""
    return scenarios.draw(np.random.default_rng(_SEED), services, steps, expected=True)


def _desired(world: World) -> Ints:
    """Paths that follow each load with a margin."""
    demand = world.rates / world.profiles.capacity[:, None]
    return np.ceil(1.3 * demand).astype(np.int64)


def _frictions(world: World) -> Frictions:
    demand = world.rates.mean(axis=1) / world.profiles.capacity
    rng = np.random.default_rng(_SEED)
    return Frictions.draw(rng, world.lead_steps, demand, world.steps, share=1.0)


def _settle(world: World, desired: Ints) -> object:
    _asked, ready = world.carry_out(desired)
    return world.price(ready, desired)


def _environment(seconds: float) -> float:
    """What a policy in training sees: the windows of whole loads, joined with the fleet by step."""
    services, steps = _STEPWISE
    drawn = _world(services, steps)
    past = drawn.past
    if past is None:
        raise ValueError("scenarios.draw gives no past")
    seen, moments = (
        np.concatenate([past, drawn.rates], axis=1),
        past.shape[1] + np.arange(steps + 1),
    )
    desired = _desired(drawn)

    def play() -> None:
        sight = see(seen, moments, drawn.profiles, drawn.profiles.interval)
        simulator = Simulator(replace(drawn, sight=sight))
        while not simulator.over:
            simulator.step(desired[:, simulator.t])
            simulator.observe()

    return _rate(play, services * steps, seconds)


def _explicit_pods(world: World, desired: Ints) -> None:
    services, steps = _SLOW
    few = world.take(np.arange(services))
    asked, ready = pods.replay(
        few,
        desired[:services, :steps],
        lambda i: pods.ReplicaSet(
            int(few.initial[i]), lambda new, _: [int(few.lead_steps[i])] * new
        ),
    )
    rows = np.repeat(np.arange(services), steps)
    profiles = take_profiles(few.profiles, rows)
    rates = few.rates[:, :steps].ravel()
    serve(profiles, profiles.capacity_correlation, rates, None, ready.ravel(), asked.ravel())

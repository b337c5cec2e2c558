"""A policy with its guardrails against baselines, in dollars, on the same loads that nobody saw."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy.guardrails import Guardrails
from headstart_training import clairvoyant, served
from headstart_training.baselines.hpa import HPA
from headstart_training.baselines.static import best_static
from headstart_training.contest import Headstart, Result, play, settle
from headstart_training.scaled_ahead import rises
from headstart_training.settings import UNSEEN, demonstration, seed_day

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy
    from headstart_policy.types import Floats
    from headstart_training.simulator import World

SUBJECT, CLAIRVOYANT = "headstart", "clairvoyant"
# Far above what any load here needs: no bound but the policy's own shall decide.
GUARDRAILS = Guardrails(max_replicas=10_000)
# Services that are decided for side by side: their windows take a gigabyte.
_BATCH = 25
_BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Line:
    """One contender's figures, means over services.

    Attributes
    ----------
    name
        Of the contender.
    dollars_per_day, violation_minutes_per_day, replica_hours_per_day
        Per service.
    share
        Of the clairvoyant's dollars.
    difference, difference_low, difference_high
        The subject's dollars per day less this contender's on the same loads, and a 95 % interval
        by bootstrap over the services.
    """

    name: str
    dollars_per_day: float
    violation_minutes_per_day: float
    replica_hours_per_day: float
    share: float
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True)
class Leads:
    """Rises of demand over all services, and how often desired led them.

    Attributes
    ----------
    rises, led
        Counted by :func:`headstart_training.scaled_ahead.rises`.
    services, scaled_ahead
        Services played, and those of them in which most rises were led.
    """

    rises: int
    led: int
    services: int
    scaled_ahead: int


@dataclass(frozen=True)
class Benchmark:
    """What :func:`run` came to."""

    services: int
    minutes: int
    seed: int
    seed_day: tuple[Line, ...]
    demonstration: tuple[Line, ...]
    leads: Leads

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values."""
        return asdict(self)


def run(
    policy: Policy,
    *,
    services: int = 200,
    minutes: int = 3000,
    seed: int = UNSEEN,
    progress: Callable[[str], None] = lambda _: None,
) -> Benchmark:
    """Play both settings of :mod:`headstart_training.settings`.

    Parameters
    ----------
    policy
        The artefact.
    services, minutes, seed
        Of the seed's day; the demonstration has as many services and its own 180 minutes.
    progress
        Hears what is being played.
    """
    world = seed_day(services, minutes, seed)
    day = _play_all(world, policy, lambda name: progress(f"the seed's day: {name}"))
    short = demonstration(services, seed=seed)
    demo = _play_all(short, policy, lambda name: progress(f"the demonstration: {name}"))
    return Benchmark(
        services=services,
        minutes=minutes,
        seed=seed,
        seed_day=lines(day),
        demonstration=lines(demo),
        leads=_leads(short, demo[SUBJECT]),
    )


def _play_all(world: World, policy: Policy, progress: Callable[[str], None]) -> dict[str, Result]:
    progress(SUBJECT)
    results = {SUBJECT: _served(world, policy)}
    for name, hpa in (
        ("HPA 70 %", HPA(0.7)),
        ("HPA 60 %", HPA(0.6)),
        ("HPA 70 %, no tolerance", HPA(0.7, down_tolerance=0.0, up_tolerance=0.0)),
        ("HPA 60 %, no tolerance", HPA(0.6, down_tolerance=0.0, up_tolerance=0.0)),
    ):
        progress(name)
        results[name] = settle(world, hpa.path(world))
    progress("best static, clairvoyant")
    demand = world.rates.max(axis=1) / world.profiles.capacity
    most = int(max(world.initial.max(), np.ceil(1.7 * demand.max())))
    return {
        **results,
        "best static": play(world, best_static(world, most)),
        CLAIRVOYANT: settle(world, clairvoyant.path(world)),
    }


def _served(world: World, policy: Policy) -> Result:
    """Play the policy as the operator serves it, some services at a time."""
    if not policy.selects:
        return play(world, Headstart(policy, GUARDRAILS))
    services = np.arange(len(world.rates))
    parts = [world.take(services[k : k + _BATCH]) for k in range(0, len(services), _BATCH)]
    return Result.concatenate(
        [settle(part, served.headstart(part, policy, GUARDRAILS)) for part in parts]
    )


def lines(results: dict[str, Result]) -> tuple[Line, ...]:
    """Make each contender's line, :data:`SUBJECT` paired against each."""
    limit = results[CLAIRVOYANT].dollars_per_day.mean()
    made = []
    for name, result in results.items():
        dollars = result.dollars_per_day
        difference = results[SUBJECT].dollars_per_day - dollars
        low, high = _interval(difference)
        made.append(
            Line(
                name=name,
                dollars_per_day=float(dollars.mean()),
                violation_minutes_per_day=float(result.violation_minutes_per_day.mean()),
                replica_hours_per_day=float(result.replica_hours_per_day.mean()),
                share=float(dollars.mean() / limit),
                difference=float(difference.mean()),
                difference_low=low,
                difference_high=high,
            )
        )
    return tuple(made)


def _interval(values: Floats) -> tuple[float, float]:
    """95 % interval of the mean, by bootstrap with a fixed seed."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(values), size=(_BOOTSTRAPS, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _leads(world: World, result: Result) -> Leads:
    demand = world.rates / world.profiles.capacity[:, None]
    found = [
        rises(needed.tolist(), asked.tolist(), float(lead))
        for needed, asked, lead in zip(demand, result.desired, world.lead_steps, strict=True)
    ]
    led = [sum(rise.led for rise in of_one) for of_one in found]
    return Leads(
        rises=sum(map(len, found)),
        led=sum(led),
        services=len(found),
        scaled_ahead=sum(2 * k > len(of_one) for k, of_one in zip(led, found, strict=True)),
    )

"""What the demo came to: the live operator against contenders simulated on the same load."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table

from demo.stage import COMPRESSION, LEAD_SECONDS, MOST_REPLICAS, RATE_WINDOW_SECONDS
from headstart_policy import artifact
from headstart_policy.guardrails import Guardrails
from headstart_policy.physics import fleet_spread
from headstart_policy.profile import Objective, Profile, Profiles
from headstart_training import clairvoyant, served
from headstart_training.baselines.hpa import DOWNSCALE_STABILIZATION, HPA, SYNC
from headstart_training.contest import settle
from headstart_training.scaled_ahead import Rise, rises, scaled_ahead
from headstart_training.settings import of_rates
from headstart_training.simulator import serve, take_profiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.load import Scenario
    from demo.screen import Moment
    from headstart_policy.types import Floats
    from headstart_training.simulator import World

_SEED = Objective()
# Prices per time pass as fast as the load does; what a request earns is the same.
DEMO_OBJECTIVE = Objective(
    slo=_SEED.slo,
    replica_cost=_SEED.replica_cost * COMPRESSION,
    request_value=_SEED.request_value,
    violation_cost=_SEED.violation_cost * COMPRESSION,
)
# The controller's defaults, five minutes and 15 seconds, as fast as the load passes.
HPA_WINDOW_SECONDS = DOWNSCALE_STABILIZATION / COMPRESSION
HPA_SYNC_SECONDS = SYNC / COMPRESSION
# The newest scrape is up to a second old when a decision reads it.
LAG_SECONDS = 1
NOISE_SEED = 7
TITLES = {
    "headstart": "Headstart, live",
    "headstart_simulated": "Headstart, simulated",
    "hpa_70": "HPA 70 %, simulated",
    "hpa_60_stabilised": "HPA 60 %, simulated",
    "clairvoyant": "clairvoyant, the limit",
}


@dataclass(frozen=True)
class Contender:
    """One contender's replicas and what they came to, each of shape (T,)."""

    desired: Floats
    ready: Floats
    violations: Floats
    dollars: Floats

    @property
    def totals(self) -> dict[str, float]:
        """Violation minutes, replica-hours and dollars, in the load's time."""
        return {
            "violation_minutes": float(self.violations.sum()),
            "replica_hours": round(float(self.desired.sum()) / 60, 2),
            "dollars": round(float(self.dollars.sum()), 2),
        }


@dataclass(frozen=True)
class Score:
    """All contenders by name, and the rises of demand with whether the live operator led them."""

    paths: dict[str, Contender]
    found: list[Rise]

    @property
    def led(self) -> int:
        """Rises that desired led by half a lead time or more."""
        return sum(rise.led for rise in self.found)

    @property
    def scaled_ahead(self) -> bool:
        """Whether most rises were led."""
        return scaled_ahead(self.found)

    @property
    def verdict(self) -> str:
        """Say it in a sentence."""
        word = "scaled ahead of" if self.scaled_ahead else "FAILED to scale ahead of"
        return f"Headstart {word} the load: it led {self.led} of {len(self.found)} rises of demand."

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Title, violation minutes, replica-hours and dollars of each contender, as text."""
        return [
            (
                TITLES[name],
                f"{path.totals['violation_minutes']:.0f}",
                f"{path.totals['replica_hours']:.1f}",
                f"{path.totals['dollars']:,.0f}",
            )
            for name, path in self.paths.items()
        ]

    def table(self) -> Table:
        """Draw the rows for a terminal."""
        table = Table("contender")
        for column in ("violation minutes", "replica-hours", "dollars"):
            table.add_column(column, justify="right")
        for row in self.rows():
            table.add_row(*row)
        return table

    def to_json(self) -> dict[str, Any]:
        """Give the facts as plain values."""
        return {
            "scaled_ahead": self.scaled_ahead,
            "rises": len(self.found),
            "led": self.led,
            "contenders": {name: path.totals for name, path in self.paths.items()},
        }


def draw_noise(minutes: int) -> Floats:
    """Draw the capacity noise that all contenders meet: standard normal, shape (T,)."""
    return np.random.default_rng(NOISE_SEED).standard_normal(minutes)


def profile_of(scenario: Scenario) -> Profile:
    """Describe the demo's service as its ScalingPolicy does."""
    return Profile(
        capacity=scenario.capacity,
        lead_time=LEAD_SECONDS,
        interval=1.0,
        objective=DEMO_OBJECTIVE,
        seasons=tuple(float(season) for season in scenario.seasons),
    )


def violates(rate: float, ready: int, scenario: Scenario, noise: float) -> bool:
    """Tell whether ``ready`` replicas miss the SLO at ``rate``, with a draw of their capacity."""
    profile = profile_of(scenario)
    profiles = Profiles.stack([profile])
    spread = fleet_spread(np.array([ready]), profiles, profiles.capacity_correlation)[0]
    capacity = ready * profile.capacity + spread * noise
    return bool(capacity < profile.objective.slo * rate)


def score(scenario: Scenario, moments: Sequence[Moment]) -> Score:
    """Price the live replicas, and play the contenders from the same start on the same load."""
    noise = draw_noise(len(scenario.replay))
    world = _world(scenario, moments[0].ready, noise)
    live_ready = np.array([moment.ready for moment in moments], dtype=np.float64)
    live_desired = np.array([moment.desired for moment in moments], dtype=np.float64)
    headstart = served.headstart(world, artifact.builtin(), Guardrails(MOST_REPLICAS))
    paths = {"headstart": _live(scenario, world, live_ready, live_desired)}
    results = {"headstart_simulated": settle(world, headstart)}
    for name, target in (("hpa_70", 0.7), ("hpa_60_stabilised", 0.6)):
        hpa = HPA(target, window=HPA_WINDOW_SECONDS, sync=HPA_SYNC_SECONDS)
        results[name] = settle(world, hpa.path(world))
    results["clairvoyant"] = settle(world, clairvoyant.path(world))
    for name, result in results.items():
        paths[name] = Contender(
            desired=result.desired[0].astype(np.float64),
            ready=result.ready[0].astype(np.float64),
            violations=result.violations[0],
            dollars=result.dollars[0],
        )
    found = rises(scenario.demand.tolist(), live_desired.tolist(), LEAD_SECONDS)
    return Score(paths, found)


def _world(scenario: Scenario, initial: int, noise: Floats) -> World:
    load = np.concatenate([scenario.history, scenario.replay])[None, :]
    world = of_rates(
        profile_of(scenario),
        load,
        len(scenario.history),
        lag=np.array([LAG_SECONDS]),
        window=np.array([RATE_WINDOW_SECONDS]),
        noise=noise[None, :],
    )
    return replace(world, initial=np.array([initial]))


def _live(scenario: Scenario, world: World, ready: Floats, desired: Floats) -> Contender:
    """Serve the replayed load with the replicas that were really ready."""
    rows = np.zeros(len(ready), dtype=np.int64)
    noise = None if world.noise is None else world.noise[0]
    profiles = take_profiles(world.profiles, rows)
    served = serve(profiles, world.common[rows], scenario.replay, noise, ready, desired)
    return Contender(desired, ready, served.violation.astype(np.float64), served.dollars)

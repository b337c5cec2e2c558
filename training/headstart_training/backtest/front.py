"""Replica-hours against violations, of Headstart and of the HPA at several settings."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_training import served
from headstart_training.backtest.accounts import account
from headstart_training.contest import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.artifact import Policy
    from headstart_policy.guardrails import Guardrails
    from headstart_policy.types import Ints
    from headstart_training.backtest.accounts import Calendar
    from headstart_training.backtest.worlds import Halves
    from headstart_training.baselines.hpa import HPA
    from headstart_training.simulator import World

TARGETS = tuple(round(0.40 + 0.05 * k, 2) for k in range(12))
# Expected minutes per day below this are none: half a second, no user can tell them apart.
LEAST_MINUTES = 0.01
# Headstart is told what a violation costs, not what utilisation to hold.
HEDGES = (0.125, 0.5, 1.0, 2.0, 8.0)


class Point(NamedTuple):
    """One setting's place in the plot."""

    setting: float
    """The HPA's target utilisation; or the violation cost that Headstart was told, over the real
    one."""
    replica_hours: float
    """Per day."""
    violation_minutes: float
    """Per day."""
    dollars: float
    """Per day, at the real violation cost."""


class Front(NamedTuple):
    """Both ways to trade replicas for violations."""

    headstart: tuple[Point, ...]
    hpa: tuple[Point, ...]

    @property
    def saving(self) -> float:
        """Share of replica-hours that Headstart as shipped saves at equal violations.

        NaN where no two settings of the HPA have Headstart's violations between them.
        """
        shipped = next(point for point in self.headstart if point.setting == 1.0)
        return 1 - shipped.replica_hours / hours_at(self.hpa, shipped.violation_minutes)

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values."""
        return {
            "headstart": [point._asdict() for point in self.headstart],
            "hpa": [point._asdict() for point in self.hpa],
            "replica_hours_saved_at_equal_violations": self.saving
            if math.isfinite(self.saving)
            else None,
        }


def fronts(
    halves: Halves, calendar: Calendar, tuned: HPA, policy: Policy, guardrails: Guardrails
) -> Front:
    """Play the test half at all settings.

    The HPA has its tuned settings but for the target: what one turns to be safer, or cheaper.
    """
    world = halves.test

    def point(setting: float, desired: Ints) -> Point:
        came = account(settle(world, desired), calendar)
        return Point(
            setting,
            came.replica_hours_per_day,
            came.violation_minutes_per_day,
            came.dollars_per_day,
        )

    def told(hedge: float) -> Ints:
        before = _told(halves.tuning, hedge)
        return served.headstart(_told(world, hedge), policy, guardrails, before, halves.recorded)

    return Front(
        tuple(point(hedge, told(hedge)) for hedge in HEDGES),
        tuple(point(target, replace(tuned, target=target).path(world)) for target in TARGETS),
    )


def hours_at(points: Sequence[Point], violation_minutes: float) -> float:
    """Replica-hours with which the best of some settings comes to these violations per day.

    Between two neighbours, hours go with the logarithm of the violations: each replica more
    divides them by about the same. NaN outside of all points: nothing is extrapolated.
    """
    best = efficient(points)[::-1]
    level = [math.log(_minutes(point)) for point in best]
    wanted = math.log(max(violation_minutes, LEAST_MINUTES))
    if not best or not level[0] <= wanted <= level[-1]:
        return math.nan
    return float(np.interp(wanted, level, [point.replica_hours for point in best]))


def efficient(points: Sequence[Point]) -> list[Point]:
    """Leave out what another setting beats in both, fewest hours first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda p: (p.replica_hours, p.violation_minutes)):
        if not kept or _minutes(point) < _minutes(kept[-1]):
            kept.append(point)
    return kept


def _minutes(point: Point) -> float:
    return max(point.violation_minutes, LEAST_MINUTES)


def _told(world: World, hedge: float) -> World:
    """Tell decisions another violation cost."""
    cost = world.profiles.violation_cost * hedge
    return replace(world, profiles=replace(world.profiles, violation_cost=cost))

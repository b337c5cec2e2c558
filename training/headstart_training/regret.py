"""How often a policy would have been demoted on recorded loads, and what that cost or saved.

Replays each recording with the policy as the operator serves it, keeps the operator's regret
against the reactive formula, and lets the formula decide while the policy is demoted::

    python -m headstart_training.regret ../shared/traces

A number asks the same of a policy that always asks for so many times the demand.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy import artifact, demotion
from headstart_policy.features import NAMES
from headstart_policy.guardrails import FALLBACK_UTILIZATION, Guardrails
from headstart_policy.ledger import Accounts
from headstart_policy.network import Network
from headstart_policy.observation import recent_peak
from headstart_policy.profile import DAY, WEEK, Profile, Profiles
from headstart_policy.reactive import reactive
from headstart_policy.selector import HALF_LIFE
from headstart_training import served
from headstart_training.contest import settle
from headstart_training.loads.traces import read_trace
from headstart_training.sight import measure, see
from headstart_training.simulator import World

if TYPE_CHECKING:
    from headstart_policy.artifact import Policy
    from headstart_policy.types import Bools, Floats
    from headstart_training.loads.regular import Trace

# Replicas that each recording is scaled to, and its lead time in minutes.
FLEET, LEAD_MINUTES = 20.0, 5.0


class Outcome(NamedTuple):
    """One recording; dollars are spent ones, a day."""

    days: float
    demotions: int
    away: float
    """Share of the time."""
    policy: float
    reactive: float
    with_demotion: float


def replay(trace: Trace, policy: Policy, ratio: float | None = None) -> Outcome:
    """Play a recording; with a ``ratio`` the policy asks for so many times the demand."""
    world = world_of(trace)
    profiles = world.profiles
    limits = Guardrails(max_replicas=100_000)
    if ratio is None:
        own = served.headstart(world, policy, limits)
    else:
        own = served.network(world, replace(policy, network=constant(ratio)), limits)
    peak = recent_peak(served.observations(world))
    newest = world.sight.newest[:, :-1].ravel()
    capacity = np.repeat(profiles.capacity, world.steps)
    formula = reactive(np.fmax(peak, newest), capacity, FALLBACK_UTILIZATION)
    formula = np.maximum(formula, 1).reshape(own.shape)
    worth = world.rates * profiles.request_value[:, None] * profiles.interval[:, None]
    mine, theirs = (worth - settle(world, path).dollars for path in (own, formula))
    demoted = follow(mine[0], theirs[0], formula[0].astype(np.float64), profiles)
    both = np.where(demoted[None], formula, own)
    days = world.steps * float(profiles.interval[0]) / DAY
    return Outcome(
        days=days,
        demotions=int(np.count_nonzero(np.diff(demoted.astype(int)) > 0)),
        away=float(demoted.mean()),
        policy=mine.sum() / days,
        reactive=theirs.sum() / days,
        with_demotion=(worth - settle(world, both).dollars).sum() / days,
    )


def follow(own: Floats, other: Floats, fleet: Floats, profiles: Profiles) -> Bools:
    """Say in which intervals a policy would have been demoted, shape (T,), from dollars spent."""
    accounts, since = Accounts.begin(1, 1), np.array([np.nan])
    keep = 0.5 ** (profiles.interval / (HALF_LIFE * profiles.lead_time))
    demoted = np.zeros(len(own), dtype=np.bool_)
    for t in range(len(own)):
        accounts = accounts._replace(
            regret=np.maximum(keep * accounts.regret + own[t] - other[t], 0.0),
            fleet=keep * accounts.fleet + fleet[t],
            weight=keep * accounts.weight + 1,
        )
        now = t * profiles.interval
        trust = demotion.judge(accounts, since, np.array([np.nan]), now, profiles)
        accounts, since = accounts._replace(regret=trust.regret), trust.since
        # What is priced at t was asked for before; the verdict is for what is asked for next.
        demoted[min(t + 1, len(own) - 1)] = trust.demoted[0]
    return demoted


def constant(ratio: float) -> Network:
    """Build a network that asks for ``ratio`` times the demand, whatever it sees."""
    return Network((np.zeros((len(NAMES), 1)),), (np.array([np.log(ratio)]),), least=0.1, most=10)


def world_of(trace: Trace) -> World:
    """Play a recording as a service of :data:`FLEET` replicas with default prices."""
    rates = trace.filled[None]
    capacity = float(np.nanmean(rates)) / FLEET
    profile = Profile(capacity, LEAD_MINUTES * 60, trace.step, seasons=(DAY, WEEK))
    profiles = Profiles.stack([profile])
    steps = rates.shape[1]
    none = np.zeros(1, dtype=np.int64)
    seen = measure(rates, none, none + 1)
    return World(
        profiles=profiles,
        rates=rates,
        sight=see(seen, np.arange(steps + 1.0), profiles, profiles.interval),
        lead_steps=profiles.lead_steps,
        initial=np.array([int(np.ceil(rates[0, 0] / capacity * 1.4)) + 1]),
    )


def main(folder: Path, ratio: float | None = None) -> None:
    """Print a table of the recordings in a folder."""
    policy = artifact.builtin()
    print(  # noqa: T201
        f"{'recording':28}{'days':>6}{'demoted':>9}{'away':>7}"
        f"{'policy $/day':>14}{'reactive':>10}{'with demotion':>15}"
    )
    for file in sorted(folder.glob("*.csv.gz")):
        one = replay(read_trace(file), policy, ratio)
        print(  # noqa: T201
            f"{file.name.removesuffix('.csv.gz'):28}{one.days:6.1f}{one.demotions:9d}{one.away:7.1%}"
            f"{one.policy:14,.0f}{one.reactive:10,.0f}{one.with_demotion:15,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(float, sys.argv[2:]))

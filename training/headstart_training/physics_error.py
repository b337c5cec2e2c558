"""How far the reduced physics is from explicit pods, where it is an approximation.

What is priced with one constant lead time is replayed by :mod:`headstart_training.pods` as a
cluster would carry it out. One contender knows the load and has replicas ready just in time, so
that nothing hides an error of their timing; the other follows the load up and down every minute,
so that replicas are cancelled while they warm.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_training import clairvoyant, pods
from headstart_training.contest import settle
from headstart_training.fleet import arrivals
from headstart_training.settings import UNSEEN, seed_day

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.types import Floats, Ints
    from headstart_training.contest import Result
    from headstart_training.simulator import World

SPREADS = (0.0, 0.1, 0.25, 0.5)
QUANTILES = (75.0, 90.0)
# A node for ten replicas that takes two minutes to come.
_PER_NODE, _NODE_STEPS = 10, 2
_RETRIES = 0.9
_UTILIZATION = 0.7


@dataclass(frozen=True)
class Error:
    """A case, and what was predicted for it against what explicit pods came to.

    Attributes
    ----------
    case, contender, plan
        What is not as the reduced physics has it, who asked for replicas, and which lead time
        was planned and priced with.
    lead_steps
        That lead time.
    steps_off
        Share of steps with other than the predicted ready replicas.
    replicas_off
        Mean difference of them, without sign.
    predicted_dollars, dollars
        Per service and day.
    predicted_violations, violations
        Minutes per service and day.
    """

    case: str
    contender: str
    plan: str
    lead_steps: int
    steps_off: float
    replicas_off: float
    predicted_dollars: float
    dollars: float
    predicted_violations: float
    violations: float

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values."""
        return asdict(self)


def measure(
    services: int = 10,
    minutes: int = 1440,
    seed: int = UNSEEN,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Error]:
    """Measure all cases on the seed's loads with a day of 24 h and a lead time of 5 min.

    Parameters
    ----------
    services, minutes, seed
        Loads to replay.
    progress
        Hears what is being replayed.
    """
    world = seed_day(services, minutes, seed)
    errors = []
    for contender in CONTENDERS:
        for spread in SPREADS:
            case = f"lead times spread by {spread:.0%}"
            share = arrivals(world.lead_steps[:1], np.array([spread]))[0]
            for plan, lead in _plans(share, int(world.lead_steps[0])).items():
                progress(f"{contender}: {case}, planned with their {plan}")
                planned = replace(world, lead_steps=np.full(services, lead))
                make = partial(_replica_set, world, share, 0)
                errors.append(_replay(case, contender, plan, planned, make))
        certain = arrivals(world.lead_steps[:1], np.zeros(1))[0]
        others: dict[str, Callable[[int], pods.Controller]] = {
            f"a node for {_PER_NODE} replicas after {_NODE_STEPS} min": partial(
                _replica_set, world, certain, _PER_NODE
            ),
            "StatefulSet, OrderedReady": partial(_stateful_set, world),
        }
        for case, make_other in others.items():
            progress(f"{contender}: {case}")
            errors.append(_replay(case, contender, "mean", world, make_other))
    return [*errors, _retries(world)]


def follow(world: World) -> Ints:
    """Ask for what the load of the minute before needs at a fixed utilisation."""
    demand = world.rates / world.profiles.capacity[:, None]
    before = np.concatenate([demand[:, :1], demand[:, :-1]], axis=1)
    return np.ceil(before / _UTILIZATION).astype(np.int64)


CONTENDERS: dict[str, Callable[[World], Ints]] = {
    "knows the load": clairvoyant.path,
    "follows the load": follow,
}


def _plans(share: Floats, mean: int) -> dict[str, int]:
    """Lead times to plan with; ``share`` of lead times are at most so many steps."""
    if np.max(np.diff(share)) == 1:
        return {"mean": mean}
    quantiles = {f"P{q:.0f}": int(np.argmax(share >= q / 100)) for q in QUANTILES}
    return {"mean": mean, **quantiles}


def _replica_set(world: World, share: Floats, per_node: int, i: int) -> pods.ReplicaSet:
    """A ReplicaSet as Kubernetes runs it, with pods that know nothing of each other."""
    rng = np.random.default_rng(i)
    return pods.ReplicaSet(
        int(world.initial[i]),
        pods.independent(rng, share),
        ranking=pods.as_kubernetes,
        interval=float(world.profiles.interval[i]),
        rng=rng,
        per_node=per_node,
        node_steps=_NODE_STEPS,
    )


def _stateful_set(world: World, i: int) -> pods.StatefulSet:
    lead = int(world.lead_steps[i])
    return pods.StatefulSet(int(world.initial[i]), lambda count, _t: [lead] * count)


def _replay(
    case: str,
    contender: str,
    plan: str,
    planned: World,
    make: Callable[[int], pods.Controller],
) -> Error:
    desired = CONTENDERS[contender](planned)
    asked, ready = pods.replay(planned, desired, make)
    dollars, violations = planned.price(ready, asked)
    predicted = settle(planned, desired)
    real = replace(predicted, dollars=dollars, violations=violations, ready=ready)
    return _error(case, contender, plan, int(planned.lead_steps[0]), predicted, real)


def _retries(world: World) -> Error:
    """What comes again when it is not served: the load is no longer exogenous."""
    desired = follow(world)
    predicted = settle(world, desired)
    capacity = predicted.ready * world.profiles.capacity[:, None]
    retried = replace(world, rates=pods.with_retries(world.rates, capacity, _RETRIES))
    return _error(
        f"{_RETRIES:.0%} of what is not served comes again",
        "follows the load",
        "mean",
        int(world.lead_steps[0]),
        predicted,
        settle(retried, desired),
    )


def _error(
    case: str, contender: str, plan: str, lead: int, predicted: Result, real: Result
) -> Error:
    off = np.abs(predicted.ready - real.ready)
    return Error(
        case=case,
        contender=contender,
        plan=plan,
        lead_steps=lead,
        steps_off=float(np.mean(off > 0)),
        replicas_off=float(off.mean()),
        predicted_dollars=float(predicted.dollars_per_day.mean()),
        dollars=float(real.dollars_per_day.mean()),
        predicted_violations=float(predicted.violation_minutes_per_day.mean()),
        violations=float(real.violation_minutes_per_day.mean()),
    )

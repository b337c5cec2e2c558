"""N services x T steps in numpy, with Kubernetes semantics.

One step is one interval: the decision is carried out, the pipeline advances, capacity is drawn, the
load is served and priced. Loads and noise are drawn beforehand, so contenders that play the same
simulator setting meet the same minutes: every comparison is paired.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.physics import Outcome, expected_outcome, fleet_spread, outcome
from headstart_policy.profile import Profiles
from headstart_training.fleet import Fleet, advance, remaining_bins

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Floats, Ints
    from headstart_training.sight import Sight


@dataclass(frozen=True)
class World:
    """What happens to N services over T steps, whatever is decided.

    Attributes
    ----------
    profiles
        Of the services, as decisions see them.
    rates
        Requests/s that arrive in each step, shape (N, T).
    sight
        What decisions see of the load before each step, and after the last: T + 1 moments.
    lead_steps
        Whole steps from asking for a replica to it serving, shape (N,), at least 1.
    initial
        Ready replicas before the first step, shape (N,).
    noise
        Standard normal draw of each step's capacity, shape (N, T); ``None``: each step comes to
        its expectation.
    bill_warming
        Whether replicas are billed from creation, or from when they serve.
    past
        Measured rates before the first step, oldest first, as decisions have seen them, requests/s,
        shape (N, P); NaN: unknown; ``None``: nothing is known. One column is one step.

    Raises
    ------
    ValueError
        Shapes that do not fit, or a lead below one step.
    """

    profiles: Profiles
    rates: Floats
    sight: Sight
    lead_steps: Ints
    initial: Ints
    noise: Floats | None = None
    bill_warming: bool = True
    past: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse what numpy would broadcast into nonsense."""
        services, steps = self.rates.shape
        for name, shape in (
            ("lead_steps", (services,)),
            ("initial", (services,)),
            ("noise", (services, steps)),
        ):
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must have shape {shape}, has {value.shape}")
        if self.sight.newest.shape != (services, steps + 1):
            raise ValueError(
                f"sight must have shape {(services, steps + 1)}, has {self.sight.newest.shape}"
            )
        if self.past is not None and (self.past.ndim, len(self.past)) != (2, services):
            raise ValueError(f"past must have shape ({services}, P), has {self.past.shape}")
        if self.lead_steps.min() < 1:
            raise ValueError(f"lead_steps must be at least 1, is {self.lead_steps.min()}")

    @property
    def common(self) -> Floats:
        """Correlation of the replicas' capacity noise, shape (N,)."""
        return self.profiles.capacity_correlation

    @property
    def steps(self) -> int:
        """T."""
        return int(self.rates.shape[1])

    def serve(self, t: int, ready: Ints, billed: Ints) -> Outcome:
        """Serve and price step t with given replicas, each of shape (N,)."""
        noise = None if self.noise is None else self.noise[:, t]
        return serve(self.profiles, self.common, self.rates[:, t], noise, ready, billed)

    def take(self, rows: Ints) -> World:
        """Pick services by index, in the order given; one may come more than once."""
        arrays = {name: getattr(self, name)[rows] for name in ("rates", "lead_steps", "initial")}
        return replace(
            self,
            profiles=take_profiles(self.profiles, rows),
            sight=type(self.sight)(*(part[rows] for part in self.sight)),
            noise=None if self.noise is None else self.noise[rows],
            past=None if self.past is None else self.past[rows],
            **arrays,
        )


def take_profiles(profiles: Profiles, rows: Ints) -> Profiles:
    """Pick profiles by index, in the order given."""
    return Profiles(**{name: value[rows] for name, value in vars(profiles).items()})


class Step(NamedTuple):
    """What one step brought."""

    outcome: Outcome
    """Served requests/s, violation and dollars, each of shape (N,)."""
    ready: Ints
    """Replicas that served, shape (N,)."""
    billed: Ints
    """Replicas that were paid for, shape (N,)."""


class Simulator:
    """Plays a :class:`World` step by step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.t = 0
        self.fleet = Fleet.all_ready(world.initial, int(world.lead_steps.max()))
        self._bins = remaining_bins(world.lead_steps, self.fleet.warming.shape[1])

    @property
    def over(self) -> bool:
        """Whether all steps have passed."""
        return self.t >= self.world.steps

    def observe(self) -> Observation:
        """Look at the services before step ``t``, or after the last one.

        Nothing in it depends on the load of step t or later.
        """
        warming: Ints = (self._bins @ self.fleet.warming[:, :, None])[:, :, 0]
        return self.world.sight.observation(
            self.t, self.world.profiles, self.fleet.ready, warming, self.fleet.current
        )

    def step(self, desired: Ints) -> Step:
        """Carry out N decisions and serve one step.

        Raises
        ------
        RuntimeError
            All steps have passed.
        """
        if self.over:
            raise RuntimeError(f"all {self.world.steps} steps have passed")
        world, t = self.world, self.t
        self.fleet = advance(self.fleet, np.maximum(desired, 0), world.lead_steps)
        self.t += 1
        billed = self.fleet.current if world.bill_warming else self.fleet.ready
        return Step(world.serve(t, self.fleet.ready, billed), self.fleet.ready, billed)


def serve(
    profiles: Profiles,
    common: Floats,
    rate: Floats,
    noise: Floats | None,
    ready: Ints | Floats,
    billed: Ints | Floats,
) -> Outcome:
    """Serve and price one step.

    Parameters
    ----------
    profiles, common
        Of N services, as in a :class:`World`.
    rate, noise
        Requests/s and the draw of the fleet's capacity, shape (N,); ``None``: the expectation.
    ready, billed
        Replicas, shape (N,).
    """
    if noise is None:
        return expected_outcome(rate, ready, billed, profiles, common)
    spread = fleet_spread(ready, profiles, common)
    capacity = np.maximum(ready * profiles.capacity + spread * noise, 0.0)
    return outcome(rate, capacity, billed, profiles)

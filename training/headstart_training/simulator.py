"""N services x T steps with Kubernetes semantics.

One step is one interval: the decision is carried out, the pipeline advances, capacity is drawn, the
load is served and priced. Loads and noise are drawn beforehand, so contenders that play the same
simulator setting meet the same minutes: every comparison is paired.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.observation import WARMING_BINS
from headstart_policy.physics import Outcome, expected_outcome, fleet_spread, outcome
from headstart_policy.profile import Profiles
from headstart_training.fleet import Fleet, remaining_bins, rules_of
from headstart_training.threads import over_rows

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Bools, Floats, Ints
    from headstart_training.frictions import Frictions
    from headstart_training.kernels.money import Terms
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
        Whether replicas are billed from creation, or from when they serve; for all services, or
        shape (N,).
    past
        Measured rates before the first step, oldest first, as decisions have seen them, requests/s,
        shape (N, P); NaN: unknown; ``None``: nothing is known. One column is one step.
    frictions
        What stands between asking and being ready besides the lead time; ``None``: nothing.

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
    bill_warming: bool | Bools = True
    past: Floats | None = None
    frictions: Frictions | None = None

    def __post_init__(self) -> None:
        """Refuse what numpy would broadcast into nonsense."""
        services, steps = self.rates.shape
        # A cut of a longer load is copied: kernels are four times as fast where rows have no gaps.
        object.__setattr__(self, "rates", np.ascontiguousarray(self.rates))
        if self.noise is not None:
            object.__setattr__(self, "noise", np.ascontiguousarray(self.noise))
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
        if self.frictions is not None and self.frictions.luck.shape != (services, steps):
            raise ValueError(
                f"frictions must have shape {(services, steps)}, have {self.frictions.luck.shape}"
            )
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

    @cached_property
    def terms(self) -> Terms:
        """What pricing needs to know of the services."""
        from headstart_training.kernels.money import terms_of  # noqa: PLC0415  # Numba loads slowly.

        return terms_of(self.profiles)

    def serve(self, t: int, ready: Ints, billed: Ints) -> Outcome:
        """Serve and price step t with given replicas, each of shape (N,).

        The formulas of :mod:`headstart_policy.physics`, compiled.
        """
        from headstart_training.kernels.money import price_step  # noqa: PLC0415

        rate = np.ascontiguousarray(self.rates[:, t])
        noise = None if self.noise is None else np.ascontiguousarray(self.noise[:, t])
        outcome = Outcome(*(np.empty(len(rate)) for _ in Outcome._fields))
        price_step(self.terms, rate, noise, ready, billed, outcome)
        return outcome

    def price(self, ready: Ints, billed: Ints) -> tuple[Floats, Floats]:
        """Dollars and violations of whole paths of replicas, each of shape (N, T)."""
        from headstart_training.kernels.money import price_paths  # noqa: PLC0415

        dollars, violations = np.empty(self.rates.shape), np.empty(self.rates.shape)
        over_rows(
            len(ready),
            4.0 * ready.size,
            lambda start, stop: price_paths(
                start,
                stop,
                self.terms,
                self.rates,
                self.noise,
                ready,
                billed,
                dollars,
                violations,
            ),
        )
        return dollars, violations

    def carry_out(self, desired: Ints) -> tuple[Ints, Ints]:
        """What becomes of whole paths of desired replicas: asked for and ready, shape (N, T).

        Without frictions everything is asked for that is desired, and what is ready is its moving
        minimum over the lead time (:func:`headstart_policy.physics.ready_path`).
        """
        from headstart_training.kernels import fleets  # noqa: PLC0415

        count, ready = len(desired), np.empty_like(desired)
        if self.frictions is None:
            over_rows(
                count,
                2.0 * desired.size,
                lambda start, stop: fleets.ready_paths(
                    start, stop, desired, self.lead_steps, self.initial, ready
                ),
            )
            return desired, ready
        asked, luck = np.empty_like(desired), self.frictions.luck
        rules = rules_of(self.lead_steps, self.frictions)
        fleet = Fleet.all_ready(self.initial, rules)
        over_rows(
            count,
            8.0 * desired.size,
            lambda start, stop: fleets.carry_out(
                start, stop, desired, luck, fleet, rules, asked, ready
            ),
        )
        return asked, ready

    def take(self, rows: Ints) -> World:
        """Pick services by index, in the order given; one may come more than once."""
        bills = self.bill_warming
        arrays = {name: getattr(self, name)[rows] for name in ("rates", "lead_steps", "initial")}
        return replace(
            self,
            profiles=take_profiles(self.profiles, rows),
            sight=type(self.sight)(*(part[rows] for part in self.sight)),
            noise=None if self.noise is None else self.noise[rows],
            past=None if self.past is None else self.past[rows],
            frictions=None if self.frictions is None else self.frictions.take(rows),
            bill_warming=bills if isinstance(bills, bool) else bills[rows],
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
        self._rules = rules_of(world.lead_steps, world.frictions)
        self.fleet = Fleet.all_ready(world.initial, self._rules)
        self._bins = remaining_bins(world.lead_steps, self.fleet.warming.shape[1])
        self._luck = world.frictions.luck if world.frictions else np.zeros((len(world.rates), 1))

    @property
    def over(self) -> bool:
        """Whether all steps have passed."""
        return self.t >= self.world.steps

    def observe(self) -> Observation:
        """Look at the services before step ``t``, or after the last one.

        Nothing in it depends on the load of step t or later.
        """
        from headstart_training.kernels.fleets import count_warming  # noqa: PLC0415

        warming = np.empty((len(self.world.rates), WARMING_BINS), dtype=np.int64)
        count_warming(self.fleet, self._rules.columns, self._bins, warming)
        ready, current = self.fleet.ready.copy(), self.fleet.current.copy()
        return self.world.sight.observation(self.t, self.world.profiles, ready, warming, current)

    def step(self, desired: Ints) -> Step:
        """Carry out N decisions and serve one step.

        Raises
        ------
        RuntimeError
            All steps have passed.
        """
        from headstart_training.kernels.fleets import carry_out  # noqa: PLC0415

        if self.over:
            raise RuntimeError(f"all {self.world.steps} steps have passed")
        world, t = self.world, self.t
        luck = self._luck[:, [t]] if world.frictions else self._luck
        wanted = np.ascontiguousarray(desired, dtype=np.int64)[:, None]
        asked, ready = np.empty_like(wanted), np.empty_like(wanted)
        carry_out(0, len(wanted), wanted, luck, self.fleet, self._rules, asked, ready)
        self.t += 1
        asked, ready = asked[:, 0], ready[:, 0]
        billed = np.where(world.bill_warming, asked, ready)
        return Step(world.serve(t, ready, billed), ready, billed)


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

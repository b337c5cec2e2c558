"""Knative's pod autoscaler (KPA): a stable window, a panic window, limits on the rate of change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.behavior import NO_LIMIT
from headstart_policy.series import CumulativeRates
from headstart_training.baselines.hpa import TARGETS, floors
from headstart_training.baselines.remembered import remembered
from headstart_training.baselines.seen import known, seen

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints
    from headstart_training.simulator import World

# --tick-interval of config-autoscaler.
TICK = 2.0

_WINDOWS = (60.0, 600.0)
_DELAYS = (0.0, 900.0, 1800.0)


@dataclass(frozen=True)
class KPA:
    """Want the mean rate over a window divided by a share of the capacity; double in a panic.

    Parameters
    ----------
    target
        ``autoscaling.knative.dev/target-utilization-percentage`` / 100, of the metric ``rps`` with
        the capacity as its ``target``.
    least, most
        ``min-scale`` and ``max-scale``.
    window
        ``window``: what the stable mean is taken over [s].
    panic_window
        ``panic-window-percentage`` / 100: the panic window as a share of ``window``.
    panic_threshold
        ``panic-threshold-percentage`` / 100: panic where the panic window wants so many times the
        ready replicas. There is no scaling down until it was over for a stable window.
    up_rate, down_rate
        ``max-scale-up-rate`` and ``max-scale-down-rate``: factors on the ready replicas, per tick.
    delay
        ``scale-down-delay`` [s]: go down only to the largest want of this time.

    Raises
    ------
    ValueError
        A number is out of its bounds; the message names key, bound and value.

    Notes
    -----
    A window that is shorter than a step is the step: at one-minute steps the default windows of
    60 s and 6 s see the same rate. ``enable-scale-to-zero`` and its activator, which holds requests
    back while the first pod starts, are not played: ``least`` is at least 1.

    Source: https://knative.dev/docs/serving/autoscaling/kpa-specific/ and ``Scale`` in
    https://github.com/knative/serving/blob/main/pkg/autoscaler/scaling/autoscaler.go.
    """

    target: float = 0.7
    least: int = 1
    most: int = NO_LIMIT
    window: float = 60.0
    panic_window: float = 0.1
    panic_threshold: float = 2.0
    up_rate: float = 1000.0
    down_rate: float = 2.0
    delay: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what Knative would refuse."""
        if not (self.target > 0 and math.isfinite(self.target)):
            raise ValueError(f"target = {self.target}, must be finite and greater than 0")
        if self.least < 1:
            raise ValueError(f"least = {self.least}, must be at least 1")
        if not 0 < self.panic_window <= 1:
            raise ValueError(f"panic_window = {self.panic_window}, must be in (0, 1]")
        for key, bound in (("window", 0), ("panic_threshold", 1), ("up_rate", 1), ("down_rate", 1)):
            if not getattr(self, key) > bound:
                raise ValueError(f"{key} = {getattr(self, key)}, must be greater than {bound}")
        if not self.delay >= 0:
            raise ValueError(f"delay = {self.delay}, must be at least 0 s")

    def __str__(self) -> str:
        """Say what was set, as a revision's annotations would."""
        return (
            f"target utilisation {self.target:.0%}, min-scale {self.least}, window"
            f" {self.window:g} s, scale-down-delay {self.delay:g} s"
        )

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T)."""
        from headstart_training.baselines.kernels import kpa as kernel  # noqa: PLC0415 - numba.

        stable = _means(world, self.window)
        panic = _means(world, self.window * self.panic_window)
        profiles = world.profiles
        return np.stack(
            [
                kernel.kpa_path(
                    kernel.Rules(
                        target=float(self.target * profiles.capacity[i]),
                        least=self.least,
                        most=self.most,
                        stable_window=self.window,
                        panic_threshold=self.panic_threshold,
                        up_rate=self.up_rate,
                        down_rate=self.down_rate,
                        delay=math.ceil(self.delay / TICK),
                    ),
                    stable[i],
                    panic[i],
                    world.initial[i],
                    world.lead_steps[i],
                    profiles.interval[i],
                    TICK,
                )
                for i in range(len(profiles))
            ]
        )


@remembered
def _means(world: World, window: float) -> Floats:
    """Mean of what was seen in a window before each step; the newest where that is unknown."""
    rates, past = seen(world)
    ends = past + np.arange(world.steps, dtype=np.float64)
    ends = np.broadcast_to(ends, (len(rates), world.steps))
    starts = ends - np.maximum(window / world.profiles.interval, 1.0)[:, None]
    means = CumulativeRates.of(rates).means(np.maximum(starts, 0.0), ends)
    return np.where(np.isfinite(means), means, known(world))


def grid(world: World) -> tuple[KPA, ...]:
    """Give the settings of the KPA for one service."""
    return tuple(
        KPA(target, least, window=window, delay=delay)
        for target in TARGETS
        for least in floors(world)
        for window in _WINDOWS
        for delay in _DELAYS
    )

"""KEDA with its Prometheus scaler: an HPA, and an operator that goes to zero and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.behavior import NO_LIMIT, Behavior
from headstart_training.baselines.hpa import DOWNSCALE_STABILIZATION, HPA, TARGETS, floors
from headstart_training.baselines.seen import known

if TYPE_CHECKING:
    from headstart_policy.types import Ints
    from headstart_training.simulator import World


@dataclass(frozen=True)
class KEDA:
    """Let an HPA hold ``threshold`` requests/s per replica while the service is active.

    Parameters
    ----------
    target
        Utilisation that the scaler's ``threshold`` stands for: ``threshold / capacity``.
    least, most
        ``minReplicaCount`` and ``maxReplicaCount``. KEDA's default for the latter is 100.
    idle
        ``idleReplicaCount``: ``None``, or the 0 replicas to go to while inactive where ``least`` is
        not 0 already. KEDA supports no other number.
    activation
        ``activationThreshold`` [requests/s]: active is a rate above it.
    cooldown
        ``cooldownPeriod``: the scaler has to be inactive for longer to go to zero [s].
    polling
        ``pollingInterval``: how often the operator looks whether it is active [s].
    behavior
        ``advanced.horizontalPodAutoscalerConfig.behavior``.

    Raises
    ------
    ValueError
        A number is out of its bounds; the message names key, bound and value.

    Notes
    -----
    At ``least`` replicas and above, KEDA is the HPA that it makes, with ``averageValue`` equal to
    ``threshold``, and the operator's polls change nothing.

    Source: https://keda.sh/docs/latest/reference/scaledobject-spec/,
    https://keda.sh/docs/latest/scalers/prometheus/ and ``RequestScale`` in
    https://github.com/kedacore/keda/blob/main/pkg/scaling/executor/scale_scaledobjects.go.
    """

    target: float
    least: int = 0
    most: int = NO_LIMIT
    idle: int | None = None
    activation: float = 0.0
    cooldown: float = 300.0
    polling: float = 30.0
    behavior: Behavior | None = None

    def __post_init__(self) -> None:
        """Refuse what KEDA would refuse."""
        if self.least < 0:
            raise ValueError(f"least = {self.least}, must be at least 0")
        if self.idle not in {None, 0}:
            raise ValueError(f"idle = {self.idle}, must be 0 or None")
        for key in ("activation", "cooldown"):
            if not getattr(self, key) >= 0:
                raise ValueError(f"{key} = {getattr(self, key)}, must be at least 0")
        if not self.polling > 0:
            raise ValueError(f"polling = {self.polling}, must be greater than 0 s")
        self._hpa()

    def __str__(self) -> str:
        """Say what was set, as a ScaledObject would."""
        window = self.behavior.down.window if self.behavior else DOWNSCALE_STABILIZATION
        idle = ", idleReplicaCount 0" if self.idle == 0 else ""
        return (
            f"threshold {self.target:.0%} of a replica's capacity, minReplicaCount {self.least}"
            f"{idle}, cooldownPeriod {self.cooldown:g} s, down-stabilisation {window:g} s"
        )

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T)."""
        from headstart_training.baselines.kernels.hpa import keda_path  # noqa: PLC0415 - numba.

        hpa, profiles = self._hpa(), world.profiles
        cooldown = self.cooldown if self.least == 0 or self.idle == 0 else math.inf
        return np.stack(
            [
                keda_path(
                    *hpa.compiled(profiles.capacity[i]),
                    rate,
                    world.initial[i],
                    profiles.interval[i],
                    hpa.sync,
                    self.polling,
                    self.activation,
                    cooldown,
                )
                for i, rate in enumerate(known(world))
            ]
        )

    def _hpa(self) -> HPA:
        return HPA(self.target, max(self.least, 1), self.most, behavior=self.behavior)


def grid(world: World) -> tuple[KEDA, ...]:
    """Give the settings of KEDA for one service: thresholds, and least replicas down to zero."""
    return tuple(KEDA(target, least) for target in TARGETS for least in (0, *floors(world)))

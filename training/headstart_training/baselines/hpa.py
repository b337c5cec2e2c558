"""The HorizontalPodAutoscaler on a rate per replica, as kube-controller-manager runs it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.behavior import NO_LIMIT, Behavior, Policy, Rules, Select
from headstart_training.baselines.seen import known

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints
    from headstart_training.baselines.kernels import hpa as kernel
    from headstart_training.simulator import World

# --horizontal-pod-autoscaler-sync-period, -tolerance and -downscale-stabilization.
SYNC = 15.0
TOLERANCE = 0.1
DOWNSCALE_STABILIZATION = 300.0

TARGETS = tuple(round(0.30 + 0.05 * k, 2) for k in range(13))
_WINDOWS = (0.0, 300.0, 900.0, 1800.0)
_TOLERANCES = (0.0, TOLERANCE)
_QUANTILES = (0.1, 0.3, 0.5)


def standard(window: float = DOWNSCALE_STABILIZATION) -> Behavior:
    """Give the rules that autoscaling/v2 fills in where a ``behavior`` leaves them out.

    Source: ``GenerateHPAScaleUpRules`` and ``GenerateHPAScaleDownRules`` in Kubernetes'
    ``pkg/apis/autoscaling/v2/defaults.go``.

    Parameters
    ----------
    window
        ``scaleDown.stabilizationWindowSeconds``.
    """
    doubled = Policy("Percent", 100, 15.0)
    return Behavior(
        up=Rules(policies=(Policy("Pods", 4, 15.0), doubled)),
        down=Rules(window=window, policies=(doubled,)),
    )


@dataclass(frozen=True)
class HPA:
    """Want ``ceil(rate / (target * capacity))`` replicas, unless that is hardly a change.

    Parameters
    ----------
    target
        Utilisation to hold, greater than 0: a metric of type ``External`` or ``Object`` with an
        ``averageValue`` of ``target * capacity`` requests/s.
    least, most
        ``minReplicas`` and ``maxReplicas``, at least 1.
    down_tolerance, up_tolerance
        Do nothing while the rate per replica is off its target by no more than this share.
    behavior
        ``spec.behavior``. ``None`` is what an HPA without one gets, which is not what the API
        documents as the default: at most twice the replicas, or 4, after each sync, and a
        down-stabilisation of ``window``.
    window
        Down-stabilisation where there is no ``behavior`` [s].
    sync
        Between two decisions [s].
    note
        What was taken for granted in reading it, for whoever reads the result.

    Raises
    ------
    ValueError
        A number is out of its bounds; the message names key, bound and value.

    Notes
    -----
    The replicas that count are ``status.replicas``, warming ones included, so no readiness
    correction applies. A service that starts with no replica gets ``least`` of them, where a real
    HPA would call itself disabled. In a gap of the metric the newest known rate stands.

    Source: ``reconcileAutoscaler``, ``GetExternalPerPodMetricReplicas``,
    ``normalizeDesiredReplicas`` and ``normalizeDesiredReplicasWithBehaviors`` of
    https://github.com/kubernetes/kubernetes/tree/v1.36.3/pkg/controller/podautoscaler, and checked
    against that controller by ``tests/integration/baselines``. Two oddities are left out. There an
    event of scaling that is older than the longest period of its own direction may be overwritten
    while a longer period of the other direction still counts it. And its syncs do not come at exact
    times, so a policy whose period is that of the syncs, as the standard ones are, now and then
    counts the sync before; here it never does.
    """

    target: float
    least: int = 1
    most: int = NO_LIMIT
    down_tolerance: float = TOLERANCE
    up_tolerance: float = TOLERANCE
    behavior: Behavior | None = None
    window: float = DOWNSCALE_STABILIZATION
    sync: float = SYNC
    note: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Refuse what Kubernetes would refuse."""
        if not (self.target > 0 and math.isfinite(self.target)):
            raise ValueError(f"target = {self.target}, must be finite and greater than 0")
        if self.least < 1:
            raise ValueError(f"least = {self.least}, must be at least 1")
        if self.most < self.least:
            raise ValueError(f"most = {self.most}, must be at least least = {self.least}")
        for key in ("down_tolerance", "up_tolerance", "window"):
            if not getattr(self, key) >= 0:
                raise ValueError(f"{key} = {getattr(self, key)}, must be at least 0")
        if not self.sync > 0:
            raise ValueError(f"sync = {self.sync}, must be greater than 0 s")

    def __str__(self) -> str:
        """Say what was set, as an HPA's manifest would."""
        window = self.window if self.behavior is None else self.behavior.down.window
        same = self.down_tolerance == self.up_tolerance
        tolerance = (
            f"{self.up_tolerance:.0%}"
            if same
            else (f"{self.up_tolerance:.0%} up, {self.down_tolerance:.0%} down")
        )
        return (
            f"target {self.target:.0%}, minReplicas {self.least}, tolerance {tolerance},"
            f" down-stabilisation {window:g} s" + (f" ({self.note})" if self.note else "")
        )

    def path(self, world: World) -> Ints:
        """Replicas to ask for at each step, shape (N, T)."""
        return self.follow(world, known(world))

    def follow(self, world: World, rates: Floats) -> Ints:
        """Replicas to ask for where decisions see ``rates`` [requests/s], shape (N, T).

        The formula rises with the rate, so the HPA on the larger of a rate and its forecast asks
        for the most of what the two of them want.
        """
        from headstart_training.baselines.kernels.hpa import hpa_path  # noqa: PLC0415 - numba.

        profiles = world.profiles
        return np.stack(
            [
                hpa_path(*self.compiled(capacity), rate, initial, interval, self.sync)
                for capacity, interval, initial, rate in zip(
                    profiles.capacity, profiles.interval, world.initial, rates, strict=True
                )
            ]
        )

    def compiled(self, capacity: float) -> tuple[kernel.Rules, Ints, Ints]:
        """Count windows and periods in syncs, for replicas that serve ``capacity`` requests/s.

        Returns
        -------
        The first three arguments of the kernels: rules, and the policies up and down.
        """
        from headstart_training.baselines.kernels.hpa import Rules as Counted  # noqa: PLC0415

        behavior = self.behavior or Behavior(down=Rules(window=self.window))
        rules = Counted(
            target=float(self.target * capacity),
            least=self.least,
            most=self.most,
            down_tolerance=float(self.down_tolerance),
            up_tolerance=float(self.up_tolerance),
            plain=self.behavior is None,
            up_window=self._syncs(behavior.up.window),
            down_window=self._syncs(behavior.down.window),
            up_select=_SELECTS.index(behavior.up.select),
            down_select=_SELECTS.index(behavior.down.select),
        )
        return rules, self._table(behavior.up), self._table(behavior.down)

    def _syncs(self, seconds: float) -> int:
        # What lies a whole window back is forgotten: a sync comes a little later than the period.
        return math.ceil(seconds / self.sync - 1e-9)

    def _table(self, rules: Rules) -> Ints:
        rows = [(int(p.kind == "Percent"), p.value, self._syncs(p.period)) for p in rules.policies]
        return np.array(rows, dtype=np.int64).reshape(-1, 3)


_SELECTS = (Select.MAX, Select.MIN, Select.DISABLED)


def default(world: World) -> tuple[HPA]:  # noqa: ARG001 - nothing to look at.
    """Give the HPA that people start with: 70 %, and the API's defaults for all else."""
    return (HPA(0.7),)


def grid(world: World) -> tuple[HPA, ...]:
    """Give 416 settings for a service: targets, least replicas, windows and tolerances.

    Parameters
    ----------
    world
        Of one service, to tune on. Least replicas are 1 and the 10, 30 and 50 % quantiles of its
        demand, rounded up.
    """
    windows = [standard(window) for window in _WINDOWS]
    return tuple(
        HPA(target, least, down_tolerance=tolerance, up_tolerance=tolerance, behavior=behavior)
        for target in TARGETS
        for least in floors(world)
        for behavior in windows
        for tolerance in _TOLERANCES
    )


def followers(world: World) -> tuple[HPA, ...]:
    """Give 156 settings of an HPA that follows a forecast: stabilised, and without tolerance.

    ``world`` is that of :func:`grid`.
    """
    return tuple(
        HPA(target, least, down_tolerance=0.0, up_tolerance=0.0, behavior=standard(window))
        for target in TARGETS
        for least in floors(world)
        for window in _WINDOWS[1:]
    )


def floors(world: World) -> tuple[int, ...]:
    """Give four levels for ``minReplicas`` of one service; equal ones come once."""
    demand = world.rates[0] / world.profiles.capacity[0]
    levels = np.ceil(np.nanquantile(demand, _QUANTILES) - 1e-9).astype(np.int64)
    return tuple(sorted({1, *(max(1, int(level)) for level in levels)}))

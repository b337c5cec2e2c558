"""What to apply after a backtest: the ScalingPolicy that was judged, in mode Observe."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_policy.guardrails import Guardrails
from headstart_training.backtest.setting import MEAN_REPLICAS
from headstart_training.manifest import (
    Source,
    Target,
    apply_command,
    config_map,
    scaling_policy,
    to_object_name,
    to_yaml,
)

if TYPE_CHECKING:
    from headstart_policy.profile import Profile
    from headstart_training.backtest.services import Service

# The operator may look more often than the recording did, but never less often than this.
_SLOWEST_INTERVAL = 60.0
# Room over the busiest time that there was.
_ROOM = 2.0
# The CRD's own bound.
_MOST_REPLICAS = 100_000


class Manifest(NamedTuple):
    """A file for `kubectl apply`."""

    text: str
    """YAML."""
    file: str
    """What to call it."""
    command: str
    """How to apply it."""


def manifest(
    service: Service,
    profile: Profile,
    *,
    target: Target | None = None,
    source: Source | None = None,
    namespace: str | None = None,
    artifact: bytes | None = None,
    assumed: bool = True,
    file: str | None = None,
) -> Manifest:
    """Write the ScalingPolicy of a service.

    Parameters
    ----------
    service, profile
        The recording, and what it is judged on.
    target, namespace
        The workload to scale; ``None``: a Deployment named as the service.
    source
        Where the operator reads the rate; ``None`` is to be filled in.
    artifact
        The policy file that decided; ``None``: the shipped one.
    assumed
        Whether the capacity is only assumed.
    file
        Where it will be; ``None``: a file named as the target.

    Raises
    ------
    ManifestError
        A value that the CRD does not allow.
    """
    target = target or Target(to_object_name(service.name))
    source = source or Source("")
    busiest = float(np.nanmax(service.rates)) / profile.capacity
    documents = [
        scaling_policy(
            target,
            source,
            replace(profile, interval=min(profile.interval, _SLOWEST_INTERVAL)),
            Guardrails(max_replicas=min(max(math.ceil(_ROOM * busiest), 2), _MOST_REPLICAS)),
            namespace=namespace,
            artifact=artifact,
        )
    ]
    if artifact is not None:
        documents.insert(0, config_map(target, artifact, namespace))
    comments = {
        "": f"Made by `headstart backtest` for {service.name}. It observes and touches"
        " nothing;\nset mode to Auto when its decisions convince you.",
        "spec.maxReplicas": "Twice what the busiest time of the recording needed.",
        "spec.leadTime.default": "Until the operator has measured enough starts.",
    }
    if assumed:
        comments["spec.capacity"] = (
            f"ASSUMED, such that the tuning half needs {MEAN_REPLICAS:.0f} replicas on average:"
            " put in what one\nready replica serves within its SLO, and backtest again with"
            " --capacity."
        )
    if not source.query:
        comments["spec.rate.prometheus.query"] = (
            "FILL IN before you apply this: the API server refuses it blank.\nThe requests/s that"
            " arrive, as one series."
        )
    file = file or f"{target.name}.yaml"
    return Manifest(to_yaml(documents, comments), file, apply_command(documents, file))

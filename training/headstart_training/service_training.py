"""Train for one service: its history in, and out comes what `kubectl apply` takes.

The result holds its files as bytes: a fleet trains on machines that share no disk with the one
that asks.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from headstart_policy import artifact
from headstart_policy.guardrails import Guardrails
from headstart_training import fine_tuning, manifest, service_pages
from headstart_training.backtest.services import Service, from_trace
from headstart_training.backtest.setting import Setting
from headstart_training.backtest.worlds import play
from headstart_training.loads.traces import read_trace
from headstart_training.outside import Outside, outside
from headstart_training.shipping import ARTIFACT, FAILURE_MODES, rounded

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy
    from headstart_policy.profile import Profile
    from headstart_training.fine_tuning import Outcome
    from headstart_training.loads.traces import Trace
    from headstart_training.manifest import Source, Target

MANIFEST, CARD, PLOT = "manifest.yaml", "card.md", "plot.png"
# The operator may look more often than the recording did, but never less often than this.
SLOWEST_INTERVAL = 60.0
# Of maxReplicas where nobody says: room for twice the busiest time that there was.
_ROOM = 2.0


class History(Protocol):
    """Where a service's past is read."""

    def read(self) -> Trace:
        """Read it all."""


@dataclass(frozen=True)
class CsvHistory:
    """A CSV file, carried along with its content: who trains may not see the disk it was on."""

    name: str
    content: bytes

    @classmethod
    def of(cls, path: Path) -> CsvHistory:
        """Take a file along."""
        return cls(path.name, path.read_bytes())

    def read(self) -> Trace:
        """Read it; errors as of :func:`headstart_training.loads.traces.read_trace`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.name
            path.write_bytes(self.content)
            return read_trace(path)


@dataclass(frozen=True)
class Job:
    """One service to train for.

    Attributes
    ----------
    name
        What to call it.
    history
        Where its past is read.
    target, namespace
        The workload that the manifest scales.
    source
        Where the operator reads its rate; a blank query is to be filled in.
    setting
        Its capacity, lead time and economics.
    min_replicas, max_replicas
        Of the manifest; no maximum: twice what the busiest time of the past needed.
    seed
        Of training.
    """

    name: str
    history: History
    target: Target
    source: Source
    setting: Setting = field(default_factory=Setting)
    namespace: str | None = None
    min_replicas: int = 1
    max_replicas: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """What came of a job.

    Attributes
    ----------
    name
        The job's.
    outcome
        What was kept, and why.
    kind, days
        Class and length of the history.
    outside
        How much of the second half the default was not trained for.
    files
        By name, what its folder holds.
    apply
        The command that applies the manifest, run in that folder.
    """

    name: str
    outcome: Outcome
    kind: str
    days: float
    outside: Outside
    files: dict[str, bytes]
    apply: str

    def write(self, folder: Path) -> None:
        """Write the files."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def train(job: Job, show: Callable[[int, int], None] = lambda _done, _total: None) -> Trained:
    """Train for one service; ``show`` hears of steps taken, of all.

    Raises
    ------
    ValueError
        The history cannot be read or is too little to train on, or a value is out of its bounds.
    OSError
        The history cannot be reached.
    """
    default = artifact.builtin()
    service = from_trace(job.name, job.history.read())
    profile = job.setting.profile(service)
    guardrails = _guardrails(job, service, profile)
    outcome = fine_tuning.fine_tune(service, profile, default, guardrails, seed=job.seed, show=show)
    left = outside(play(service, profile, service.half, len(service.rates)), default)
    card = rounded(_card(job, service, profile, outcome, left, default))
    content = artifact.dump(outcome.network, default.envelope, card, default.prior)
    documents = [
        manifest.config_map(job.target, content, job.namespace),
        manifest.scaling_policy(
            job.target,
            job.source,
            replace(profile, interval=min(profile.interval, SLOWEST_INTERVAL)),
            guardrails,
            namespace=job.namespace,
            artifact=content,
        ),
    ]
    files = {
        ARTIFACT: content,
        MANIFEST: manifest.to_yaml(documents, _comments(job, outcome)).encode(),
        CARD: service_pages.card(card).encode(),
        PLOT: service_pages.plot(
            service, profile, guardrails, default, artifact.parse(content), outcome
        ),
    }
    return Trained(
        name=job.name,
        outcome=outcome,
        kind=str(service.kind),
        days=service.days,
        outside=left,
        files=files,
        apply=manifest.apply_command(documents, MANIFEST),
    )


def _guardrails(job: Job, service: Service, profile: Profile) -> Guardrails:
    busiest = float(np.nanmax(service.rates)) / profile.capacity
    most = job.max_replicas or max(math.ceil(_ROOM * busiest), job.min_replicas, 2)
    return Guardrails(max_replicas=most, min_replicas=job.min_replicas)


def _card(
    job: Job,
    service: Service,
    profile: Profile,
    outcome: Outcome,
    left: Outside,
    default: Policy,
) -> dict[str, Any]:
    return {
        "name": job.name,
        "method": "fine-tuned from the default by pathwise gradients through the simulator, kept"
        " only where better on held-back days",
        "base": default.digest,
        "kept": outcome.kept,
        "why": outcome.why,
        "held_days": outcome.held_days,
        "candidates": [
            {"name": c.name, "dollars_per_day": c.gain, "at_least": c.low}
            for c in outcome.candidates
        ],
        "history": {
            "days": service.days,
            "class": str(service.kind),
            "interval": service.interval,
            "repairs": list(service.repairs),
        },
        "profile": {**asdict(profile), "seasons": list(profile.seasons)},
        "capacity_assumed": job.setting.capacity is None,
        "outside_envelope": left._asdict(),
        "failure_modes": list(FAILURE_MODES),
    }


def _comments(job: Job, outcome: Outcome) -> dict[str, str]:
    comments = {
        "": f"Made by `headstart train` for {job.name}. Decides by: {outcome.kept}.\n"
        "It observes and touches nothing; set mode to Auto when its decisions convince you.",
        "spec.leadTime.default": "Until the operator has measured enough starts.",
        "spec.policy": "The ConfigMap above, and no other bytes than those.",
    }
    if job.max_replicas is None:
        comments["spec.maxReplicas"] = "Twice what the busiest time of the history needed."
    if job.setting.capacity is None:
        comments["spec.capacity"] = (
            "ASSUMED, such that the history needs 20 replicas on average: put in what one ready"
            " replica\nserves within its SLO, and train again with --capacity."
        )
    if not job.source.query:
        comments["spec.rate.prometheus.query"] = (
            "FILL IN before you apply this: the API server refuses it blank.\nThe requests/s that"
            " arrive, as one series."
        )
    return comments

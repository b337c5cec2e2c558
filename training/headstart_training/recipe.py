"""The shipped policy's recipe: `headstart train default` follows it to the letter.

One artefact for services it never saw: loads of every kind and size, recordings of real services
among them where there are any, and one learner. What it is measured on is drawn apart.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy import artifact
from headstart_policy.network import Network
from headstart_training import benchmark, plots
from headstart_training.algorithms.hindsight import LEAST, MOST, Config, Learner, Progress
from headstart_training.population import (
    COARSE,
    MINUTE,
    Population,
    recorded_world,
    seed_world,
    synthetic_world,
)
from headstart_training.shipping import (
    ARTIFACT,
    BENCHMARK,
    FAILURE_MODES,
    GENERATED_ALONE,
    rounded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from headstart_training.benchmark import Benchmark
    from headstart_training.loads.regular import Trace
    from headstart_training.simulator import World

POPULATION = Population()
# One after another; a kind of which there is nothing is left out.
KINDS = (
    "synthetic",
    "seed",
    "recorded",
    "synthetic, coarse",
    "recorded",
    "synthetic",
    "seed",
    "recorded, coarse",
    "synthetic",
    "recorded",
)
WORLDS, SERVICES, STEPS = 480, 40, 288
LOSS_PLOT = "loss.png"
CHECKPOINT = "checkpoint.pt"
CHECKPOINT_EVERY = 200  # iterations, a few seconds


def draw_worlds(
    seed: int,
    recordings: Mapping[str, Trace] | None = None,
    worlds: int = WORLDS,
    kinds: Sequence[str] = KINDS,
) -> Iterator[World]:
    """Draw what is learned from, one by one.

    Parameters
    ----------
    seed
        Of the draws.
    recordings
        Loads of real services, by name; their bins are a minute or five.
    worlds
        How many to draw, less those that have nothing to draw from.
    kinds
        Of :data:`KINDS`, in turn.

    Raises
    ------
    ValueError
        A recording with other bins, or too few of them.
    """
    bins: dict[float, list[Trace]] = {MINUTE: [], COARSE: []}
    for name, trace in (recordings or {}).items():
        if trace.step not in bins:
            raise ValueError(f"{name} has bins of {trace.step:g} s, must be of 60 or 300 s")
        if len(trace.rates) <= STEPS:
            raise ValueError(
                f"{name} has {len(trace.rates)} bins, must have more than {STEPS}, which are"
                " played: record for longer, or leave it out"
            )
        bins[trace.step].append(trace)
    return _draw(
        np.random.default_rng(seed), bins, itertools.islice(itertools.cycle(kinds), worlds)
    )


def _draw(
    random: np.random.Generator, bins: Mapping[float, Sequence[Trace]], kinds: Iterable[str]
) -> Iterator[World]:
    size = (SERVICES, STEPS)
    for kind in kinds:
        if kind == "synthetic":
            yield synthetic_world(random, *size, MINUTE, POPULATION)
        elif kind == "synthetic, coarse":
            yield synthetic_world(random, *size, COARSE, POPULATION)
        elif kind == "seed":
            yield seed_world(random, *size, POPULATION)
        elif chosen := bins[MINUTE if kind == "recorded" else COARSE]:
            yield recorded_world(random, chosen, *size, POPULATION)


def learn(
    worlds: Iterable[World],
    config: Config,
    show: Callable[[Progress], None] = lambda _: None,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
) -> tuple[Network, list[Progress]]:
    """Learn one network from all worlds; equal configs learn equal networks on one machine.

    Parameters
    ----------
    worlds, config, show, device
        As for a learner.
    checkpoint
        File to leave a checkpoint in now and then, and to go on from if it is there.
    """
    learner = Learner(worlds, config, device=device)
    if checkpoint and checkpoint.exists():
        learner.load(checkpoint)

    def after_step(step: Progress) -> None:
        if checkpoint and step.iteration % CHECKPOINT_EVERY == 0:
            learner.save(checkpoint)
        show(step)

    history = learner.train(after_step)
    weights, biases = zip(*learner.layers(), strict=True)
    return Network(weights, biases, LEAST, MOST), history


def to_artifact(
    network: Network,
    config: Config,
    recordings: Iterable[str] = (),
    measured: Benchmark | None = None,
) -> bytes:
    """Write the policy file, with a card where it was measured."""
    card = _card(config, recordings, measured) if measured else {}
    return artifact.dump(network, POPULATION.envelope(), card)


def write(
    folder: Path,
    network: Network,
    config: Config,
    history: list[Progress],
    recordings: Iterable[str] = (),
) -> Path:
    """Measure a network and leave artefact, benchmark and losses in ``folder``; returns the first.

    The files hold no clock times and no paths: the same run on the same machine gives the same
    bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    measured = benchmark.run(artifact.parse(to_artifact(network, config)))
    (folder / BENCHMARK).write_text(json.dumps(measured.to_json(), indent=2) + "\n")
    plots.save(plots.loss_per_iteration([step.loss for step in history]), folder / LOSS_PLOT)
    file = folder / ARTIFACT
    file.write_bytes(to_artifact(network, config, recordings, measured))
    return file


def _card(config: Config, recordings: Iterable[str], measured: Benchmark) -> dict[str, Any]:
    names = sorted(recordings)
    traces = " --traces FOLDER" if names else ""
    return {
        "name": "default",
        "method": "pathwise gradients through the simulator (hindsight), reactive floor 0.9",
        "command": f"headstart train default --seed {config.seed}{traces}",
        "loads": "synthetic services, the seed's generator, and the recordings named",
        "recordings": names,
        "population": asdict(POPULATION),
        "worlds": {"count": WORLDS, "services": SERVICES, "steps": STEPS},
        "config": asdict(config),
        "results": rounded(measured.to_json()),
        "failure_modes": [*FAILURE_MODES] if names else [*FAILURE_MODES, GENERATED_ALONE],
    }

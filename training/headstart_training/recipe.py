"""The shipped policy's recipe: `headstart train default` follows it to the letter.

One artefact for services it never saw: generated loads of every size, noise and lead time, nothing
recorded, and one learner. What it is measured on is drawn apart.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy import artifact
from headstart_policy.network import Network
from headstart_training import benchmark, plots, scenarios
from headstart_training.algorithms.hindsight import Config, Learner, Progress
from headstart_training.environments.kubernetes import LEAST_RATIO, MOST_RATIO
from headstart_training.shipping import ARTIFACT, BENCHMARK, FAILURE_MODES, rounded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headstart_training.benchmark import Benchmark
    from headstart_training.simulator import World

# Wider than what PPO's game draws: services of a few requests a minute, whose noise is Poisson's,
# and lead times of many intervals.
RANGES = replace(
    scenarios.DEFAULT,
    lead_steps=(2, 40),
    worth=(0.001, 20.0),
    step_requests=(0.5, 3000.0),
    noise=(0.005, 0.25),
    poisson=0.0,
    counted=0.7,
)
WORLDS, SERVICES, STEPS = 80, 64, 192
LOSS_PLOT = "loss.png"


def draw_worlds(seed: int, show: Callable[[int], None] = lambda _: None) -> list[World]:
    """Draw what is learned from; ``show`` hears how many worlds there are."""
    random = np.random.default_rng(seed)
    worlds = []
    for count in range(1, WORLDS + 1):
        worlds.append(scenarios.draw(random, SERVICES, STEPS, RANGES, expected=True))
        show(count)
    return worlds


def learn(
    worlds: list[World], config: Config, show: Callable[[Progress], None] = lambda _: None
) -> tuple[Network, list[Progress]]:
    """Learn one network from all worlds; equal configs learn equal networks on one machine."""
    learner = Learner(worlds, config)
    history = learner.train(show)
    weights, biases = zip(*learner.layers(), strict=True)
    return Network(weights, biases, LEAST_RATIO, MOST_RATIO), history


def to_artifact(network: Network, config: Config, measured: Benchmark | None = None) -> bytes:
    """Write the policy file, with a card where it was measured."""
    card = _card(config, measured) if measured else {}
    return artifact.dump(network, RANGES.envelope(), card)


def write(folder: Path, network: Network, config: Config, history: list[Progress]) -> Path:
    """Measure a network and leave artefact, benchmark and losses in ``folder``; returns the first.

    The files hold no clock times and no paths: the same run on the same machine gives the same
    bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    measured = benchmark.run(artifact.parse(to_artifact(network, config)))
    (folder / BENCHMARK).write_text(json.dumps(measured.to_json(), indent=2) + "\n")
    plots.save(plots.loss_per_iteration([step.loss for step in history]), folder / LOSS_PLOT)
    file = folder / ARTIFACT
    file.write_bytes(to_artifact(network, config, measured))
    return file


def _card(config: Config, measured: Benchmark) -> dict[str, Any]:
    return {
        "name": "default",
        "method": "pathwise gradients through the simulator (hindsight), reactive floor 0.9",
        "command": f"headstart train default --seed {config.seed}",
        "loads": "the seed's generator with the ranges below; no recorded load",
        "ranges": asdict(RANGES),
        "worlds": {"count": WORLDS, "services": SERVICES, "steps": STEPS},
        "config": asdict(config),
        "results": rounded(measured.to_json()),
        "failure_modes": list(FAILURE_MODES),
    }

"""A trained policy -> the file that the operator serves, with a card that says what it is good for.

The card holds no clock times and no paths: the same run on the same machine gives the same bytes.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from headstart_policy import artifact
from headstart_policy.network import Network
from headstart_training import benchmark, scenarios
from headstart_training.environments.kubernetes import LEAST_RATIO, MOST_RATIO

if TYPE_CHECKING:
    from pathlib import Path

    from headstart_training.algorithms.ppo import Policy
    from headstart_training.benchmark import Benchmark

ARTIFACT = "policy.safetensors"
BENCHMARK = "benchmark.json"

GENERATED_ALONE = (
    "Trained on generated loads alone: a tuned HPA may serve noisy or bursty services better."
)
FAILURE_MODES = (
    "A spike shorter than the lead time that nothing announces is met by the margin alone.",
    "Without a season of history it can follow a rise, not foresee it.",
    "It expects arrivals. A counter of served requests flattens when replicas are missing.",
    "Trained with one constant lead time per service; replicas that take longer are late.",
)


def to_artifact(policy: Policy, card: dict[str, Any]) -> bytes:
    """Write a torch policy of the Kubernetes game as a policy file.

    The normalisation of the observations is folded into the first layer, so that the file needs
    nothing but its features.
    """
    layers = policy.layers()
    network = Network(
        weights=tuple(weight.astype(float) for weight, _ in layers),
        biases=tuple(bias.astype(float) for _, bias in layers),
        least=LEAST_RATIO,
        most=MOST_RATIO,
    )
    return artifact.dump(network, scenarios.DEFAULT.envelope(), card)


def export(policy: Policy, folder: Path) -> None:
    """Measure a trained policy and write :data:`ARTIFACT` and :data:`BENCHMARK` into its folder.

    Parameters
    ----------
    policy
        As it came out of training.
    folder
        Of the run, with its ``run.json``.
    """
    run = json.loads((folder / "run.json").read_text())
    measured = benchmark.run(artifact.parse(to_artifact(policy, {})))
    (folder / BENCHMARK).write_text(json.dumps(measured.to_json(), indent=2) + "\n")
    (folder / ARTIFACT).write_bytes(to_artifact(policy, card(run, measured)))


def card(run: dict[str, Any], measured: Benchmark) -> dict[str, Any]:
    """Say what a policy was trained on and how well it did.

    Parameters
    ----------
    run
        The run's ``run.json``: game, number of environments, settings of PPO.
    measured
        On loads that training did not see.
    """
    ppo = run["ppo"]
    steps = ppo["iterations"] * ppo["rollout_steps"] * run["num_envs"]
    return {
        "name": "ppo",
        "method": "PPO on headstart/Kubernetes-v0, warming replicas billed, reactive floor 0.9",
        "command": f"headstart train {run['game']} --seed {ppo['seed']}",
        "loads": "the seed's generator with the ranges below; no recorded load",
        "ranges": asdict(scenarios.DEFAULT),
        "seed": ppo["seed"],
        "steps": steps,
        "training_time": "2 to 4 minutes on two cores",
        "num_envs": run["num_envs"],
        "ppo": ppo,
        "results": rounded(measured.to_json()),
        "failure_modes": [*FAILURE_MODES, GENERATED_ALONE],
    }


def rounded(value: Any) -> Any:
    """Keep four digits: the last bits of a float are not the same on every machine."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float) and value and math.isfinite(value):
        return float(f"{value:.4g}")
    return value

"""The benchmark of the seed's game, and its command."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest
from click.testing import CliRunner

from headstart_policy.artifact import ArtifactError, builtin
from headstart_training import seed_benchmark
from headstart_training.commands.bench import bench
from headstart_training.seed_game import expected_reward

if TYPE_CHECKING:
    from pathlib import Path

PROMISED = (
    "share_of_clairvoyant",
    "train_seconds",
    "mean_warming",
    "exploit_share",
    "ppo_gain",
    "ppo_gain_billed",
    "ppo_seconds",
    "transfer",
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learners of a few loads."""
    for name in ("BILLED", "UNBILLED", "EXPLOIT"):
        config = replace(getattr(seed_benchmark, name), games=8, minutes=600, iterations=20)
        monkeypatch.setattr(seed_benchmark, name, config)


def test_the_command_measures_all_that_is_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table for each learner, and the same figures as JSON."""
    monkeypatch.setattr(seed_benchmark, "transfer", lambda *_: {"0.5": 0.975})
    file = tmp_path / "figures.json"
    options = ["--loads", "2", "--minutes", "400", "--games", "2", "--effort", "0.01"]
    result = CliRunner().invoke(bench, ["seed-game", *options, "--seeds", "2", "--json", str(file)])
    assert result.exit_code == 0, result.output
    figures = json.loads(file.read_text())
    assert set(PROMISED) <= set(figures)
    assert figures["ppo_gain"] == min(figures["ppo"]["gains"])
    assert len(figures["ppo_billed"]["gains"]) == 2
    assert 0 < figures["share_of_clairvoyant"] < 1
    assert f"{figures['share_of_clairvoyant']:.2%}" in result.output
    assert "97.50%" in result.output


def test_a_policy_that_cannot_be_read_is_said_and_the_rest_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While features change, the file that ships is of another schema for a while."""

    def refuse(_name: str) -> NoReturn:
        raise ArtifactError("train anew")

    monkeypatch.setattr(seed_benchmark, "builtin", refuse)
    figures = seed_benchmark.run(loads=2, minutes=400, games=2, effort=0.005)
    assert figures.transfer == {}
    assert figures.unreadable == "train anew"
    assert figures.billed.share_of_clairvoyant > 0
    assert list(figures.at_home) == list(figures.specialists) == ["0.5", "3", "8"]


def test_a_larger_load_is_the_same_game_with_smaller_machines() -> None:
    """Three times the load on three times the machines earns three times as much, less downtime."""
    load = np.array([[4500, 6000, 9000]])
    once, thrice = seed_benchmark.rules_at(1.0), seed_benchmark.rules_at(3.0)
    machines = np.full((1, 3), 60)
    larger = expected_reward(replace(once, tpm_sigma=0.0), 3 * machines, 3 * load)
    same = expected_reward(replace(thrice, tpm_sigma=0.0), 3 * machines, load)
    np.testing.assert_allclose(same, larger)


def test_the_shipped_policy_is_measured_at_every_scale() -> None:
    """More machines, about the same share."""
    shares = seed_benchmark.transfer(builtin("default"), 2, 600)
    assert list(shares) == ["0.5", "3", "8"]
    assert all(0.9 < share < 1 for share in shares.values())

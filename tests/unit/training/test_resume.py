"""The default's training can be broken off and gone on with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from headstart_cli.main import main
from headstart_training import recipe, scenarios
from headstart_training.algorithms.hindsight import Config, Learner, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from headstart_training.simulator import World

SMALL = replace(scenarios.DEFAULT, lead_steps=(2, 8), season_leads=(12.0, 20.0))
CONFIG = Config(iterations=30, width=8)


class BrokenOffError(Exception):
    """Somebody pulled the plug."""


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """Draw a few small worlds."""
    return [
        scenarios.draw(np.random.default_rng(seed), 8, 40, SMALL, expected=True)
        for seed in range(3)
    ]


def test_a_run_that_was_broken_off_comes_to_the_same_weights(
    worlds: list[World], tmp_path: Path
) -> None:
    whole = Learner(worlds, CONFIG)
    history = whole.train()
    first = Learner(worlds, CONFIG)

    def break_off(step: Progress) -> None:
        if step.iteration == 11:
            first.save(tmp_path / "checkpoint.pt")
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        first.train(break_off)
    second = Learner(worlds, CONFIG)
    second.load(tmp_path / "checkpoint.pt")
    assert second.train() == history
    for (weight, bias), (other, same) in zip(whole.layers(), second.layers(), strict=True):
        np.testing.assert_array_equal(weight, other)
        np.testing.assert_array_equal(bias, same)


def test_a_checkpoint_of_another_config_is_refused_by_key(
    worlds: list[World], tmp_path: Path
) -> None:
    Learner(worlds, CONFIG).save(tmp_path / "checkpoint.pt")
    other = Learner(worlds, replace(CONFIG, seed=7))
    with pytest.raises(ValueError, match="seed = 0, this run has 7"):
        other.load(tmp_path / "checkpoint.pt")


def test_the_recipe_leaves_checkpoints_and_goes_on_from_them(
    worlds: list[World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "CHECKPOINT_EVERY", 10)
    file = tmp_path / recipe.CHECKPOINT
    seen: list[int] = []
    recipe.learn(worlds, CONFIG, lambda step: seen.append(step.iteration), checkpoint=file)
    again: list[int] = []
    _, history = recipe.learn(
        worlds, CONFIG, lambda step: again.append(step.iteration), checkpoint=file
    )
    # It was saved after the last step too: there is nothing left to do.
    assert (seen[-1], again, len(history)) == (30, [], 30)


@pytest.mark.parametrize(
    ("exists", "options", "message"),
    [(True, [], "exists: go on with --resume"), (False, ["--resume"], "does not exist")],
)
def test_nothing_is_overwritten_and_nothing_is_missing(
    tmp_path: Path, options: list[str], message: str, *, exists: bool
) -> None:
    if exists:
        (tmp_path / recipe.CHECKPOINT).touch()
    result = CliRunner().invoke(main, ["train", "default", "--out", str(tmp_path), *options])
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize("game", ["default", "seed-game"])
@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there_is_refused_at_once(
    tmp_path: Path, game: str, device: str
) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["train", game, "--out", str(out), "--device", device])
    assert result.exit_code == 1
    assert f"device = '{device}', must be one that torch can use here" in " ".join(
        result.output.split()
    )
    assert not out.exists()

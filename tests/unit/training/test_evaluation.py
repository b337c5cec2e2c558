"""Paired comparisons, and the commands that make them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tensorboard.backend.event_processing import (  # type: ignore[import-untyped]
    event_accumulator,
)

from headstart_training.baselines.seed_hpa import SeedHPA
from headstart_training.baselines.simple import DoNothing, RandomIntegers
from headstart_training.commands.evaluate import evaluate
from headstart_training.commands.tour import tour
from headstart_training.commands.train import train
from headstart_training.evaluation import Column, compare, play

ENVIRONMENT = "headstart/SeedGame-v0"


def run(command: Any, *arguments: object) -> Result:
    """Call a command as a shell does."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


# ------------------------------------------------------------------------------------- comparisons
def test_contenders_meet_the_same_games() -> None:
    """Equal seeds give equal loads whoever plays, in batches too; others give others."""
    short = {"max_time_steps": 9}

    def loads(player: Any, seed: int) -> Any:
        return play(ENVIRONMENT, player, games=1200, seed=seed, arguments=short)["load"]

    first = loads(DoNothing(), 5)
    np.testing.assert_array_equal(first, loads(RandomIntegers(), 5))
    np.testing.assert_array_equal(first, loads(SeedHPA(0.6), 5))
    assert (first != loads(DoNothing(), 6)).all()
    assert (first[:200] != first[1000:]).all()


def test_sums_are_over_whole_games() -> None:
    """Doing nothing for 10 minutes with 50 machines costs 25 $ and earns what the load is worth."""
    sums = play(ENVIRONMENT, DoNothing(), games=3, seed=1, arguments={"max_time_steps": 9})
    assert sums["steps"].tolist() == [10, 10, 10]
    assert sums["active_machines"].tolist() == [500, 500, 500]
    np.testing.assert_allclose(sums["return"], sums["load"] * 0.0009 - 25)


def test_difference_is_paired() -> None:
    """Two that differ by one dollar in each game differ with certainty, however games vary."""
    returns = np.random.default_rng(0).normal(0, 1000, 50)
    results = {"a": {"return": returns + 1, "x": returns * 0 + 7}, "b": {"return": returns}}
    results["b"]["x"] = returns * 0
    first, second = compare(results, "a", (Column("x", "x", lambda sums: sums["x"]),))
    assert (first.difference, first.difference_error) == (0, 0)
    assert first.figures == {"x": 7}
    assert second.standard_error == pytest.approx(returns.std(ddof=1) / np.sqrt(50))
    assert second.difference == pytest.approx(1)
    assert (second.difference_low, second.difference_high) == pytest.approx((1, 1))


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """95 of 100 times, over 2,000 samples."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        results = {"a": {"return": rng.normal(3, 10, 200)}, "b": {"return": rng.normal(0, 5, 200)}}
        row = compare(results, "a")[1]
        inside += row.difference_low <= 3 <= row.difference_high
    assert inside == pytest.approx(1900, abs=50)


def test_too_few_games_are_refused() -> None:
    """None cannot be played, and one has no standard error."""
    with pytest.raises(ValueError, match="games must be at least 1, is 0"):
        play(ENVIRONMENT, DoNothing(), games=0, seed=0)
    with pytest.raises(ValueError, match="games must be at least 2 for a standard error, is 1"):
        compare({"a": {"return": np.zeros(1)}}, "a")


# ---------------------------------------------------------------------------------------- commands
@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two iterations."""
    folder = tmp_path_factory.mktemp("run") / "seed-game"
    result = run(
        train, "seed-game", "--out", folder, "--iterations", 2, "--num-envs", 8, "--seed", 3
    )
    assert result.exit_code == 0, result.output
    assert "2/2" in result.output
    assert "mean return" in result.output
    assert "Trained in" in result.output
    return folder


def test_run_leaves_its_settings_rewards_and_checkpoint(trained: Path) -> None:
    """All that evaluating, resuming and looking need."""
    facts = json.loads((trained / "run.json").read_text())
    assert facts["game"] == "seed-game"
    assert facts["num_envs"] == 8
    assert (facts["ppo"]["seed"], facts["ppo"]["iterations"]) == (3, 2)
    lines = (trained / "rewards.csv").read_text().splitlines()
    assert lines[0].startswith("iteration,iterations,steps,reward")
    assert len(lines) == 3
    assert_picture(trained / "rewards.png")


def assert_picture(path: Path) -> None:
    """A picture that shows more than a blank sheet."""
    with Image.open(path) as image:
        assert image.width > 800
        assert len(image.convert("RGB").getcolors(maxcolors=2**24) or []) > 50


def test_evaluate_shows_and_writes_the_same_figures(trained: Path, tmp_path: Path) -> None:
    """Everyone who is to be beaten, on the same games."""
    file = tmp_path / "e.json"
    result = run(evaluate, trained, "--games", 4, "--json", file)
    assert result.exit_code == 0, result.output
    facts = json.loads(file.read_text())
    assert (facts["games"], facts["steps"], facts["subject"]) == (4, 1001, "PPO, greedy")
    names = ["PPO, greedy", "HPA 60 %, stabilised", "HPA 70 %, naive", "do nothing", "random"]
    assert list(facts["contenders"]) == names
    for name, row in facts["contenders"].items():
        assert f"{name} " in result.output
        assert f"{row['mean']:,.0f} ±" in result.output
        own = facts["contenders"]["PPO, greedy"]["mean"]
        assert row["difference"] == pytest.approx(own - row["mean"])
        assert row["figures"]["warming"] >= 0
    assert facts["contenders"]["do nothing"]["figures"]["active"] == 50


def test_a_run_is_resumed_and_never_overwritten(trained: Path) -> None:
    """Without --resume an existing run is refused; with it, the iterations go on."""
    arguments = ("seed-game", "--out", trained, "--num-envs", 8, "--seed", 3, "--iterations")
    result = run(train, *arguments, 3)
    assert result.exit_code == 1
    assert "exists: go on with --resume, or choose another --out" in result.output
    result = run(train, *arguments, 3, "--resume")
    assert result.exit_code == 0, result.output
    assert len((trained / "rewards.csv").read_text().splitlines()) == 4


def test_the_curves_go_to_tensorboard_on_request(tmp_path: Path) -> None:
    """Read back as TensorBoard reads them; without the option there are none."""
    quick = ("seed-game-billed", "--num-envs", 4, "--iterations")
    for folder, options in (("with", ["--tensorboard"]), ("without", [])):
        result = run(train, *quick, 2, "--out", tmp_path / folder, *options)
        assert result.exit_code == 0, result.output
    assert not (tmp_path / "without" / "tensorboard").exists()
    again = run(train, *quick, 3, "--out", tmp_path / "with", "--tensorboard", "--resume")
    assert again.exit_code == 0, again.output
    events = event_accumulator.EventAccumulator(str(tmp_path / "with" / "tensorboard"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["explained", "kl", "reward", "spread"]
    assert [point.step for point in events.Scalars("reward")] == [1, 2, 3]
    rewards = (tmp_path / "with" / "rewards.csv").read_text().splitlines()[1:]
    written = [float(line.split(",")[3]) for line in rewards]
    assert [point.value for point in events.Scalars("reward")] == pytest.approx(written)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """In one line that says what always works."""
    result = run(train, "seed-game", "--device", "cuda:99", "--out", tmp_path, "--num-envs", 2)
    assert result.exit_code == 1
    assert "device = 'cuda:99', must be one that torch can use here, as cpu" in result.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no training run"),
        ("not JSON", "holds no training run"),
        ("[]", "holds no training run"),
        ('{"game": "chess"}', "is 'chess'"),
        ('{"game": "seed-game"}', "checkpoint.pt does not exist: train the run to its end"),
    ],
)
def test_folders_that_are_no_runs_are_refused(
    content: str | None, message: str, tmp_path: Path
) -> None:
    """In one line, without a traceback."""
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    result = run(evaluate, tmp_path)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_resuming_nothing_is_refused(tmp_path: Path) -> None:
    """In one line, without a traceback."""
    result = run(train, "seed-game", "--resume", "--out", tmp_path, "--num-envs", 2)
    assert result.exit_code == 1
    assert "checkpoint.pt" in result.output


def test_tour_draws_three_pictures(tmp_path: Path) -> None:
    """Load, reward per iteration, random against trained."""
    result = run(tour, "--out", tmp_path, "--iterations", 1)
    assert result.exit_code == 0, result.output
    names = ["1-load.png", "2-reward.png", "3-random-and-trained.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names:
        assert_picture(tmp_path / name)
        assert name in result.output.replace("\n", "")

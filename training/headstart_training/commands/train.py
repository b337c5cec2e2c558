"""`headstart train`: one subcommand for each way to train.

Torch and matplotlib load when a command runs, so that `headstart --help` is quick.
"""
# ruff: noqa: PLC0415  # The commands import what they need when they run.

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress, TextColumn

from headstart_training.commands.console import COLUMNS, SEEN, errors_as_messages, progress_bar
from headstart_training.commands.train_fleet import train_fleet
from headstart_training.commands.train_service import train_service
from headstart_training.games import GAMES

if TYPE_CHECKING:
    from headstart_training.algorithms.hindsight import Progress as Step


class _Train(click.Group):
    """Takes `--fleet FILE` for `fleet FILE`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Spell the option as the subcommand that it is."""
        if args and args[0].partition("=")[0] == "--fleet":
            file = args[0].partition("=")[2]
            args[:1] = ["fleet", file] if file else ["fleet"]
        return super().parse_args(ctx, args)


@click.group(cls=_Train)
def train() -> None:
    """Train a policy; the same seed gives the same policy.

    `headstart train --fleet FILE` is `headstart train fleet FILE`.
    """


TENSORBOARD = click.option(
    "--tensorboard", is_flag=True, help="Write the curves for TensorBoard into the run's folder."
)


def _game_command(game: str) -> click.Command:
    """Make `headstart train GAME`."""

    @click.command(game, help=f"Train on {GAMES[game].environment} by PPO.")
    @click.option("--seed", type=SEEN, default=0, show_default=True)
    @click.option("--out", type=click.Path(path_type=Path), help=f"Folder.  [runs/{game}]")
    @click.option("--iterations", type=click.IntRange(1), help="Instead of the game's own number.")
    @click.option("--num-envs", type=click.IntRange(1), help="Games at once.")
    @click.option("--device", default="cpu", show_default=True, help="Where torch computes.")
    @click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
    @click.option("--resume", is_flag=True, help="Go on from the run's checkpoint.")
    @TENSORBOARD
    def command(out: Path | None, *, resume: bool, tensorboard: bool, **settings: Any) -> None:
        folder = out or Path("runs") / game
        _train_by_ppo(game, folder, resume=resume, tensorboard=tensorboard, **settings)

    return command


for _game in GAMES:
    train.add_command(_game_command(_game))
train.add_command(train_service)
train.add_command(train_fleet)


def _train_by_ppo(
    game: str, folder: Path, *, resume: bool, tensorboard: bool, **settings: Any
) -> None:
    """Leave a checkpoint, the rewards as CSV and as a plot, and the settings in the folder."""
    from headstart_training import runs

    checkpoint = folder / runs.CHECKPOINT
    with errors_as_messages():
        learner = runs.make_learner(game, **settings)
        if resume:
            learner.load(checkpoint)
        elif checkpoint.exists():
            raise ValueError(f"{checkpoint} exists: go on with --resume, or choose another --out")
        began = time.monotonic()
        with progress_bar(f"training {game}", GAMES[game].steps) as show:
            runs.train(game, learner, folder, show, tensorboard=tensorboard)
    click.echo(
        f"Trained in {time.monotonic() - began:.0f} s on {learner.history[-1].steps:,} steps."
        f"\n  rewards     {folder / 'rewards.png'}"
        f"\n  checkpoint  {checkpoint}"
        f"\n  next        headstart evaluate {folder}"
    )


@train.command("default")
@click.option("--seed", type=SEEN, default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/default"),
    show_default=True,
    help="Folder.",
)
@click.option("--iterations", type=click.IntRange(1), help="Instead of the recipe's own number.")
@click.option("--device", default="cpu", show_default=True, help="Where torch computes.")
@click.option(
    "--traces",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of recordings (CSV) to learn from beside what is generated.",
)
@click.option("--resume", is_flag=True, help="Go on from the run's checkpoint.")
@TENSORBOARD
def train_default(
    seed: int,
    out: Path,
    iterations: int | None,
    device: str,
    traces: Path | None,
    *,
    resume: bool,
    tensorboard: bool,
) -> None:
    """Train the policy that ships, by its recipe: hindsight on loads of every kind."""
    from headstart_training import devices, recipe
    from headstart_training.algorithms.hindsight import Config
    from headstart_training.boards import board
    from headstart_training.loads.traces import read_folder

    config = Config(seed=seed)
    if iterations is not None:
        config = replace(config, iterations=iterations)
    checkpoint = out / recipe.CHECKPOINT
    if resume != checkpoint.exists():
        raise click.ClickException(
            f"{checkpoint} does not exist: leave out --resume"
            if resume
            else f"{checkpoint} exists: go on with --resume, or choose another --out"
        )
    with errors_as_messages():
        devices.require(device)
        recordings = read_folder(traces) if traces else {}
        worlds = recipe.draw_worlds(seed, recordings)
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with (
        Progress(*COLUMNS, TextColumn("regret {task.fields[loss]}")) as bar,
        board(out, wanted=tensorboard) as write,
    ):
        drawing = bar.add_task("drawing loads", total=recipe.WORLDS, loss="-")
        learning = bar.add_task("learning", total=config.iterations, loss="-")

        def show(step: Step) -> None:
            bar.update(learning, completed=step.iteration, loss=f"{step.loss:6.2f}")
            write(step.iteration, {"regret": step.loss, "violations": step.violations})

        with errors_as_messages():
            network, history = recipe.learn(
                bar.track(worlds, task_id=drawing),
                config,
                show,
                device=device,
                checkpoint=checkpoint,
            )
    file = recipe.write(out, network, config, history, recordings)
    click.echo(
        f"Trained in {time.monotonic() - began:.0f} s and measured."
        f"\n  loss      {out / recipe.LOSS_PLOT}"
        f"\n  artefact  {file}"
        f"\n  next      headstart evaluate --artifact {file}"
    )

"""`headstart tour`: the seed's game in three pictures."""
# ruff: noqa: PLC0415  # The commands import what they need when they run.

from __future__ import annotations

from pathlib import Path

import click

from headstart_training.commands.console import SEEN, progress_bar
from headstart_training.games import GAMES
from headstart_training.settings import UNSEEN


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/tour"),
    show_default=True,
    help="Folder.",
)
@click.option("--seed", type=SEEN, default=0, show_default=True)
@click.option(
    "--iterations", type=click.IntRange(1), help="Of training, instead of the game's own."
)
def tour(out: Path, seed: int, iterations: int | None) -> None:
    """See the seed's game in three pictures: its load, training, and random against trained."""
    from headstart_training import runs
    from headstart_training import tour as pictures

    out.mkdir(parents=True, exist_ok=True)
    click.echo(f"1. Three days of load              {pictures.draw_loads(out, seed)}")
    learner = runs.make_learner(pictures.GAME, seed=seed, iterations=iterations)
    with progress_bar("training", GAMES[pictures.GAME].steps) as show:
        greedy = pictures.train(learner, show)
    click.echo(f"2. Reward per iteration            {pictures.draw_training(out, learner, greedy)}")
    unseen = UNSEEN + seed
    click.echo(f"3. Random against trained          {pictures.draw_games(out, learner, unseen)}")

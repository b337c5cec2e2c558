"""`headstart train`, `evaluate` and `tour`: options, a progress bar and tables.

Torch and matplotlib load when a command runs, so that `headstart --help` is quick.
"""
# ruff: noqa: PLC0415  # The commands import what they need when they run.

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from headstart_training.games import GAMES

if TYPE_CHECKING:
    from headstart_training.algorithms.ppo import Progress as Iteration
    from headstart_training.benchmark import Line
    from headstart_training.evaluation import Column, Row

# Evaluation draws its games from seeds that start here; training's end below.
UNSEEN = 1_000_000_000
SUBJECT = "PPO, greedy"
# Games of a contest, and services of a benchmark, where nobody says how many.
EPISODES, SERVICES = 3000, 200
SEEN = click.IntRange(0, UNSEEN - 1)
# Where the output is no terminal, rich would take 80 columns and break the table's lines.
TABLE_WIDTH = 120


@click.group()
def train() -> None:
    """Train a policy; the same seed gives the same policy."""


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
    def command(out: Path | None, *, resume: bool, **settings: Any) -> None:
        _train_by_ppo(game, out or Path("runs") / game, resume=resume, **settings)

    return command


for _game in GAMES:
    train.add_command(_game_command(_game))


def _train_by_ppo(game: str, folder: Path, *, resume: bool, **settings: Any) -> None:
    """Leave a checkpoint, the rewards as CSV and as a plot, and the settings in the folder."""
    from headstart_training import runs

    checkpoint = folder / runs.CHECKPOINT
    with _errors_as_messages():
        learner = runs.make_learner(game, **settings)
        if resume:
            learner.load(checkpoint)
        elif checkpoint.exists():
            raise ValueError(f"{checkpoint} exists: go on with --resume, or choose another --out")
        began = time.monotonic()
        with progress_bar(f"training {game}", GAMES[game].steps) as show:
            runs.train(game, learner, folder, show)
    click.echo(
        f"Trained in {time.monotonic() - began:.0f} s on {learner.history[-1].steps:,} steps."
        f"\n  rewards     {folder / 'rewards.png'}"
        f"\n  checkpoint  {checkpoint}"
        f"\n  next        headstart evaluate {folder}"
    )


@train.command("default")
@click.option("--seed", type=SEEN, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/default"))
@click.option("--iterations", type=click.IntRange(1), help="Instead of the recipe's own number.")
def train_default(seed: int, out: Path, iterations: int | None) -> None:
    """Train the policy that ships, by its recipe: hindsight on generated loads of every kind."""
    from headstart_training import recipe
    from headstart_training.algorithms.hindsight import Config

    config = Config(seed=seed)
    if iterations is not None:
        config = replace(config, iterations=iterations)
    began = time.monotonic()
    with Progress(*_COLUMNS, TextColumn("regret {task.fields[loss]}")) as bar:
        drawing = bar.add_task("drawing loads", total=recipe.WORLDS, loss="-")
        worlds = recipe.draw_worlds(seed, lambda count: bar.update(drawing, completed=count))
        learning = bar.add_task("learning", total=config.iterations, loss="-")
        network, history = recipe.learn(
            worlds,
            config,
            lambda step: bar.update(learning, completed=step.iteration, loss=f"{step.loss:6.2f}"),
        )
    file = recipe.write(out, network, config, history)
    click.echo(
        f"Trained in {time.monotonic() - began:.0f} s and measured."
        f"\n  loss      {out / recipe.LOSS_PLOT}"
        f"\n  artefact  {file}"
        f"\n  next      headstart evaluate --artifact {file}"
    )


@click.command()
@click.argument(
    "run", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--artifact",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A policy file of the operator's, instead of RUN.",
)
@click.option(
    "--games", type=click.IntRange(2), help="[3000, or 200 services of an operator's policy]"
)
@click.option("--seed", type=click.IntRange(UNSEEN), default=UNSEEN, show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures too.")
def evaluate(
    run: Path | None, artifact: Path | None, games: int | None, seed: int, json_file: Path | None
) -> None:
    """Play the saved policy of RUN greedily, paired with the baselines on the same unseen games.

    What the operator serves is measured in dollars, after the guardrails that it ships with.
    """
    if (run is None) == (artifact is None):
        raise click.UsageError("Give either RUN or --artifact.")
    with _errors_as_messages():
        served = artifact if run is None else _served_by(run)
        if served is not None:
            _benchmark(served, games or SERVICES, seed, json_file)
        elif run is not None:
            _contest(run, games or EPISODES, seed, json_file)


def _served_by(run: Path) -> Path | None:
    """Return the policy file that a run left for the operator, if its game makes one."""
    from headstart_training import runs
    from headstart_training.shipping import ARTIFACT

    return run / ARTIFACT if GAMES[runs.read_game(run)].export else None


def _benchmark(artifact: Path, services: int, seed: int, json_file: Path | None) -> None:
    """Measure what the operator serves, after its guardrails."""
    from headstart_policy.artifact import parse
    from headstart_training import benchmark

    policy = parse(artifact.read_bytes())
    console = _console()
    with console.status("") as status:
        measured = benchmark.run(policy, services=services, seed=seed, progress=status.update)
    console.print(
        benchmark_table(
            measured.seed_day,
            f"{services} unseen loads of the seed's, {measured.minutes:,} min, lead time 5 min",
        )
    )
    console.print(
        benchmark_table(measured.demonstration, "the same with a day of 60 min, for 180 min")
    )
    leads = measured.leads
    console.print(
        f"There, desired led {leads.led:,} of {leads.rises:,} rises by half a lead time or more;"
        f" most of its rises for {leads.scaled_ahead} of {leads.services} services."
    )
    if json_file:
        facts = {"digest": policy.digest, **measured.to_json()}
        json_file.write_text(json.dumps(facts, indent=2) + "\n")


def _contest(run: Path, games: int, seed: int, json_file: Path | None) -> None:
    """Play a game's contenders in its environment."""
    from headstart_training import runs
    from headstart_training.evaluation import compare, play

    game = runs.read_game(run)
    line = GAMES[game]
    contenders = {SUBJECT: runs.Greedy(runs.read_policy(run), game), **line.contenders()}
    results = {}
    console = _console()
    with console.status("") as status:
        for name, contender in contenders.items():
            status.update(f"{name}: {games:,} games of {line.steps:,} steps")
            results[name] = play(line.environment, contender, games=games, seed=seed)
    rows = compare(results, SUBJECT, line.columns)
    console.print(table(rows, line.columns, f"{game}: {games:,} unseen games"))
    if json_file:
        facts = {
            "game": game,
            "games": games,
            "steps": line.steps,
            "seed": seed,
            "subject": SUBJECT,
            "contenders": {row.name: asdict(row) for row in rows},
        }
        json_file.write_text(json.dumps(facts, indent=2) + "\n")


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/tour"), show_default=True
)
@click.option("--seed", type=click.IntRange(0, UNSEEN - 1), default=0, show_default=True)
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


_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
)


@contextmanager
def progress_bar(title: str, steps: int) -> Iterator[Callable[["Iteration"], None]]:
    """Show iteration, mean return of a game and time left; yields what to call after each."""
    with Progress(*_COLUMNS, TextColumn("mean return {task.fields[earned]}")) as bar:
        task = bar.add_task(title, total=None, earned="-")

        def show(progress: "Iteration") -> None:
            bar.update(
                task,
                total=progress.iterations,
                completed=progress.iteration,
                earned=f"{progress.reward * steps:10,.0f}",
            )

        yield show


def table(rows: list["Row"], columns: tuple["Column", ...], title: str) -> Table:
    """Make a table of an evaluation: a line for each contender."""
    shown = Table(
        title=title,
        caption="difference: the first line minus this one on the same games, 95 % interval",
    )
    shown.add_column("contender")
    headings = (
        "return [$]\n± std. error",
        "difference [$]\nwith interval",
        *(c.label for c in columns),
    )
    for heading in headings:
        shown.add_column(escape(heading), justify="right", no_wrap=True)
    for row in rows:
        difference = (
            f"{row.difference:+,.0f} [{row.difference_low:+,.0f}, {row.difference_high:+,.0f}]"
        )
        shown.add_row(
            row.name,
            f"{row.mean:,.0f} ± {row.standard_error:.0f}",
            "" if row is rows[0] else difference,
            *(f"{row.figures[column.key]:{column.format}}" for column in columns),
        )
    return shown


def benchmark_table(lines: Sequence["Line"], title: str) -> Table:
    """Make a table of a benchmark: a line for each contender."""
    shown = Table(
        title=title,
        caption="difference: the first line minus this one on the same loads, 95 % interval",
    )
    shown.add_column("contender")
    for heading in (
        "dollars\nper day",
        "difference\nwith interval",
        "share of the\nclairvoyant",
        "SLO missed\n\\[min/day]",
        "replicas\n\\[h/day]",
    ):
        shown.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        difference = (
            f"{line.difference:+,.0f} \\[{line.difference_low:+,.0f}, {line.difference_high:+,.0f}]"
        )
        shown.add_row(
            line.name,
            f"{line.dollars_per_day:,.0f}",
            "" if line is lines[0] else difference,
            f"{line.share:.1%}",
            f"{line.violation_minutes_per_day:.2f}",
            f"{line.replica_hours_per_day:,.1f}",
        )
    return shown


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=TABLE_WIDTH)


@contextmanager
def _errors_as_messages() -> Iterator[Any]:
    """Show a refused value or file as one line, without a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error

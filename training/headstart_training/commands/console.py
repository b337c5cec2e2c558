"""What commands share: a console of known width, progress bars, errors without a traceback."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from headstart_training.settings import UNSEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headstart_training.algorithms.ppo import Progress as Iteration

# Where the output is no terminal, rich would take 80 columns and break the table's lines.
TABLE_WIDTH = 120
# Evaluation draws its games from seeds that start at UNSEEN; training's end below.
SEEN = click.IntRange(0, UNSEEN - 1)

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
)


@contextmanager
def progress_bar(title: str, steps: int) -> Iterator[Callable[[Iteration], None]]:
    """Show iteration, mean return of a game and time left; yields what to call after each."""
    with Progress(*COLUMNS, TextColumn("mean return {task.fields[earned]}")) as bar:
        task = bar.add_task(title, total=None, earned="-")

        def show(progress: Iteration) -> None:
            bar.update(
                task,
                total=progress.iterations,
                completed=progress.iteration,
                earned=f"{progress.reward * steps:10,.0f}",
            )

        yield show


def console() -> Console:
    """Make a console as wide as the terminal, or wide enough for a table."""
    shown = Console()
    return shown if shown.is_terminal else Console(width=TABLE_WIDTH)


def say_without_bar(shown: Console, what: str) -> None:
    """Print what is being done where the output is no terminal: a bar shows nothing there."""
    if not shown.is_terminal:
        click.echo(f"{datetime.now(UTC):%H:%M:%S} {what}", err=True)


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """Show a refused value or file as one line, without a traceback."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error

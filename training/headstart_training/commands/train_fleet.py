"""`headstart train fleet FILE`: many services on Ray, a folder for each."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from headstart_training.commands.console import COLUMNS, console, errors_as_messages

if TYPE_CHECKING:
    from headstart_training.fleet_training import Result


@click.command("fleet")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--address", help="Of an existing Ray cluster; auto: this machine's.  [start Ray]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/fleet"),
    show_default=True,
    help="Folder, with one in it for each service.",
)
def train_fleet(file: Path, address: str | None, out: Path) -> None:
    """Train for every service of FILE at once, on Ray.

    FILE is a YAML list: name and csv of each service and, where known, namespace, target, query,
    capacity, leadTime, objective, minReplicas and maxReplicas. Those that fail are reported, and
    stop nobody else.
    """
    from headstart_training.fleet_file import read_fleet

    try:
        from headstart_training import fleet_training
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"`headstart train fleet` needs {error.name}: install it with"
            " `pip install 'headstart[fleet]'`"
        ) from error
    with errors_as_messages():
        jobs = read_fleet(file)
        results = []
        with Progress(*COLUMNS, transient=True) as bar:
            task = bar.add_task(f"training for {len(jobs)} services", total=len(jobs))
            for result in fleet_training.train_fleet(jobs, address):
                results.append(result)
                if result.trained:
                    result.trained.write(out / result.job.name)
                bar.update(task, advance=1)
    names = [job.name for job in jobs]
    results.sort(key=lambda result: names.index(result.job.name))
    console().print(results_table(results))
    failed = [result for result in results if not result.trained]
    for result in failed:
        click.echo(f"{result.job.name}: {result.failure}", err=True)
    click.echo(f"{len(results) - len(failed)} of {len(results)} services in {out}")
    if failed:
        raise click.exceptions.Exit(1)


def results_table(results: list[Result]) -> Any:
    """Make a table: a line for each service, in the order of the file."""
    from rich.table import Table

    table = Table(
        title="dollars a day more than the default, on held-back days",
        caption="at least: lower bound of the mean; a fit is kept only where that is above 0",
    )
    table.add_column("service")
    table.add_column("load")
    for heading in ("days", "more", "at least"):
        table.add_column(heading, justify="right")
    table.add_column("decides by")
    for job, trained, _ in results:
        if trained is None:
            table.add_row(job.name, "", "", "", "", "FAILED")
            continue
        kept = [c for c in trained.outcome.candidates if c.name == trained.outcome.kept]
        figures = [f"{kept[0].gain:+,.2f}", f"{kept[0].low:+,.2f}"] if kept else ["", ""]
        table.add_row(job.name, trained.kind, f"{trained.days:.1f}", *figures, trained.outcome.kept)
    return table

"""`headstart train service`: a history in, a folder for `kubectl apply` out."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml
from rich.progress import Progress

from headstart_training.commands.assumptions import assumptions, to_setting
from headstart_training.commands.console import COLUMNS, SEEN, console, errors_as_messages
from headstart_training.commands.recordings import recordings, to_history

if TYPE_CHECKING:
    from headstart_training.service_training import History, Trained


@click.command("service")
@click.argument("csv", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@recordings
@click.option("--name", help="[the file's, or the target's]")
@click.option("--namespace", help="Of the workload.  [the one that you apply in]")
@click.option("--target", metavar="[KIND/]NAME", help="The workload to scale.  [Deployment/NAME]")
@click.option("--address", help="Of the Prometheus, as the operator sees it.  [the operator's own]")
@click.option("--min-replicas", type=click.IntRange(1, 100_000), default=1, show_default=True)
@click.option(
    "--max-replicas", type=click.IntRange(1, 100_000), help="[twice the history's busiest time]"
)
@assumptions
@click.option("--seed", type=SEEN, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [runs/NAME]")
def train_service(
    csv: Path | None,
    prometheus: str | None,
    query: str,
    days: float,
    token: str | None,
    ca_file: Path | None,
    name: str | None,
    namespace: str | None,
    target: str | None,
    address: str | None,
    min_replicas: int,
    max_replicas: int | None,
    seed: int,
    out: Path | None,
    **assumed: Any,
) -> None:
    """Fit the default policy to the history of one service, if that proves better.

    The history is a CSV file with a column of times and one of requests, or what a Prometheus has
    of a query. What is left in the folder: policy.safetensors, manifest.yaml, card.md and plot.png.
    """
    from headstart_training.manifest import Source, to_object_name, to_target
    from headstart_training.service_training import MANIFEST, CsvHistory, Job, train

    if (csv is None) == (prometheus is None):
        raise click.UsageError("Give either CSV or --prometheus.")
    name = name or (csv.name.split(".")[0] if csv else (target or "").rpartition("/")[2])
    if not name:
        raise click.UsageError("Give --target with --prometheus: the workload that is asked about.")
    folder = out or Path("runs") / name
    with errors_as_messages():
        if (folder / MANIFEST).exists():
            raise ValueError(f"{folder / MANIFEST} exists: choose another --out")
        history: History
        if csv:
            history = CsvHistory.of(csv)
        else:
            history = to_history(prometheus or "", query, days, token, ca_file)
        job = Job(
            name=name,
            history=history,
            target=to_target(target or to_object_name(name)),
            source=Source(query, address),
            setting=to_setting(**assumed),
            namespace=namespace,
            min_replicas=min_replicas,
            max_replicas=max_replicas,
            seed=seed,
        )
        began = time.monotonic()
        with Progress(*COLUMNS, transient=True) as bar:
            task = bar.add_task(f"training for {name}", total=None)
            trained = train(job, lambda done, total: bar.update(task, completed=done, total=total))
        trained.write(folder)
    _tell(trained, folder, time.monotonic() - began, blank=not query)


def _tell(trained: Trained, folder: Path, seconds: float, *, blank: bool) -> None:
    from headstart_training.backtest.setting import MEAN_REPLICAS

    shown = console()
    if trained.outcome.candidates:
        shown.print(candidates_table(trained))
    click.echo(
        f"Decides by: {trained.outcome.kept}: {trained.outcome.why}."
        f"\nTrained in {seconds:.0f} s on {trained.days:.1f} days, a {trained.kind} load."
    )
    for sentence in trained.outside.sentences:
        click.echo(sentence)
    text = trained.files["manifest.yaml"].decode()
    if "ASSUMED" in text:
        click.echo(
            f"The capacity is assumed, {MEAN_REPLICAS:.0f} replicas on average: train again with"
            " --capacity."
        )
    for document in yaml.safe_load_all(text):
        if document["kind"] == "ConfigMap":
            name = document["metadata"]["name"]
            click.echo(f"  grant   add {name} to the chart's artifactConfigMaps")
    fill = "fill in the query, then " if blank else ""
    click.echo(f"  folder  {folder}\n  next    {fill}cd {folder} && {trained.apply}")


def candidates_table(trained: Trained) -> Any:
    """Make a table of what each fit came to on the held-back days."""
    from rich.table import Table

    held = trained.outcome.held_days
    table = Table(
        title=f"{trained.name}: dollars a day more than the default on {held} held-back days",
        caption="at least: lower bound of the mean; a fit is kept only where that is above 0",
    )
    table.add_column("fit")
    table.add_column("mean", justify="right")
    table.add_column("at least", justify="right")
    table.add_column("better days", justify="right")
    table.add_column("")
    for one in trained.outcome.candidates:
        table.add_row(
            one.name,
            f"{one.gain:+,.2f}",
            f"{one.low:+,.2f}",
            f"{int((one.gains > 0).sum())} of {held}",
            "kept" if one.name == trained.outcome.kept else "",
        )
    return table

"""`headstart bench fine-tuning`: the default against what its fit to each service comes to."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from headstart_training.commands.console import COLUMNS, console, errors_as_messages
from headstart_training.commands.files import json_option

if TYPE_CHECKING:
    from headstart_training.fine_tuning_benchmark import Line


@click.command("fine-tuning")
@click.argument(
    "traces",
    nargs=-1,
    required=True,
    metavar="CSV...",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@json_option
def fine_tuning(traces: tuple[Path, ...], json_file: Path | None) -> None:
    """Fine-tune on the first half of each recording, judge on the untouched second half."""
    from headstart_training.backtest.services import from_trace
    from headstart_training.fine_tuning_benchmark import measure
    from headstart_training.loads.traces import read_trace

    lines, short = [], []
    with errors_as_messages(), Progress(*COLUMNS, transient=True) as bar:
        task = bar.add_task("fine-tuning", total=len(traces))
        for path in traces:
            name = path.name.split(".")[0]
            line = measure(from_trace(name, read_trace(path)))
            if line:
                lines.append(line)
            else:
                short.append(name)
            bar.update(task, advance=1)
    console().print(lines_table(lines))
    if short:
        click.echo(f"Too short to fine-tune: {', '.join(short)}.")
    if json_file:
        json_file.write_text(json.dumps([line.to_json() for line in lines], indent=2) + "\n")


def lines_table(lines: list[Line]) -> Any:
    """Make a table: a line for each service."""
    from rich.table import Table

    table = Table(
        title="fine-tuned on the first half: dollars a day more than the default on the second",
        caption="95 % intervals by a bootstrap of whole days. multiplier, weights: the best fit of"
        " each kind,\nwhether or not its held-back days proved it better",
    )
    table.add_column("service", no_wrap=True)
    table.add_column("load")
    table.add_column("days", justify="right")
    table.add_column("default", justify="right")
    table.add_column("kept", no_wrap=True)
    for heading in ("gain of what\nwas kept", "multi-\nplier", "weights"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        gain = line.gain
        table.add_row(
            line.name,
            line.kind,
            str(line.days),
            f"{line.default:,.0f}",
            line.kept,
            f"{gain.value:+,.0f} \\[{gain.low:+,.0f}, {gain.high:+,.0f}]",
            f"{line.multiplier.value:+,.0f}",
            f"{line.weights.value:+,.0f}",
        )
    return table

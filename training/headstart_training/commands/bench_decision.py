"""`headstart bench decision`: how long a decision for many services takes on this machine."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.table import Table

from headstart_training.commands.console import console
from headstart_training.commands.files import json_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command("decision")
@json_option
@click.option("--services", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=200, show_default=True)
def decision(json_file: Path | None, services: int, rounds: int) -> None:
    """Time a batched decision: features, candidates, selector, guardrails, on one core."""
    from headstart_training.decision_speed import measure

    shown = console()
    with shown.status("deciding"):
        speed = measure(services, rounds)
    table = Table(title=f"a decision for {services:,} services on one core, {rounds} rounds")
    table.add_column("what")
    table.add_column("median [ms]", justify="right")
    table.add_column("max [ms]", justify="right")
    table.add_column("share", justify="right")
    for name, part in speed.parts.items():
        share = part.median / speed.batch.median
        table.add_row(name, f"{part.median:.2f}", f"{part.max:.2f}", f"{share:.0%}")
    table.add_section()
    for name, whole in (
        ("decision: the first four", speed.decision),
        ("batch: all of them", speed.batch),
    ):
        table.add_row(name, f"{whole.median:.2f}", f"{whole.max:.2f}")
    shown.print(table)
    if json_file:
        json_file.write_text(json.dumps(speed.to_json(), indent=2) + "\n")

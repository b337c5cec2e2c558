"""`headstart bench`: what is promised about speed and quality, measured on this machine.

A benchmark prints what it measured and, with `--json FILE`, writes the same figures.
"""
# ruff: noqa: PLC0415  # The commands import what they need when they run.

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from headstart_training.commands.bench_seed_game import seed_game

JSON_OPTION = click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write the figures too."
)


@click.group()
def bench() -> None:
    """Measure what the documentation promises."""


bench.add_command(seed_game)


@bench.command()
@JSON_OPTION
@click.option(
    "--seconds",
    type=click.FloatRange(0.0),
    default=2.0,
    show_default=True,
    help="For each figure.",
)
def simulator(json_file: Path | None, seconds: float) -> None:
    """Service-steps per second of the simulator, with Kubernetes semantics."""
    from headstart_training import speed

    console = Console()
    with console.status("") as status:
        measured = speed.measure(seconds, lambda name: status.update(f"measuring {name}"))
    table = Table(title=f"service-steps per second on {measured.cores} cores")
    table.add_column("what a step is")
    table.add_column("per second", justify="right", no_wrap=True)
    for what, figure in (
        ("pods, serving and price, in expectation", measured.physics_steps_per_second),
        ("the same, capacity drawn", measured.physics_drawn_steps_per_second),
        (
            "the same, with ramp limits, nodes and spread lead times",
            measured.physics_frictions_steps_per_second,
        ),
        ("a step and the observation after it", measured.environment_steps_per_second),
        ("features and network of a decision", measured.decision_steps_per_second),
    ):
        table.add_row(what, f"{figure:,.0f}")
    console.print(table)
    console.print(
        f"The first is {measured.scalar_reference_ratio:,.0f} times as fast as explicit pods."
    )
    if json_file:
        json_file.write_text(json.dumps(measured.to_json(), indent=2) + "\n")

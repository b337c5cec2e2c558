"""`headstart bench`: what is promised about speed and quality, measured on this machine.

A benchmark prints what it measured and, with `--json FILE`, writes the same figures.
"""
# ruff: noqa: PLC0415  # The commands import what they need when they run.

import json
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from headstart_training.commands.bench_backtest import backtest
from headstart_training.commands.bench_decision import decision
from headstart_training.commands.bench_fine_tuning import fine_tuning
from headstart_training.commands.bench_operator import operator
from headstart_training.commands.bench_seed_game import seed_game
from headstart_training.commands.bench_unseen import unseen
from headstart_training.commands.console import console
from headstart_training.commands.files import json_option


@click.group()
def bench() -> None:
    """Measure what the documentation promises."""


bench.add_command(backtest)
bench.add_command(decision)
bench.add_command(fine_tuning)
bench.add_command(operator)
bench.add_command(seed_game)
bench.add_command(unseen)


@bench.command()
@json_option
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

    shown = console()
    with shown.status("") as status:
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
        ("features, network and selector of a decision", measured.decision_steps_per_second),
    ):
        table.add_row(what, f"{figure:,.0f}")
    shown.print(table)
    shown.print(
        f"The first is {measured.scalar_reference_ratio:,.0f} times as fast as explicit pods."
    )
    if json_file:
        json_file.write_text(json.dumps(measured.to_json(), indent=2) + "\n")


@bench.command()
@json_option
@click.option("--services", type=click.IntRange(1), default=10, show_default=True)
@click.option("--minutes", type=click.IntRange(60), default=1440, show_default=True)
def physics(json_file: Path | None, services: int, minutes: int) -> None:
    """How far the reduced physics is from explicit pods, where it is an approximation."""
    from headstart_training import physics_error

    shown = console()
    with shown.status("") as status:
        errors = physics_error.measure(services, minutes, progress=status.update)
    table = Table(
        title="the reduced physics against explicit pods, lead time 5 steps of a minute",
        caption=f"{services} loads of the seed's, {minutes:,} min",
    )
    table.add_column("what is not as predicted")
    table.add_column("contender")
    table.add_column("planned\nwith", no_wrap=True)
    for heading in (
        "lead\n[steps]",
        "steps\noff",
        "replicas\noff",
        "$/day\npredicted",
        "$/day\nin truth",
        "SLO missed\n[min/day]\npredicted",
        "\n\nin truth",
    ):
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for error in errors:
        table.add_row(
            error.case,
            error.contender,
            error.plan,
            str(error.lead_steps),
            f"{error.steps_off:.1%}",
            f"{error.replicas_off:.2f}",
            f"{error.predicted_dollars:,.0f}",
            f"{error.dollars:,.0f}",
            f"{error.predicted_violations:.1f}",
            f"{error.violations:.1f}",
        )
    shown.print(table)
    if json_file:
        rows = [error.to_json() for error in errors]
        json_file.write_text(json.dumps(rows, indent=2) + "\n")

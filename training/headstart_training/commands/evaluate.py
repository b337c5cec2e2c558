"""`headstart evaluate`: a trained policy, paired with the baselines on what it has not seen."""
# ruff: noqa: PLC0415  # The commands import what they need when they run.

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Table

from headstart_training.commands.console import console, errors_as_messages
from headstart_training.commands.files import json_option, read_policy
from headstart_training.games import GAMES
from headstart_training.settings import UNSEEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_training.benchmark import Line
    from headstart_training.evaluation import Column, Row

SUBJECT = "PPO, greedy"
# Games of a contest, and services of a benchmark, where nobody says how many.
EPISODES, SERVICES = 3000, 200


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
@json_option
def evaluate(
    run: Path | None, artifact: Path | None, games: int | None, seed: int, json_file: Path | None
) -> None:
    """Play the saved policy of RUN greedily, paired with the baselines on the same unseen games.

    What the operator serves is measured in dollars, after the guardrails that it ships with.
    """
    if (run is None) == (artifact is None):
        raise click.UsageError("Give either RUN or --artifact.")
    with errors_as_messages():
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
    from headstart_training import benchmark

    policy, _ = read_policy(artifact)
    shown = console()
    with shown.status("") as status:
        measured = benchmark.run(policy, services=services, seed=seed, progress=status.update)
    shown.print(
        benchmark_table(
            measured.seed_day,
            f"{services} unseen loads of the seed's, {measured.minutes:,} min, lead time 5 min",
        )
    )
    shown.print(
        benchmark_table(measured.demonstration, "the same with a day of 60 min, for 180 min")
    )
    leads = measured.leads
    shown.print(
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
    shown = console()
    with shown.status("") as status:
        for name, contender in contenders.items():
            status.update(f"{name}: {games:,} games of {line.steps:,} steps")
            results[name] = play(
                line.environment, contender, games=games, seed=seed, arguments=line.rules
            )
    rows = compare(results, SUBJECT, line.columns)
    shown.print(table(rows, line.columns, f"{game}: {games:,} unseen games"))
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


def table(rows: list[Row], columns: tuple[Column, ...], title: str) -> Table:
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


def benchmark_table(lines: Sequence[Line], title: str) -> Table:
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

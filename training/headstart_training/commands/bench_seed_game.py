"""`headstart bench seed-game`: what the seed's learners come to, from nothing."""
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

    from headstart_training.seed_benchmark import Figures


@click.command("seed-game")
@click.option("--loads", type=click.IntRange(1), default=30, show_default=True)
@click.option("--minutes", type=click.IntRange(100), default=10_000, show_default=True)
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="Training runs of PPO."
)
@click.option("--games", type=click.IntRange(2), default=3000, show_default=True, help="For PPO.")
@click.option(
    "--effort",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of each learner's iterations.",
)
@json_option
def seed_game(
    loads: int, minutes: int, seeds: int, games: int, effort: float, json_file: Path | None
) -> None:
    """Learn the seed's game from nothing; play what was learned on unseen loads."""
    from headstart_training import seed_benchmark

    shown = console()
    with shown.status("") as status:
        figures = seed_benchmark.run(
            loads=loads,
            minutes=minutes,
            seeds=seeds,
            games=games,
            effort=effort,
            progress=status.update,
        )
    for table in tables(figures):
        shown.print(table)
    if json_file:
        json_file.write_text(json.dumps(figures.to_json(), indent=2) + "\n")


def tables(figures: Figures) -> list[Table]:
    """Make the tables: hindsight, PPO, and the policy that ships."""
    hindsight = Table(
        title=f"hindsight, {figures.loads} unseen loads x {figures.minutes:,} minutes"
    )
    hindsight.add_column("warming machines are")
    for heading in (
        "share of the\nclairvoyant",
        "dollars\nper day",
        "clairvoyant,\ndollars per day",
        "mean warming\nmachines",
        "training\n[s]",
    ):
        hindsight.add_column(heading, justify="right", no_wrap=True)
    for name, learned in (
        ("billed", figures.billed),
        ("free, at most one", figures.unbilled),
        ("free: ordering always", figures.exploit),
    ):
        hindsight.add_row(
            name,
            f"{learned.share_of_clairvoyant:.2%}",
            f"{learned.dollars_per_day:,.0f}",
            f"{learned.clairvoyant_dollars_per_day:,.0f}",
            f"{learned.mean_warming:.2f}",
            f"{learned.train_seconds:.0f}",
        )
    ppo = Table(
        title=f"PPO, greedy, {figures.games:,} unseen games",
        caption="gain over the HPA at 60 %, stabilised, on the same games, ± standard error",
    )
    ppo.add_column("warming machines are")
    ppo.add_column("training\nseed", justify="right")
    ppo.add_column("gain [$]\nper game", justify="right", no_wrap=True)
    ppo.add_column("mean warming\nmachines", justify="right")
    ppo.add_column("training\n[s]", justify="right")
    for name, gains in (("free", figures.ppo), ("billed", figures.ppo_billed)):
        for seed, gain in enumerate(gains.gains):
            ppo.add_row(
                name,
                f"{seed}",
                f"{gain:+,.0f} ± {gains.errors[seed]:.0f}",
                f"{gains.mean_warming[seed]:.2f}",
                f"{gains.seconds[seed]:.0f}",
            )
    shipped = Table(
        title="the policy that ships, warming billed, share of the clairvoyant on the load times",
        caption=figures.unreadable,
    )
    shipped.add_column("learned from")
    for scale in figures.at_home:
        shipped.add_column(scale, justify="right")
    for what, shares in (
        ("loads of every kind", figures.transfer),
        ("these", figures.at_home),
        ("each alone, by the game's own learner", figures.specialists),
    ):
        shipped.add_row(what, *(f"{share:.2%}" for share in shares.values()))
    return [hindsight, ppo, shipped]

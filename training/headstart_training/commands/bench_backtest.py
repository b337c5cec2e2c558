"""`headstart bench backtest`: how long a backtest takes on this machine."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click
from rich.table import Table

from headstart_training.commands.console import console
from headstart_training.commands.files import json_option

if TYPE_CHECKING:
    from pathlib import Path

_STEP = 60.0


@click.command("backtest")
@json_option
@click.option("--days", type=click.IntRange(2), default=14, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def backtest(json_file: Path | None, days: int, seed: int) -> None:
    """Backtest a generated load at 1 min, every baseline tuned, report and page written.

    The very first run compiles and keeps what it compiled; it takes longer than all that follow.
    """
    began = time.monotonic()
    import numpy as np

    from headstart_policy.artifact import builtin
    from headstart_training.backtest.judgement import judge
    from headstart_training.backtest.manifests import manifest
    from headstart_training.backtest.page.render import render
    from headstart_training.backtest.report import document
    from headstart_training.backtest.services import DAY, from_trace
    from headstart_training.backtest.setting import Setting
    from headstart_training.backtest.summary import records
    from headstart_training.loads.synthetic import generate
    from headstart_training.loads.traces import Trace

    stages: dict[str, float] = {}
    marks = [time.monotonic()]
    stages["imports"] = marks[0] - began

    def done(stage: str) -> None:
        marks.append(time.monotonic())
        stages[stage] = marks[-1] - marks[-2]

    shown = console()
    with shown.status("backtest"):
        rates = generate(np.random.default_rng(seed), 1, round(days * DAY / _STEP), _STEP)[0]
        done("generated load")
        judgement = judge(
            from_trace("generated", Trace(100 * rates, _STEP)),
            Setting(),
            builtin(),
            heard=lambda what: done(what.removeprefix("generated: ")),
        )
        done("saturation")
        found = records([judgement.contest])
        document([judgement], found, policy=builtin().digest, elapsed=0.0)
        done("report")
        contest = judgement.contest
        applied = manifest(contest.service, contest.profile)
        render([judgement], found, [applied], builtin().digest)
        done("page")
    table = Table(title=f"backtest of {days} days at 1 min")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for stage, seconds in stages.items():
        table.add_row(stage, f"{seconds:.2f}")
    table.add_section()
    table.add_row("all", f"{sum(stages.values()):.2f}")
    shown.print(table)
    if json_file:
        facts = {"days": days, "seconds": sum(stages.values()), "stages": stages}
        json_file.write_text(json.dumps(facts, indent=2) + "\n")

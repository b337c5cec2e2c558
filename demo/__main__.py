"""`python -m demo`: see a service scaled before its load arrives."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live

from demo.load import Scenario, seed_scenario, trace_scenario
from demo.play import play
from demo.report import write_report
from demo.score import DEMO_OBJECTIVE, Score, score
from demo.screen import Moment, line, screen
from demo.stage import Stage
from tests.cluster import binaries

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where there is no terminal, one line in so many minutes of the load.
LINE_MINUTES = 10


@click.command()
@click.option("--trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--full", is_flag=True, help="Replay a whole day: 24 minutes.")
@click.option("--seed", default=1, show_default=True, help="Of the load, without --trace.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", default=Path("runs/demo"), type=click.Path(file_okay=False, path_type=Path))
def main(trace: Path | None, full: bool, seed: int, json_file: Path | None, out: Path) -> None:  # noqa: FBT001 - click passes flags so.
    """Replay a load, a minute of it in a second, against the real operator."""
    console = Console()
    binaries.ensure()
    began = time.monotonic()
    scenario = _scenario(trace, seed, whole_day=full)
    console.print(f"[bold]Headstart demo[/]: {scenario.name}")
    console.print("One minute of the load passes in a second; a replica takes 5 to serve.\n")
    with Stage(scenario, DEMO_OBJECTIVE, lambda words: _say(console, f"{words} ...")) as stage:
        _say(console, "Waiting for the replay to begin ...")
        moments = _watch(stage, console)
    result = score(scenario, moments)
    files = write_report(out, scenario, result)
    seconds = time.monotonic() - began
    console.print(result.table())
    console.print(result.verdict)
    for file in files:
        _say(console, str(file))
    if json_file:
        _write_json(json_file, result, seconds)
    sys.exit(0 if result.scaled_ahead else 1)


def _scenario(trace: Path | None, seed: int, *, whole_day: bool) -> Scenario:
    if trace is None:
        return seed_scenario(seed, whole_day=whole_day)
    try:
        return trace_scenario(trace, whole_day=whole_day)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _say(console: Console, words: str) -> None:
    console.print(f"  {words}", highlight=False, soft_wrap=True)


def _watch(stage: Stage, console: Console) -> list[Moment]:
    """Show the replay as a screen, or as lines where there is no terminal."""
    minutes = len(stage.scenario.replay)
    title = f"Headstart, live: {stage.scenario.name}"
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(moments: Sequence[Moment]) -> None:
            if console.is_terminal:
                live.update(screen(moments, minutes, title, console.width), refresh=True)
            elif len(moments) % LINE_MINUTES == 0:
                console.print(line(moments[-1]), highlight=False, soft_wrap=True)

        return play(stage, show)


def _write_json(file: Path, result: Score, seconds: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {**result.to_json(), "warm_cache_seconds": round(seconds, 1)}
    file.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""`python -m demo`: see a service scaled before its load arrives."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from demo.load import Scenario, seed_scenario, trace_scenario
from demo.report import write_report
from demo.score import DEMO_OBJECTIVE, Score, draw_noise, score, violates
from demo.screen import Moment, line, screen
from demo.stage import Stage
from tests.cluster import binaries

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
    try:
        if trace:
            scenario = trace_scenario(trace, whole_day=full)
        else:
            scenario = seed_scenario(seed, whole_day=full)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    console.print(f"[bold]Headstart demo[/]: {scenario.name}")
    console.print("One minute of the load passes in a second; a replica takes 5 to serve.\n")
    with Stage(
        scenario, DEMO_OBJECTIVE, lambda words: console.print(f"  {words} ...", soft_wrap=True)
    ) as stage:
        moments = _play(stage, scenario, console)
    result = score(scenario, moments)
    files = write_report(out, scenario, result)
    seconds = time.monotonic() - began
    console.print(result.table())
    console.print(result.verdict)
    for file in files:
        console.print(f"  {file}", highlight=False, soft_wrap=True)
    if json_file:
        _write_json(json_file, result, seconds)
    sys.exit(0 if result.scaled_ahead else 1)


def _play(stage: Stage, scenario: Scenario, console: Console) -> list[Moment]:
    """Look once a second while the replay runs."""
    console.print("  Waiting for the replay to begin ...")
    moments: list[Moment] = []
    minutes = len(scenario.replay)
    noise = draw_noise(minutes)
    violations = 0
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for minute in range(minutes):
            # The load of minute k arrives between start + k and start + k + 1: look in between.
            time.sleep(max(0.0, stage.start + minute + 0.5 - time.time()))
            seen = stage.look()
            rate = float(scenario.replay[minute])
            violations += violates(rate, seen.ready, scenario, float(noise[minute]))
            moment = Moment(
                minute=minute,
                rate=rate,
                demand=rate / scenario.capacity,
                ready=seen.ready,
                desired=seen.desired,
                reason=seen.reason,
                violations=violations,
            )
            moments.append(moment)
            if console.is_terminal:
                title = f"Headstart, live: {scenario.name}"
                live.update(screen(moments, minutes, title, console.width), refresh=True)
            elif minute % LINE_MINUTES == LINE_MINUTES - 1:
                console.print(line(moment), soft_wrap=True, highlight=False)
    return moments


def _write_json(file: Path, result: Score, seconds: float) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {**result.to_json(), "warm_cache_seconds": round(seconds, 1)}
    file.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""`headstart backtest`: what Headstart would have done on a recorded load, and what it is worth."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import Progress

from headstart_training.commands.console import COLUMNS, console, errors_as_messages
from headstart_training.commands.durations import Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headstart_policy.artifact import Policy
    from headstart_training.backtest.judgement import Judgement
    from headstart_training.backtest.services import Service
    from headstart_training.backtest.setting import Setting


@click.command()
@click.argument(
    "traces", nargs=-1, metavar="[CSV]...", type=click.Path(path_type=Path, exists=True)
)
@click.option("--policy", type=click.Path(path_type=Path, exists=True), help="[the shipped one]")
@click.option("--capacity", type=float, help="Requests/s per replica.  [20 replicas on average]")
@click.option("--lead-time", type=Duration(), default="5m", show_default=True)
@click.option("--slo", type=float, default=99.5, show_default=True, help="Percent of requests.")
@click.option("--replica-cost", type=float, default=3.0, show_default=True, help="$ per hour.")
@click.option(
    "--request-value", type=float, default=0.9, show_default=True, help="$ per 1,000 requests."
)
@click.option(
    "--violation-cost", type=float, default=200.0, show_default=True, help="$ per minute."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures.")
def backtest(
    traces: tuple[Path, ...],
    policy: Path | None,
    capacity: float | None,
    lead_time: float,
    slo: float,
    replica_cost: float,
    request_value: float,
    violation_cost: float,
    json_file: Path | None,
) -> None:
    """Replay a recorded load: Headstart, every baseline tuned to it, and the best possible.

    The first half of each recording tunes the baselines, the second half judges everybody.
    """
    from headstart_policy.profile import Objective
    from headstart_training.backtest.report import document
    from headstart_training.backtest.setting import Setting
    from headstart_training.backtest.summary import records
    from headstart_training.backtest.table import service_table, summary_table

    began = time.monotonic()
    if not traces:
        raise click.UsageError("Give at least one CSV file.")
    with errors_as_messages():
        objective = Objective(slo / 100, replica_cost, request_value, violation_cost)
        setting = Setting(objective, lead_time, capacity)
        served = _read_policy(policy)
        judgements = _judge([_read(path) for path in traces], setting, served)
    found = records([judgement.contest for judgement in judgements])
    shown = console()
    for judgement in judgements:
        shown.print(service_table(judgement.contest))
    if len(judgements) > 1:
        shown.print(summary_table(found, len(judgements)))
    elapsed = time.monotonic() - began
    if json_file:
        facts = document(judgements, found, policy=served.digest, elapsed=elapsed)
        json_file.write_text(json.dumps(facts, indent=2) + "\n")


def _read(path: Path) -> Service:
    from headstart_training.backtest.services import from_trace
    from headstart_training.loads.traces import read_trace

    return from_trace(path.name.split(".")[0], read_trace(path))


def _read_policy(path: Path | None) -> Policy:
    from headstart_policy.artifact import builtin, parse

    return builtin() if path is None else parse(path.read_bytes())


def _judge(services: Sequence[Service], setting: Setting, policy: Policy) -> list[Judgement]:
    from headstart_training.backtest.judgement import judge

    with _progress(len(services)) as heard:
        return [
            judge(service, setting.profile(service), policy, heard=heard) for service in services
        ]


@contextmanager
def _progress(services: int) -> Iterator[Callable[[str], None]]:
    from headstart_training.backtest.judgement import STAGES

    with Progress(*COLUMNS, transient=True) as bar:
        task = bar.add_task("reading", total=services * STAGES)
        yield lambda who: bar.update(task, advance=1, description=who)

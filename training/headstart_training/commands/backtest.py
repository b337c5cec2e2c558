"""`headstart backtest`: what Headstart would have done on a recorded load, and what it is worth."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from headstart_training.commands.assumptions import assumptions, to_setting
from headstart_training.commands.console import COLUMNS, console, errors_as_messages

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
@assumptions
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write the page.")
@click.option(
    "--manifests", type=click.Path(path_type=Path), help="Folder for the ScalingPolicies."
)
def backtest(
    traces: tuple[Path, ...],
    policy: Path | None,
    json_file: Path | None,
    html_file: Path | None,
    manifests: Path | None,
    **assumed: Any,
) -> None:
    """Replay a recorded load: Headstart, every baseline tuned to it, and the best possible.

    The first half of each recording tunes the baselines, the second half judges everybody.
    """
    from headstart_training.backtest.manifests import manifest
    from headstart_training.backtest.page.render import render
    from headstart_training.backtest.report import document
    from headstart_training.backtest.summary import records
    from headstart_training.backtest.table import service_table, summary_table

    began = time.monotonic()
    if not traces:
        raise click.UsageError("Give at least one CSV file.")
    with errors_as_messages():
        setting = to_setting(**assumed)
        artifact = None if policy is None else policy.read_bytes()
        served = _parse(artifact)
        judgements = _judge([_read(path) for path in traces], setting, served)
        files = [
            manifest(judgement.contest, artifact=artifact, assumed=setting.capacity is None)
            for judgement in judgements
        ]
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
    if html_file:
        html_file.write_text(render(judgements, found, files, served.digest), encoding="utf-8")
    if manifests:
        manifests.mkdir(parents=True, exist_ok=True)
        for file in files:
            (manifests / file.file).write_text(file.text)
    elif len(files) == 1:
        click.echo(files[0].text)


def _read(path: Path) -> Service:
    from headstart_training.backtest.services import from_trace
    from headstart_training.loads.traces import read_trace

    return from_trace(path.name.split(".")[0], read_trace(path))


def _parse(artifact: bytes | None) -> Policy:
    from headstart_policy.artifact import builtin, parse

    return builtin() if artifact is None else parse(artifact)


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
        yield lambda what: bar.update(task, advance=1, description=what)

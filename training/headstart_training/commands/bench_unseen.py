"""`headstart bench unseen`: the shipped recipe on recorded services that it did not learn from."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import numpy as np
from rich.markup import escape
from rich.progress import Progress, TextColumn
from rich.table import Table

from headstart_training.commands.console import (
    COLUMNS,
    console,
    errors_as_messages,
    say_without_bar,
)
from headstart_training.commands.files import json_option

if TYPE_CHECKING:
    from headstart_training.backtest.protocol import Contest
    from headstart_training.baselines.hpa import HPA

CLAIRVOYANT, HEADSTART, NETWORK = "clairvoyant", "headstart", "headstart_network"
HPA_TUNED = "hpa_tuned"

_LEAD_TIMES = (300.0, 120.0, 600.0)


@click.command("unseen")
@click.option(
    "--traces",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder of recordings (CSV).",
)
@click.option("--together", multiple=True, help="Correlated services, A,B: never apart.")
@click.option("--folds", type=click.IntRange(2), default=4, show_default=True)
@click.option(
    "--seen",
    is_flag=True,
    help="The opposite, for a bound: learn from the recordings alone, and leave none out.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@json_option
def unseen(
    traces: Path,
    together: tuple[str, ...],
    folds: int,
    seed: int,
    json_file: Path | None,
    *,
    seen: bool,
) -> None:
    """Learn without some services, backtest those, until all were left out once.

    More folds leave more to learn from and take longer; each one trains anew.
    """
    from headstart_training import leave_out, recipe
    from headstart_training.algorithms.hindsight import Config
    from headstart_training.backtest.front import fronts
    from headstart_training.backtest.protocol import GUARDRAILS, hold
    from headstart_training.backtest.services import from_trace
    from headstart_training.backtest.setting import Setting
    from headstart_training.backtest.summary import records
    from headstart_training.backtest.table import summary_table
    from headstart_training.loads.traces import read_folder

    if seen and together:
        raise click.UsageError("--seen leaves none out, so nothing can be kept --together")
    with errors_as_messages():
        recordings = read_folder(traces)
        groups = [frozenset(names.split(",")) for names in together]
        parts = leave_out.folds(list(recordings), groups, folds)
        if seen:
            parts = [list(recordings)]
        # Before anything is learned: what cannot be judged is refused at once.
        services = {name: from_trace(name, trace) for name, trace in recordings.items()}
    shown = console()
    contests: dict[float, list[Contest]] = {lead: [] for lead in _LEAD_TIMES}
    savings: dict[str, float] = {}
    with errors_as_messages(), Progress(*COLUMNS, TextColumn("{task.fields[now]}")) as bar:
        task = bar.add_task("folds", total=len(parts) * Config().iterations, now="drawing loads")

        def learned(_: object) -> None:
            bar.update(task, advance=1)

        def say(what: str) -> None:
            bar.update(task, now=what)
            say_without_bar(shown, what)

        for k, part in enumerate(parts, start=1):
            say(f"learning, fold {k} of {len(parts)}")
            policy = (
                leave_out.learn_by_heart(recordings, seed, learned)
                if seen
                else leave_out.learn_without(part, recordings, seed, learned)
            )
            for name in part:
                service = services[name]
                for lead in _LEAD_TIMES:
                    say(f"{name}, lead time {lead:g} s")
                    profile = Setting(lead_time=lead).profile(service)
                    contests[lead].append(hold(service, profile, policy))
                last = contests[_LEAD_TIMES[0]][-1]
                tuned = cast("HPA", last.choices[HPA_TUNED])
                curves = fronts(last.halves, last.calendar, tuned, policy, GUARDRAILS)
                savings[name] = curves.saving
    facts: dict[str, Any] = {"folds": parts, "seen": seen, "seed": seed, "worlds": recipe.WORLDS}
    for lead, held in contests.items():
        found = records(held)
        shown.print(f"\nlead time {lead:g} s")
        shown.print(summary_table(found, len(held)))
        facts[f"lead_time_{lead:g}"] = {
            "summary": {name: record.to_json() for name, record in found.items()},
            "services": {contest.service.name: _figures(contest) for contest in held},
        }
    shown.print(_table(contests, savings))
    facts["replica_hours_saved_at_equal_violations"] = {
        name: saving if np.isfinite(saving) else None for name, saving in savings.items()
    }
    if json_file:
        json_file.write_text(json.dumps(facts, indent=2) + "\n")


def _figures(contest: Contest) -> dict[str, Any]:
    """What Headstart, without its selector too, and the tuned HPA came to on one service."""
    from headstart_training.backtest.closure import closure

    accounts = contest.accounts
    tuned, best = (np.array(accounts[n].dollars_per_day) for n in (HPA_TUNED, CLAIRVOYANT))
    figures: dict[str, Any] = {"class": str(contest.service.kind)}
    for name in (HEADSTART, NETWORK, HPA_TUNED, CLAIRVOYANT):
        account = accounts[name]
        part = float(closure(np.array(account.dollars_per_day), tuned, best))
        figures[name] = {
            "dollars_per_day": account.dollars_per_day,
            "violation_minutes_per_day": account.violation_minutes_per_day,
            "replica_hours_per_day": account.replica_hours_per_day,
            "closure": part if np.isfinite(part) else None,
        }
    return figures


def _table(contests: dict[float, list[Contest]], savings: dict[str, float]) -> Table:
    """Make a line for each service."""
    shown = Table(
        title="each service",
        caption="closure: 0 is the HPA tuned per service, 1 the best possible;"
        " saved: replica-hours at equal violations; both with lead times as named",
    )
    shown.add_column("service", no_wrap=True)
    shown.add_column("class", no_wrap=True)
    for lead in contests:
        shown.add_column(f"closure\n{lead:g} s", justify="right", no_wrap=True)
    first = next(iter(contests))
    for heading in ("network\nalone", "SLO missed\n[min/day]", "of the\ntuned HPA", "saved"):
        shown.add_column(escape(heading), justify="right", no_wrap=True)
    for row in zip(*contests.values(), strict=True):
        of = [_figures(contest) for contest in row]
        at_first = of[list(contests).index(first)]
        saving = savings[row[0].service.name]
        shown.add_row(
            row[0].service.name,
            at_first["class"],
            *(_number(figures[HEADSTART]["closure"]) for figures in of),
            _number(at_first[NETWORK]["closure"]),
            f"{at_first[HEADSTART]['violation_minutes_per_day']:.2f}",
            f"{at_first[HPA_TUNED]['violation_minutes_per_day']:.2f}",
            f"{saving:.1%}" if np.isfinite(saving) else "-",
        )
    return shown


def _number(closure: float | None) -> str:
    return "-" if closure is None else f"{closure:+.2f}"

"""``python -m tests.faults.soak [--minutes N] [--json FILE]``: hours of faults, nothing leaks.

Time is compressed as everywhere in these tests: a second is an interval, so an hour is 3,600
decisions of each service, what 15 hours are at the default interval of 15 s. Both replicas live
through all of it: what kills one is left to ``make faults``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotille
from rich.console import Console
from rich.table import Table

from tests.cluster import ClusterError
from tests.faults import catalogue
from tests.faults.catalogue import CATALOGUE, Fault
from tests.faults.report import as_data
from tests.faults.rig import Rig
from tests.faults.trial import attempt
from tests.faults.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.trial import Outcome

# Quick elections, so that there are many.
FLAGS = ("--lease-duration=4s", "--renew-deadline=3s", "--retry-period=1s")
_KILLING = {
    catalogue.leader_killed,
    catalogue.leader_ended,
    catalogue.dead_at_peak,
    catalogue.started_without_an_api_server,
}
_MINUTE = 60.0


def main() -> int:
    """Soak, print what was held over time, and return whether it stayed flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--services", type=int, default=6)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--json", type=Path, help="write the outcome to this file as data")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    with Rig(arguments.services, FLAGS) as rig, ExitStack() as stack:
        vitals = [stack.enter_context(Vitals(replica)) for replica in rig.replicas]
        until = time.monotonic() + arguments.minutes * _MINUTE
        struck = _soak(rig, until, random.Random(arguments.seed), console)  # noqa: S311
        console.print(rig.help_given)
    rows = [as_data(fault, outcomes) for fault, outcomes in struck.values()]
    good = _show(console, vitals, rows)
    if arguments.json:
        held = {v.replica.name: {k: vars(t) for k, t in v.trends().items()} for v in vitals}
        document = {
            "minutes": arguments.minutes,
            "helped": rig.helped,
            "flat": good,
            "held": held,
            "faults": rows,
        }
        arguments.json.write_text(json.dumps(document, indent=1))
    return 0 if good else 1


def _soak(
    rig: Rig, until: float, dice: random.Random, console: Console
) -> dict[str, tuple[Fault, list[Outcome]]]:
    """Strike at random until a moment."""
    faults = [fault for fault in CATALOGUE if fault.strike not in _KILLING]
    struck: dict[str, tuple[Fault, list[Outcome]]] = {}
    while time.monotonic() < until:
        fault = dice.choice(faults)
        outcome = attempt(rig, fault)
        struck.setdefault(fault.name, (fault, []))[1].append(outcome)
        left = max(0.0, until - time.monotonic()) / _MINUTE
        took = "never" if outcome.recovered is None else f"{outcome.recovered:.1f} s"
        console.print(f"{left:5.1f} min left  {fault.name}: recovered in {took}")
        for line in (*outcome.lost, *outcome.wrong):
            console.print(f"    {line}")
    return struck


def _show(console: Console, vitals: Sequence[Vitals], rows: Sequence[dict[str, Any]]) -> bool:
    """Print the plot and the table; return whether nothing grew, was lost or set wrongly."""
    for one in vitals:
        minutes = [(t - one.times[0]) / _MINUTE for t in one.times]
        console.print(f"\nreplica {one.replica.name}: memory [MiB] over minutes")
        sys.stdout.write(plotille.plot(minutes, one.samples["rss_mib"], height=10, width=80) + "\n")
    table = Table("replica", "held", title="Held after the warm-up", title_justify="left")
    for heading in ("least", "most", "last", "gained", "allowed"):
        table.add_column(heading, justify="right")
    flat = True
    for one in vitals:
        for name, trend in one.trends().items():
            flat = flat and trend.flat
            numbers = (trend.least, trend.most, trend.last, trend.gained, trend.allowed)
            style = None if trend.flat else "red"
            table.add_row(one.replica.name, name, *(f"{n:.1f}" for n in numbers), style=style)
    console.print(table)
    harm = sum(row["decisions_lost"] + row["wrong_scalings"] for row in rows)
    tries = sum(row["tries"] for row in rows)
    console.print(f"{tries} faults; decisions lost or scalings wrong: {harm}")
    return flat and not harm


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as error:
        sys.exit(f"error: {error}")

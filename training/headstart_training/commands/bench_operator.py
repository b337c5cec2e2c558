"""`headstart bench operator`: how many policies an operator on one core serves, and how late."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress
from rich.table import Table

from headstart_training.commands.console import COLUMNS, console, say_without_bar
from headstart_training.commands.files import json_option

if TYPE_CHECKING:
    from tests.load.figures import Figures

# The local control plane is no part of the package: it builds Kubernetes from its sources.
CHECKOUT = Path(__file__).parents[3]


@click.command("operator")
@click.option("--policies", type=click.IntRange(1, 99_999), default=1000, show_default=True)
@click.option(
    "--pods", type=click.IntRange(1), default=3, show_default=True, help="Of each workload."
)
@click.option(
    "--interval", type=click.IntRange(1), default=15, show_default=True, help="Of each policy, s."
)
@click.option(
    "--history-days",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Past of each service in Prometheus.",
)
@click.option(
    "--seconds", type=click.FloatRange(10), default=150, show_default=True, help="Measured for."
)
@json_option
def operator(
    policies: int,
    pods: int,
    interval: int,
    history_days: int,
    seconds: float,
    json_file: Path | None,
) -> None:
    """Serve many policies on one core, against a real control plane and Prometheus.

    Tick lag is the time from the instant at which a policy is due to its decision applied.
    Needs a checkout of the project, whose tests bring the control plane.
    """
    _find_checkout()
    from tests.cluster import ClusterError
    from tests.load.fleet import Fleet
    from tests.load.measure import measure

    fleet = Fleet(policies, pods, interval, history_days)
    shown = console()
    with Progress(*COLUMNS, transient=True) as bar:
        task = bar.add_task("", total=None)
        said = ""

        def progress(what: str, done: int, of: int) -> None:
            nonlocal said
            bar.update(task, description=what, completed=done, total=of)
            if what != said:
                say_without_bar(shown, what)
            said = what

        try:
            figures = measure(fleet, seconds, progress)
        except ClusterError as error:
            raise click.ClickException(str(error)) from error
    shown.print(table(figures))
    if json_file:
        json_file.write_text(json.dumps(figures.to_json(), indent=2) + "\n")


def table(figures: Figures) -> Table:
    """Make a table of one run."""
    shown = Table(
        title=f"{figures.policies:,} policies of {figures.pods_per_policy} pods each "
        f"{figures.interval_seconds:g} s, the operator on one core, {figures.seconds:g} s"
    )
    shown.add_column("what")
    shown.add_column("figure", justify="right", no_wrap=True)
    kube = ", ".join(f"{v} {n:.2f}" for v, n in figures.kubernetes_requests_per_tick.items())
    refused = ", ".join(f"{n} x {code}" for code, n in figures.kubernetes_errors.items())
    rows: list[tuple[str, Any]] = [
        ("ticks", f"{figures.ticks:,}"),
        ("tick lag, median", f"{figures.tick_lag_p50_seconds:.3f} s"),
        ("tick lag, 99th percentile", f"{figures.tick_lag_p99_seconds:.3f} s"),
        ("tick lag, longest, at most", f"{figures.worst_tick_seconds:g} s"),
        ("all due at once: until the last is decided", f"{figures.all_due_tick_seconds:.1f} s"),
        ("restarted: until the last is decided", f"{figures.restart_seconds:.1f} s"),
        (
            f"restarted: until the seasons are read, {figures.history_days} days",
            f"{figures.backfill_seconds:.1f} s",
        ),
        ("  queries meanwhile", f"{figures.backfill_queries_per_second:.0f}/s"),
        ("  a query, 99th percentile", f"{figures.backfill_query_p99_seconds:.3f} s"),
        ("  tick lag, 99th percentile", f"{figures.backfill_tick_lag_p99_seconds:.3f} s"),
        ("resident memory", f"{figures.rss_mib:.0f} MiB"),
        ("CPU", f"{figures.cpu_cores:.2f} cores"),
        ("CPU of a tick", f"{figures.cpu_milliseconds_per_tick:.1f} ms"),
        ("requests of a tick", f"{figures.requests_per_tick:.2f}"),
        (
            f"  to the API server ({kube})",
            f"{sum(figures.kubernetes_requests_per_tick.values()):.2f}",
        ),
        ("  to Prometheus", f"{figures.prometheus_requests_per_tick:.2f}"),
        ("change of the API server's, 99th percentile", f"{figures.patch_p99_seconds:.3f} s"),
        ("query, 99th percentile", f"{figures.query_p99_seconds:.3f} s"),
        ("requests that the API server refused", refused or "none"),
    ]
    for row in rows:
        shown.add_row(*row)
    return shown


def _find_checkout() -> None:
    """Make the tests of the checkout that this package lies in importable.

    Raises
    ------
    click.ClickException
        It lies in none.
    """
    if not (CHECKOUT / "tests" / "load").is_dir():
        raise click.ClickException(
            "`headstart bench operator` starts the control plane that the project's tests bring: "
            "run it in a checkout, after `make venv`"
        )
    sys.path.insert(0, str(CHECKOUT))

"""`headstart explain` and `headstart status`."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from headstart_operator.explain import cluster, picture, series, words
from headstart_operator.options import DurationOption

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from headstart_operator.kube import Document

# Past events that are shown, and seconds between two looks of --watch.
EVENTS = 8
LOOK_EVERY = 2.0


def _reach(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options by which kubectl too is told which cluster is meant."""
    for option in (
        click.option("--context", metavar="NAME", help="Of the kubeconfig."),
        click.option(
            "--kubeconfig",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Default: what KUBECONFIG names, or ~/.kube/config.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("policy", metavar="NAMESPACE/NAME")
@click.option(
    "--prometheus",
    metavar="URL",
    help="That scrapes the operator, for plots and costs; such as a port-forward's address.",
)
@click.option(
    "--last", type=DurationOption(), default="1h", show_default=True, help="How far back."
)
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@_reach
def explain(
    policy: str,
    prometheus: str | None,
    last: float,
    as_json: bool,  # noqa: FBT001 - click passes flags by name.
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Say what a policy sees, decides, and why."""
    namespace, _, name = policy.rpartition("/")
    if not namespace:
        raise click.BadParameter(f"{policy!r}, must be NAMESPACE/NAME", param_hint="POLICY")
    api = cluster.connect(kubeconfig, context)
    document = cluster.read_policy(api, namespace, name)
    events = cluster.list_events(api, document)
    figures: series.Series | None = None
    missing = "no --prometheus given: status and events alone, without plots"
    if prometheus:
        try:
            figures = series.read(prometheus, namespace, name, time.time(), last)
        except series.SeriesError as error:
            missing = str(error)
    if as_json:
        click.echo(json.dumps(_data(document, events, figures), indent=2))
        return
    console = Console()
    shown = _explanation(policy, document, events)
    console.print(shown)
    if figures is None:
        console.print(Text(missing, style="dim"))
        return
    color = console.color_system is not None and not console.no_color
    for plot in (picture.rates, picture.replicas):
        # Colours come as escapes of the plot's own; the console would count them as letters.
        click.echo(plot(figures, console.width, color=color), color=color or None)
        click.echo()
    console.print(_costs(figures, last))


@click.command()
@click.option("-n", "--namespace", metavar="NAME", help="Default: all of them.")
@click.option("-w", "--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="The same as data.")
@_reach
def status(
    namespace: str | None,
    watch: bool,  # noqa: FBT001 - click passes flags by name.
    as_json: bool,  # noqa: FBT001
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    """Show all policies in one table."""
    api = cluster.connect(kubeconfig, context)
    if as_json:
        found = cluster.list_policies(api, namespace)
        click.echo(json.dumps([_row(policy) for policy in found], indent=2))
        return
    console = Console()
    if not watch:
        console.print(_table(cluster.list_policies(api, namespace)))
        return
    with Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                live.update(_table(cluster.list_policies(api, namespace)), refresh=True)
                time.sleep(LOOK_EVERY)
        except KeyboardInterrupt:
            return


def _explanation(name: str, policy: Document, events: Sequence[cluster.Event]) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    for key, value in words.figures(policy):
        facts.add_row(Text(key, style="bold"), escape(value))
    parts: list[RenderableType] = [
        Text(name, style="bold"),
        Text(words.headline(policy)),
        Padding(facts, (1, 0)),
    ]
    parts += _section(
        "Conditions",
        [
            f"{c['type']}={c['status']} ({c['reason']}): {c['message']}"
            for c in words.notable(policy)
        ],
    )
    parts += _section("Last decision", words.last_decision(policy))
    parts += _section(
        "Events",
        [words.happened(e.time, e.times, e.reason, e.message) for e in events[:EVENTS]],
    )
    return Group(*parts)


def _section(title: str, lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    return [
        Text(title, style="bold"),
        *(Padding(Text(line), (0, 0, 0, 2)) for line in lines),
        Text(),
    ]


def _costs(figures: series.Series, last: float) -> Text:
    own = figures.grown("cost_dollars_total")
    reactive = figures.grown("reactive_cost_dollars_total")
    if own is None or reactive is None:
        return Text("cost: not known yet", style="dim")
    saved = reactive - own
    return Text(
        f"cost of the last {last / 60:g} min: {own:,.2f} dollars; the reactive formula's: "
        f"{reactive:,.2f}; {'saved' if saved >= 0 else 'spent more'}: {abs(saved):,.2f}"
    )


def _row(policy: Document) -> dict[str, Any]:
    spec, state = policy["spec"], policy.get("status") or {}
    target = spec["scaleTargetRef"]
    return {
        "namespace": policy["metadata"]["namespace"],
        "name": policy["metadata"]["name"],
        "mode": spec.get("mode", "Observe"),
        "target": f"{target.get('kind', 'Deployment')}/{target['name']}",
        "rate": state.get("requestRate"),
        "ready": state.get("readyReplicas"),
        "warming": state.get("warmingReplicas"),
        "desired": state.get("desiredReplicas"),
        "candidate": (state.get("lastDecision") or {}).get("candidate"),
        "savedDollars": (state.get("comparison") or {}).get("savedDollars"),
        "troubles": words.troubles(policy),
    }


def _table(policies: Sequence[Document]) -> Table:
    table = Table(
        title=f"{len(policies)} policies; replicas: ready+warming -> desired",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("policy", overflow="fold")
    table.add_column("target", overflow="fold")
    table.add_column("mode", no_wrap=True)
    table.add_column("rate/s", justify="right", no_wrap=True)
    table.add_column("replicas", justify="right", no_wrap=True)
    table.add_column("saved $", justify="right", no_wrap=True)
    table.add_column("troubles", no_wrap=True)
    for policy in policies:
        row = _row(policy)
        ready, warming, desired, rate = (
            "?" if row[key] is None else str(row[key])
            for key in ("ready", "warming", "desired", "rate")
        )
        table.add_row(
            f"{row['namespace']}/{row['name']}",
            row["target"].removeprefix("Deployment/"),
            row["mode"],
            rate,
            f"{ready}+{warming} -> {desired}",
            row["savedDollars"] or "",
            Text(row["troubles"].replace(", ", "\n"), style="red")
            if row["troubles"]
            else Text("none", style="dim"),
        )
    return table


def _data(
    policy: Document, events: Sequence[cluster.Event], figures: series.Series | None
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "headline": words.headline(policy),
        "figures": dict(words.figures(policy)),
        "conditions": words.notable(policy),
        "lastDecision": (policy.get("status") or {}).get("lastDecision"),
        "events": [event._asdict() for event in events],
    }
    if figures is not None:
        data["times"] = figures.times.tolist()
        data["series"] = {
            name: [value if math.isfinite(value) else None for value in column.tolist()]
            for name, column in figures.values.items()
        }
    return data

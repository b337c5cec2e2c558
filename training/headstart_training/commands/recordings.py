"""Options that say which Prometheus recorded a service's past, and how it is reached."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_training.loads.prometheus import PrometheusHistory

_OPTIONS = (
    click.option("--prometheus", metavar="URL", help="Read the past there, by --query."),
    click.option("--query", default="", help="PromQL of the requests/s that arrive."),
    click.option(
        "--days", type=click.FloatRange(min=0, min_open=True), default=14.0, show_default=True
    ),
    # An option would stand in the shell's history and in everybody's list of processes.
    click.option("--token", envvar="HEADSTART_PROMETHEUS_TOKEN", hidden=True),
    click.option(
        "--ca-file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="That signed the Prometheus' certificate; a bearer token is taken from"
        " HEADSTART_PROMETHEUS_TOKEN.",
    ),
)


def recordings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, for :func:`to_history`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def to_history(
    prometheus: str, query: str, days: float, token: str | None, ca_file: Path | None
) -> PrometheusHistory:
    """Say what is to be downloaded: a figure a minute, up to now.

    Raises
    ------
    ValueError
        A value is out of its bounds; the message names key, bound and value.
    """
    from headstart_training.loads.pages import default_folder  # noqa: PLC0415  # When it runs.
    from headstart_training.loads.prometheus import PrometheusHistory, window  # noqa: PLC0415
    from headstart_training.loads.session import Access  # noqa: PLC0415

    if not query.strip():
        raise ValueError("--query is missing: the PromQL of the requests/s that arrive")
    access = Access(prometheus, token=token, ca_file=ca_file)
    return PrometheusHistory(access, query, window(datetime.now(UTC), days), default_folder())

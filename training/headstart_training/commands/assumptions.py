"""Options that say what is assumed of a service: economics, capacity, lead time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from headstart_training.commands.durations import Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_training.backtest.setting import Setting

_OPTIONS = (
    click.option("--capacity", type=float, help="Requests/s per replica.  [20 on average]"),
    click.option("--lead-time", type=Duration(), default="5m", show_default=True),
    click.option(
        "--slo",
        type=click.FloatRange(0, 100, min_open=True, max_open=True),
        default=99.5,
        show_default=True,
        help="Percent of requests.",
    ),
    click.option("--replica-cost", type=float, default=3.0, show_default=True, help="$ per hour."),
    click.option(
        "--request-value", type=float, default=0.9, show_default=True, help="$ per 1,000 requests."
    ),
    click.option(
        "--violation-cost", type=float, default=200.0, show_default=True, help="$ per minute."
    ),
)


def assumptions(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, for :func:`to_setting`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def to_setting(
    *,
    capacity: float | None,
    lead_time: float,
    slo: float,
    replica_cost: float,
    request_value: float,
    violation_cost: float,
) -> Setting:
    """Make a setting of the options.

    Raises
    ------
    ValueError
        A value is out of its bounds; the message names key, bound and value.
    """
    from headstart_policy.profile import Objective  # noqa: PLC0415  # When a command runs.
    from headstart_training.backtest.setting import Setting  # noqa: PLC0415

    objective = Objective(slo / 100, replica_cost, request_value, violation_cost)
    return Setting(objective, lead_time, capacity)

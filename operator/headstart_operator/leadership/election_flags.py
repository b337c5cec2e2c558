"""The flags of the election, as other controllers name them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headstart_operator.leadership.election import Rules, RulesError
from headstart_operator.options import DurationOption

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


_OPTIONS = (
    click.option(
        "--leader-elect/--no-leader-elect",
        default=False,
        show_default=True,
        help="Decide only while this replica holds the Lease, so that several can run.",
    ),
    click.option(
        "--lease-name",
        default=Rules.name,
        show_default=True,
        metavar="NAME",
        help="The Lease, in the namespace that POD_NAMESPACE names.",
    ),
    click.option(
        "--lease-duration",
        type=DurationOption(),
        default=f"{Rules.duration:g}s",
        show_default=True,
        help="A Lease that was not renewed for so long may be taken by another replica.",
    ),
    click.option(
        "--renew-deadline",
        type=DurationOption(),
        default=f"{Rules.renew_deadline:g}s",
        show_default=True,
        help="A leader that could not renew for so long stops writing.",
    ),
    click.option(
        "--retry-period",
        type=DurationOption(),
        default=f"{Rules.retry_period:g}s",
        show_default=True,
        help="Between two tries to take or renew the Lease.",
    ),
)


def election_flags(command: F) -> F:
    """Give a command the flags that :func:`rules` reads."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def rules(
    *,
    leader_elect: bool,
    lease_name: str,
    lease_duration: float,
    renew_deadline: float,
    retry_period: float,
) -> Rules | None:
    """Read the flags; ``None``: no election.

    Raises
    ------
    click.UsageError
        The times contradict each other, or nobody says where the Lease is.
    """
    if not leader_elect:
        return None
    try:
        return Rules(lease_name, _namespace(), lease_duration, renew_deadline, retry_period)
    except RulesError as error:
        raise click.UsageError(str(error)) from error


def _namespace() -> str:
    if namespace := os.environ.get("POD_NAMESPACE"):
        return namespace
    try:
        return _NAMESPACE.read_text().strip()
    except OSError:
        raise click.UsageError(
            "--leader-elect needs the namespace of its Lease: set POD_NAMESPACE"
        ) from None

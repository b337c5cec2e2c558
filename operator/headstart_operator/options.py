"""Types that several commands' options have."""

from __future__ import annotations

from typing import Any

import click

from headstart_operator.fields import parse_duration


class DurationOption(click.ParamType[float]):
    """A duration such as ``15s`` or ``6h``, as Kubernetes writes it; in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a duration; what was read already stays."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

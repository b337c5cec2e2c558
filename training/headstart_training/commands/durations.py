"""Durations on the command line, as Kubernetes writes them."""

from __future__ import annotations

import re
from typing import Any

import click

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?[hms])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([hms])")


class Duration(click.ParamType[float]):
    """``90s``, ``5m`` or ``1h30m``, in seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Turn into seconds; a number without a unit is refused, it might be minutes."""
        if isinstance(value, float):
            return value
        if not _DURATION.fullmatch(value):
            self.fail(f"{value!r} must be a duration such as 90s, 5m or 1h30m", param, ctx)
        return sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(value))

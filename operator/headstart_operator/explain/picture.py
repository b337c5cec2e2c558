"""Series as plots of characters, told apart by their marks where there is no colour."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import plotille

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_operator.explain.series import Series
    from headstart_policy.types import Floats

ROWS = 10
# What axis and labels take of the width.
MARGIN = 26


class Line(NamedTuple):
    """One line of a plot."""

    name: str
    values: Floats
    color: str
    mark: str


def rates(series: Series, width: int, *, color: bool) -> str:
    """Plot the rate beside what was expected of it."""
    return _plot(
        "requests/s",
        series.times,
        [
            Line("came", series.values["request_rate"], "cyan", "o"),
            Line("expected", series.values["forecast_request_rate"], "yellow", "-"),
        ],
        width,
        color=color,
    )


def replicas(series: Series, width: int, *, color: bool) -> str:
    """Plot the replicas that serve, with those that warm, and those desired."""
    ready, warming = series.values["ready_replicas"], series.values["warming_replicas"]
    return _plot(
        "replicas",
        series.times,
        [
            Line("ready", ready, "green", "o"),
            Line("ready + warming", ready + warming, "yellow", "+"),
            Line("desired", series.values["desired_replicas"], "magenta", "-"),
        ],
        width,
        color=color,
    )


def _plot(title: str, times: Floats, lines: Sequence[Line], width: int, *, color: bool) -> str:
    figure = plotille.Figure()
    figure.width, figure.height = max(20, width - MARGIN), ROWS
    figure.color_mode = "names"
    figure.with_colors = color
    known = [line for line in lines if np.isfinite(line.values).any()]
    if not known:
        return f"{title}: nothing known"
    top = max(float(np.nanmax(line.values)) for line in known)
    figure.set_y_limits(min_=0.0, max_=1.1 * top or 1.0)
    figure.set_x_limits(min_=float(times[0]), max_=float(times[-1]))
    figure.x_label, figure.y_label = "time (UTC)", title
    figure.x_ticks_fkt = _clock
    figure.y_ticks_fkt = _number
    for line in known:
        there = np.isfinite(line.values)
        draw = figure.plot if color else figure.scatter
        draw(
            times[there].tolist(),
            line.values[there].tolist(),
            lc=line.color,
            label=line.name,
            marker=None if color else line.mark,
        )
    return str(figure.show(legend=True))


def _clock(value: float, _: float) -> str:
    return datetime.fromtimestamp(value, UTC).strftime("%H:%M:%S")


def _number(value: float, _: float) -> str:
    return f"{value:9.4g}"

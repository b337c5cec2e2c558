"""What a person sees while the demo runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotille
from rich.console import Group
from rich.panel import Panel
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

# The plot shows the last hour of the load.
SHOWN_MINUTES = 60
PLOT_ROWS = 14
# What the plot's axis and frame take of the terminal's width.
PLOT_MARGIN = 29


@dataclass(frozen=True)
class Moment:
    """One minute of the load, a second of the demo.

    Attributes
    ----------
    minute
        Of the replay, from 0.
    rate
        Requests/s that arrive.
    demand
        Replicas that the rate needs, before any margin.
    ready, desired
        Replicas that serve, and that are asked for.
    reason
        Why, in the operator's words.
    violations
        Minutes so far in which too few requests were served.
    """

    minute: int
    rate: float
    demand: float
    ready: int
    desired: int
    reason: str
    violations: int

    @property
    def warming(self) -> int:
        """Replicas asked for that do not serve yet."""
        return max(0, self.desired - self.ready)


def screen(moments: Sequence[Moment], minutes: int, title: str, width: int) -> RenderableType:
    """Show the newest moment, and the last hour as a plot."""
    now = moments[-1]
    figures = {
        "minute": f"{now.minute + 1} of {minutes}",
        "rate": f"{now.rate:,.4g}/s",
        "demand": f"{now.demand:.1f}",
        "ready": f"{now.ready}",
        "warming": f"{now.warming}",
        "desired": f"{now.desired}",
        "violations": f"{now.violations} min",
    }
    facts = Text("   ").join(
        Text.assemble((f"{name} ", "dim"), (value, "bold")) for name, value in figures.items()
    )
    why = Text.assemble(("why  ", "dim"), now.reason)
    return Panel(
        Group(facts, why, Text(), _plot(moments, width)), title=title, subtitle="Ctrl-C ends it"
    )


def line(moment: Moment) -> str:
    """Say the same in a line, where there is no terminal."""
    return (
        f"minute {moment.minute + 1:4d}  rate {moment.rate:9,.4g}/s  demand {moment.demand:5.1f}  "
        f"ready {moment.ready:3d}  warming {moment.warming:3d}  desired {moment.desired:3d}  "
        f"violations {moment.violations:3d} min"
    )


def _plot(moments: Sequence[Moment], width: int) -> Text:
    shown = moments[-SHOWN_MINUTES:]
    minutes = [moment.minute for moment in shown]
    figure = plotille.Figure()
    figure.width, figure.height = max(30, width - PLOT_MARGIN), PLOT_ROWS
    figure.color_mode = "names"
    figure.register_label_formatter(int, _whole)
    figure.register_label_formatter(float, _whole)
    figure.x_label, figure.y_label = "minute", "replicas"
    figure.set_x_limits(min_=minutes[0], max_=minutes[0] + SHOWN_MINUTES)
    highest = max(max(m.demand, m.desired, m.ready) for m in shown)
    figure.set_y_limits(min_=0, max_=highest * 1.1 + 1)
    figure.plot(minutes, [m.desired for m in shown], lc="yellow", label="desired")
    figure.plot(minutes, [m.ready for m in shown], lc="green", label="ready")
    figure.plot(minutes, [m.demand for m in shown], lc="cyan", label="demand")
    legend = Text.assemble(("━ desired  ", "yellow"), ("━ ready  ", "green"), ("━ demand", "cyan"))
    return Text("\n").join([Text.from_ansi(figure.show()), legend])


def _whole(value: float, chars: int, delta: float, left: bool = False) -> str:  # noqa: FBT001, FBT002, ARG001
    """Label an axis, with the arguments that plotille passes by name."""
    text = f"{value:.0f}"
    return text.ljust(chars) if left else text.rjust(chars)

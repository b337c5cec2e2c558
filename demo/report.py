"""The demo's plot and page: files that need nothing but themselves."""

from __future__ import annotations

import io
from html import escape
from string import Template
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from demo.load import Scenario
    from demo.score import Contender, Score
    from headstart_policy.types import Floats

# Okabe and Ito's palette: told apart by colour-blind people; line styles do without colour.
BLACK, BLUE, GREEN, ORANGE, RED = "#000000", "#0072B2", "#009E73", "#E69F00", "#D55E00"


def write_report(folder: Path, scenario: Scenario, score: Score) -> list[Path]:
    """Write ``demo.png`` and ``demo.html`` into ``folder``; returns their absolute paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = draw(scenario, score)
    png, page = folder / "demo.png", folder / "demo.html"
    figure.savefig(png, dpi=150)
    page.write_text(_page(figure, scenario, score), encoding="utf-8")
    return [png.resolve(), page.resolve()]


def draw(scenario: Scenario, score: Score) -> Figure:
    """Plot demand, ready and desired, live and of the best simulated HPA."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, sharey=True)
    _lane(top, scenario.demand, score.paths["headstart"])
    top.set_title("Headstart, live on the cluster", loc="left", fontweight="bold")
    _lane(bottom, scenario.demand, score.paths["hpa_70"])
    bottom.set_title(
        "HPA at 70 %, 5 min down-stabilisation, simulated on the same load",
        loc="left",
        fontweight="bold",
    )
    bottom.set_xlabel("minute of the load")
    bottom.set_xlim(0, len(scenario.replay) - 1)
    top.legend(loc="upper left", ncols=4, frameon=False)
    figure.suptitle(scenario.name)
    return figure


def _lane(axes: Axes, demand: Floats, path: Contender) -> None:
    minutes = np.arange(len(demand))
    axes.fill_between(minutes, demand, color=BLUE, alpha=0.25, linewidth=0, label="demand")
    axes.plot(minutes, path.ready, color=BLACK, linewidth=1.4, label="ready")
    axes.plot(minutes, path.desired, color=ORANGE, linewidth=1.2, linestyle="--", label="desired")
    missed = np.flatnonzero(path.violations)
    axes.plot(missed, demand[missed], "x", color=RED, label="SLO violated")
    axes.set_ylabel("replicas")
    axes.set_ylim(bottom=0, top=max(demand.max(), path.desired.max(), path.ready.max()) * 1.3)
    axes.spines[["top", "right"]].set_visible(False)


def _page(figure: Figure, scenario: Scenario, score: Score) -> str:
    picture = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "headstart"}):
        figure.savefig(picture, format="svg")
    svg = picture.getvalue()
    rows = "".join(
        f"<tr><th scope=row>{escape(title)}<td>{violations}<td>{hours}<td>{dollars}</tr>"
        for title, violations, hours, dollars in score.rows()
    )
    return _PAGE.substitute(
        name=escape(scenario.name),
        verdict=escape(score.verdict),
        svg=svg[svg.index("<svg") :],
        rows=rows,
    )


_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Headstart demo</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 68rem; padding: 0 1rem;
         color: #111; background: #fff }
  h1 { font-size: 1.5rem; margin-bottom: 0 }
  svg { width: 100%; height: auto }
  .plot, .table { overflow-x: auto }
  .plot svg { min-width: 40rem }
  table { border-collapse: collapse }
  th, td { padding: .35rem .8rem .35rem 0; vertical-align: bottom; text-align: right;
           border-bottom: 1px solid #ccc;
           font-variant-numeric: tabular-nums }
  th:first-child { text-align: left; font-weight: normal }
  thead th { font-weight: 600 }
</style>
<h1>Headstart demo</h1>
<p>$name. One minute of the load passed in a second; a replica took 5 minutes to serve.
<p><strong>$verdict</strong>
<div class="plot">$svg</div>
<div class="table"><table>
<thead><tr><th scope=col>contender<th scope=col>violation minutes<th scope=col>replica-hours
<th scope=col>dollars</tr></thead>
<tbody>$rows</tbody>
</table></div>
<p>Simulated contenders met the same load, the same capacity noise and the same start. The HPAs
have the default down-stabilisation of 5 minutes and tolerance of 10 %. Dollars are request value
less violations less replicas, with replicas billed from creation.
</html>
""")

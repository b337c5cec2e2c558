"""Figures of matplotlib as SVG to stand inside a page."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from headstart_training.backtest.page.palette import GRID, INK, MUTED, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Inches at 72 points each: a phone shows a point of the narrow one as about a pixel.
WIDE, NARROW = (10.0, 3.3), (4.7, 3.5)

# Any: the keys' type is a Literal of all that matplotlib knows.
_STYLE: Any = {
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelsize": 9.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9.5,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.labelcolor": INK,
    "legend.handlelength": 2.6,
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    # Text stays text: it is searched, read aloud, and set in the page's own font.
    "svg.fonttype": "none",
    "text.color": INK,
    "xtick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.color": GRID,
    "ytick.labelcolor": MUTED,
}


def picture(
    name: str,
    alt: str,
    draw: Callable[[Figure, bool], None],
    wide: float = 1.0,
    narrow: float = 1.0,
) -> Markup:
    """Draw a figure twice, for a desktop and for a phone; the style sheet shows one of them.

    Parameters
    ----------
    name
        Unique on the page.
    alt
        What the figure shows, for who cannot see it.
    draw
        Draws on a figure; its second argument says whether it is the narrow one.
    wide, narrow
        Factors on the heights.
    """
    parts = []
    for kind, (width, height), grow in (("wide", WIDE, wide), ("narrow", NARROW, narrow)):
        with mpl.rc_context({**_STYLE, "svg.hashsalt": f"{name} {kind}"}):
            figure = Figure(figsize=(width, height * grow), layout="constrained")
            draw(figure, kind == "narrow")
            text = StringIO()
            figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        parts.append(
            Markup('<div class="{}" role="img" aria-label="{}">{}</div>').format(
                kind,
                alt,
                Markup(_inline(text.getvalue())),  # noqa: S704 - drawn here.
            )
        )
    return Markup("").join(parts)


def _inline(svg: str) -> str:
    """Leave the <svg> alone, scalable, in the page's colours and with fewer decimals."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Its style is for all elements of a page, and its fonts are those of this machine.
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r"(\d\.\d{2})\d+", r"\1", svg)
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return "\n".join(_without_blanks(svg))


def _without_blanks(svg: str) -> Iterator[str]:
    return (line.strip() for line in svg.splitlines() if line.strip())

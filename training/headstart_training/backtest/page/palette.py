"""Colours of the page's plots, and how each contender is told apart without any.

A plot is drawn once, in the colours here, and follows the reader's light or dark theme: each of
them stands in the SVG for a variable of ``style.css``.
"""

from __future__ import annotations

from typing import NamedTuple

from headstart_training.backtest import contenders

INK, MUTED, GRID, PAPER = "#1a1b1c", "#6b6c6d", "#e1e2e3", "#fdfdfe"
HEADSTART, HPA, BEST, OTHER = "#0b63c5", "#c8501e", "#1b7f5c", "#7a7b7c"
LOAD, BAND = "#c9ced6", "#f3d9a4"

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    HEADSTART: "--headstart",
    HPA: "--hpa",
    BEST: "--best",
    OTHER: "--other",
    LOAD: "--load",
    BAND: "--band",
}


class Look(NamedTuple):
    """How a contender is drawn."""

    color: str
    line: str
    """Dash pattern of matplotlib."""
    marker: str
    width: float = 1.6


_LOOKS = {
    contenders.HEADSTART: Look(HEADSTART, "-", "o", 1.9),
    contenders.CLAIRVOYANT: Look(BEST, ":", "D"),
    contenders.HPA_TUNED: Look(HPA, "--", "s"),
    contenders.HPA_CURRENT: Look(HPA, "--", "s"),
}


def look(name: str) -> Look:
    """How to draw a contender."""
    return _LOOKS.get(name, Look(OTHER, "-.", "^"))

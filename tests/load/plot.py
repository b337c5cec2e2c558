"""Draws what some runs of `headstart bench operator --json FILE` have measured.

Usage: ``python -m tests.load.plot PNG FILE...``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

# Key of the figures, what it is, and the bound that is promised for 1,000 policies.
PANELS: tuple[tuple[str, str, float | None], ...] = (
    ("cpu_milliseconds_per_tick", "CPU of a decision [ms]", None),
    ("tick_lag_p99_seconds", "tick lag, 99th percentile [s]", 1.0),
    ("rss_mib", "resident memory [MiB]", 400.0),
)


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw one panel for each figure, over the number of policies."""
    runs = sorted(runs, key=lambda run: run["policies"])
    policies = [run["policies"] for run in runs]
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 3.2), layout="constrained")
    for axis, (key, title, bound) in zip(axes, PANELS, strict=True):
        axis.plot(policies, [run[key] for run in runs], marker="o", color="#1f4e79")
        if bound is not None:
            axis.plot([1000], [bound], marker="v", linestyle="", color="#b03a2e")
            # To the left: the curve rises to the right.
            name = f"promised: {bound:g} "
            axis.annotate(name, (1000, bound), (-6, -4), textcoords="offset points", ha="right")
        axis.set(title=title, xlabel="policies at 15 s, one core")
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw([json.loads(Path(name).read_text()) for name in sys.argv[2:]], Path(sys.argv[1]))

"""Recorded loads beside synthetic ones: a table of what decides how hard a load is to follow.

``python -m headstart_training.loads.compare FILE...`` prints one row per recorded trace, and the
spread over synthetic services of each kind.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from headstart_training.loads.synthetic import BURSTY, SMOOTH, SPARSE, SyntheticLoad, generate
from headstart_training.loads.traces import read_trace
from headstart_training.loads.waves import DAY

if TYPE_CHECKING:
    from headstart_policy.types import Floats

_QUARTER = 900.0
_LEAD = 300.0
# Keeps the logarithm of a change finite where nothing arrives [share of the mean].
_FLOOR = 0.02
_SERVICES = 60
_DAYS = 14


class Statistics(NamedTuple):
    """What decides how hard a load is to follow."""

    likeness: float
    """Median over days of the correlation of 15-minute means with the day before."""
    noise: float
    """Deviation of a step from the quarter of an hour around it, over that."""
    fall: float
    """1st percentile of the load's change within a lead time of 5 min, as a factor."""
    rise: float
    """99th percentile of the same."""
    kurtosis: float
    """Of the change's logarithm; 3 for a normal one."""
    peak: float
    """Largest 15-minute mean over the mean."""
    trough: float
    """1st percentile of 15-minute means over the mean."""


def statistics(load: Floats, step: float) -> Statistics:
    """Describe a load of at least two days, shape (T,), in steps of ``step`` seconds."""
    quarter = max(1, round(_QUARTER / step))
    per_day = max(1, round(DAY / step / quarter))
    days = load.size // (per_day * quarter)
    scaled = load[: days * per_day * quarter] / load.mean()
    means = scaled.reshape(days, per_day, quarter).mean(axis=2)
    alike = [np.corrcoef(a, b)[0, 1] for a, b in pairwise(means) if a.std() > 0 and b.std() > 0]
    around = max(3, quarter)
    smooth = np.convolve(scaled, np.full(around, 1 / around), mode="valid")
    middle = scaled[around // 2 :][: smooth.size]
    lead = max(1, round(_LEAD / step))
    change = np.log((scaled[lead:] + _FLOOR) / (scaled[:-lead] + _FLOOR))
    spread = change - change.mean()
    return Statistics(
        likeness=float(np.median(alike)),
        # 1.48 median deviations are a normal's standard deviation, whatever the spikes do.
        noise=float(1.48 * np.median(np.abs(middle - smooth) / (smooth + _FLOOR))),
        fall=float(np.exp(np.quantile(change, 0.01))),
        rise=float(np.exp(np.quantile(change, 0.99))),
        kurtosis=float(np.mean(spread**4) / np.mean(spread**2) ** 2),
        peak=float(means.max()),
        trough=float(np.quantile(means, 0.01)),
    )


def compare(files: list[Path]) -> Table:
    """Tabulate recorded traces, and synthetic loads at 1 and at 5 minutes."""
    table = Table("load", "step", *Statistics._fields)
    for file in files:
        trace = read_trace(file)
        row = statistics(trace.rates, trace.step)
        table.add_row(file.name.split(".")[0], f"{trace.step:g} s", *(f"{x:.2f}" for x in row))
    for step in (60.0, 300.0):
        for name, kind in (("smooth", SMOOTH), ("bursty", BURSTY), ("sparse", SPARSE)):
            loads = generate(
                np.random.default_rng(0),
                _SERVICES,
                int(_DAYS * DAY / step),
                step,
                SyntheticLoad((kind,)),
            )
            rows = np.array([statistics(load, step) for load in loads])
            for label, quantile in (("10 %", 0.1), ("median", 0.5), ("90 %", 0.9)):
                values = (f"{x:.2f}" for x in np.quantile(rows, quantile, axis=0))
                table.add_row(f"synthetic {name}, {label}", f"{step:g} s", *values)
    return table


if __name__ == "__main__":
    Console().print(compare([Path(name) for name in sys.argv[1:]]))

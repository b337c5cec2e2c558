"""The plots of one service, each a function that draws on a figure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.dates import DateFormatter, DayLocator, HourLocator, MinuteLocator
from matplotlib.ticker import FuncFormatter, MaxNLocator

from headstart_training.backtest.contenders import CLAIRVOYANT, HEADSTART, HPA_DEFAULT, HPA_TUNED
from headstart_training.backtest.costs import costs
from headstart_training.backtest.front import LEAST_MINUTES
from headstart_training.backtest.hours import worst_hour
from headstart_training.backtest.labels import label
from headstart_training.backtest.page.palette import (
    BAND,
    HPA,
    INK,
    LOAD,
    MUTED,
    OTHER,
    PAPER,
    look,
)
from headstart_training.backtest.services import average

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from headstart_policy.types import Bools, Floats
    from headstart_training.backtest.judgement import Judgement
    from headstart_training.backtest.protocol import Contest

Moments: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]

# Points of a line: as many as a screen can show.
_OVERVIEW, _DAY_POINTS = 700, 300
# Between two ticks of a clock [min].
_CLOCK_STEPS = (5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440)
_MINUTES_PER_HOUR = 60
# A bar this many times the reference's is cut, and says so.
_LONGEST_BAR = 2.5


def load(contest: Contest, figure: Figure, *, narrow: bool) -> None:
    """The test half's rate, with gaps and saturated minutes marked."""
    axes = figure.subplots()
    half, interval = contest.service.half, contest.service.interval
    rates = contest.service.rates[half:]
    several = max(len(rates) // (_OVERVIEW // (2 if narrow else 1)), 1)
    level = average(rates, several)
    moments = _moments(contest, np.arange(len(level)) * (several * interval))
    groups = rates[: len(level) * several].reshape(-1, several)
    known = np.isfinite(groups).any(axis=1)
    highest = np.where(
        known, np.nanmax(np.where(np.isfinite(groups), groups, -np.inf), axis=1), np.nan
    )
    axes.fill_between(moments, 0, highest, color=LOAD, alpha=0.55, linewidth=0)
    axes.plot(moments, level, color=INK, linewidth=1.1)
    _mark(contest, axes, contest.saturated, "saturated")
    _mark(contest, axes, ~contest.calendar.counted, "unknown")
    axes.set_ylabel("requests/s")
    axes.set_ylim(bottom=0)
    _dates(contest, axes, narrow=narrow)


def day(contest: Contest, chosen: int, figure: Figure, *, narrow: bool) -> None:
    """Ready replicas of three contenders over one day, above what the load needs."""
    axes = figure.subplots()
    within = np.flatnonzero(contest.calendar.day == chosen)
    _replicas(contest, axes, slice(int(within[0]), int(within[-1]) + 1))
    _clock(axes, len(within) * contest.service.interval / 60, narrow=narrow)
    _legend(axes, narrow=narrow)


def hours(contest: Contest, figure: Figure, *, narrow: bool) -> None:
    """The worst hour of Headstart and of its reference, with the hour around it."""
    names = (HEADSTART, contest.reference)
    axes = figure.subplots(2, 1) if narrow else figure.subplots(1, 2)
    for one, name in zip(axes, names, strict=True):
        worst = worst_hour(contest, name)
        around = max(round(3600 / contest.service.interval), 4)
        shown = slice(
            max(worst.start - around, 0), min(worst.end + around, contest.halves.test.steps)
        )
        _replicas(contest, one, shown)
        hour = np.array([worst.start, worst.end])
        edges = _moments(contest, hour * contest.service.interval)
        one.axvspan(edges[0], edges[1], color=BAND, alpha=0.4, linewidth=0, zorder=0)
        one.set_title(f"{label(name)} lost ${worst.lost:,.0f}{_when(contest, edges[0])}")
        if not narrow and one is not axes[0]:
            one.set_ylabel("")
        minutes = (shown.stop - shown.start) * contest.service.interval / 60
        # Side by side each has half of the width.
        _clock(one, minutes, narrow=True)
    _legend(axes[0], narrow=narrow)


def bars(contest: Contest, figure: Figure, *, narrow: bool) -> None:
    """What each contender cost a day: replicas, violations, requests that were not served."""
    axes = figure.subplots()
    days = contest.calendar.lengths.sum()
    parts = {
        name: np.array([part.sum() / days for part in costs(contest, account)])
        for name, account in contest.accounts.items()
    }
    order = sorted(parts, key=lambda name: -float(parts[name].sum()))
    longest = _LONGEST_BAR * float(parts[contest.reference].sum())
    longest = max(longest, float(parts[HEADSTART].sum()))
    looks = ((LOAD, "", "replicas"), (HPA, "////", "violations"), (OTHER, "", "lost requests"))
    left = np.zeros(len(order))
    for k, (color, hatch, what) in enumerate(looks):
        width = np.minimum([parts[name][k] for name in order], np.maximum(longest - left, 0))
        axes.barh(
            range(len(order)),
            width,
            left=left,
            height=0.66,
            facecolor=color if not hatch else PAPER,
            edgecolor=color,
            hatch=hatch,
            label=what,
        )
        left += width
    most = max(left)
    for k, name in enumerate(order):
        total = float(parts[name].sum())
        cut = " (bar cut)" if total > longest else ""
        axes.text(left[k] + most * 0.01, k, f"${total:,.0f}{cut}", va="center", fontsize=9.5)
    axes.set_yticks(range(len(order)), [label(name) for name in order])
    for tick, name in zip(axes.get_yticklabels(), order, strict=True):
        tick.set_color(INK)
        tick.set_fontweight("bold" if name == HEADSTART else "normal")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, most * (1.3 if narrow else 1.14))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(_dollars))
    axes.set_xlabel("dollars a day")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)


def front(judgement: Judgement, figure: Figure, *, narrow: bool) -> None:
    """Replica-hours against violation minutes: lower left is better."""
    axes = figure.subplots()
    both = (
        ("Headstart, told to fear violations more or less", judgement.front.headstart, HEADSTART),
        ("HPA at target utilisations of 40 to 95%", judgement.front.hpa, HPA_TUNED),
    )
    for text, points, name in both:
        style = look(name)
        axes.plot(
            [point.replica_hours for point in points],
            [max(point.violation_minutes, LEAST_MINUTES) for point in points],
            color=style.color,
            linestyle=style.line,
            linewidth=style.width,
            marker=style.marker,
            markersize=4.5,
            markerfacecolor=PAPER,
            label=text,
        )
    contest = judgement.contest
    named = [HEADSTART, contest.reference, HPA_DEFAULT, CLAIRVOYANT]
    for name in dict.fromkeys(named):
        account = contest.accounts[name]
        x = account.replica_hours_per_day
        y = max(account.violation_minutes_per_day, LEAST_MINUTES)
        style = look(name)
        axes.plot(x, y, linestyle="", marker=style.marker, markersize=8.5, color=style.color)
        axes.annotate(
            label(name),
            (x, y),
            xytext=(7, 5),
            textcoords="offset points",
            color=INK,
            fontsize=9.5,
            fontweight="bold" if name == HEADSTART else "normal",
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(_minutes))
    axes.set_xlabel("replica-hours a day")
    axes.set_ylabel("violation minutes a day")
    # The HPA's safest settings reach far to the right, where nobody wants to be.
    shown = [contest.accounts[name].replica_hours_per_day for name in named]
    most = max(*shown, *(point.replica_hours for point in judgement.front.headstart))
    least = min(*shown, axes.get_xlim()[0])
    axes.set_xlim(least * 0.98, most * 1.12)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper left", ncols=1 if narrow else 2
    )


def days(contest: Contest, figure: Figure, *, narrow: bool) -> None:
    """What each day would have cost with Headstart, with its reference, and at best."""
    axes = figure.subplots()
    names = (HEADSTART, contest.reference, CLAIRVOYANT)
    whole = contest.calendar.lengths > 0
    at = np.flatnonzero(whole)
    totals = {name: costs(contest, contest.accounts[name]).total[whole] for name in names}
    low = np.min([totals[HEADSTART], totals[contest.reference]], axis=0)
    high = np.max([totals[HEADSTART], totals[contest.reference]], axis=0)
    axes.vlines(at, low, high, color=MUTED, linewidth=1.0)
    for name in (CLAIRVOYANT, contest.reference, HEADSTART):
        style = look(name)
        axes.plot(
            at,
            totals[name],
            linestyle="",
            marker="_" if name == CLAIRVOYANT else style.marker,
            markersize=9 if name == CLAIRVOYANT else 6.5,
            markeredgewidth=1.6,
            markerfacecolor=style.color if name == HEADSTART else PAPER,
            markeredgecolor=style.color,
            label=label(name),
        )
    if high.max() > 8 * np.median(high):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(_dollars))
    every = math.ceil(len(at) / (7 if narrow else 16))
    shown = at[::every]
    axes.set_xticks(shown, [_short(contest.calendar.labels[k]) for k in shown])
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("dollars")
    _legend(axes, narrow=narrow)


def typical_day(contest: Contest) -> int:
    """The whole day on which Headstart gains what it gains in the middle of all days."""
    accounts = contest.accounts
    gain = accounts[HEADSTART].dollars - accounts[contest.reference].dollars
    whole = np.flatnonzero(contest.calendar.lengths >= 0.95 * contest.calendar.lengths.max())
    return int(whole[np.argsort(gain[whole])[len(whole) // 2]])


def _replicas(contest: Contest, axes: Axes, steps: slice) -> None:
    """Ready replicas of three contenders above the demand."""
    interval = contest.service.interval
    at = np.arange(steps.start, steps.stop)
    demand = contest.service.rates[contest.service.half :][steps] / contest.profile.capacity
    several = max(len(at) // _DAY_POINTS, 1)
    level = average(demand, several)
    moments = _moments(contest, at[: len(level) * several : several] * interval)
    axes.fill_between(
        moments, 0, level, color=LOAD, alpha=0.6, linewidth=0, label="replicas that the load needs"
    )
    for name in (contest.reference, CLAIRVOYANT, HEADSTART):
        style = look(name)
        ready = contest.results[name].ready[0, steps]
        kept = _corners(ready)
        axes.plot(
            _moments(contest, at[kept] * interval),
            ready[kept],
            drawstyle="steps-post",
            color=style.color,
            linestyle=style.line,
            linewidth=style.width,
            label=label(name),
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("ready replicas")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _corners(values: Floats | np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Bools:
    """Where a path of steps changes, and its ends: all that a line through them needs."""
    kept = np.ones(len(values), dtype=np.bool_)
    kept[1:-1] = np.diff(values)[:-1] != 0
    return kept


def _moments(contest: Contest, seconds: Any) -> Moments:
    """Seconds since the test half's start as moments; an unknown calendar begins in 1970."""
    service = contest.service
    first, offset = np.datetime64("1970-01-01"), 0.0
    if service.start is not None:
        first = np.datetime64(service.start.replace(tzinfo=None))
        offset = service.half * service.interval
    moments: Moments = first + np.round(seconds + offset).astype("timedelta64[s]")
    return moments


def _when(contest: Contest, moment: np.datetime64) -> str:
    """Say on which day, where the calendar is known."""
    return "" if contest.service.start is None else f" on {moment.item():%b %d}"


def _mark(contest: Contest, axes: Axes, flagged: Bools, what: str) -> None:
    """Shade steps, neighbouring ones together, and say once what they are."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flagged.astype(np.int8), [0]])))
    interval = contest.service.interval
    moments = _moments(contest, edges * interval)
    for k in range(0, len(moments), 2):
        axes.axvspan(
            moments[k],
            moments[k + 1],
            facecolor=BAND,
            edgecolor=MUTED,
            hatch="///" if what == "saturated" else "xxx",
            # A single minute of two weeks is thinner than a hair.
            linewidth=0.8,
            label=what if k == 0 else None,
        )
    if len(moments):
        axes.legend(loc="upper left")


def _dates(contest: Contest, axes: Axes, *, narrow: bool) -> None:
    """Ticks on midnights, few enough to be read."""
    days = contest.calendar.lengths.sum()
    axes.xaxis.set_major_locator(DayLocator(interval=math.ceil(days / (5 if narrow else 12))))  # type: ignore[no-untyped-call]
    if contest.service.start is None:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"day {x + 1:g}"))
    else:
        axes.xaxis.set_major_formatter(DateFormatter("%b %d"))  # type: ignore[no-untyped-call]
    axes.margins(x=0)


def _clock(axes: Axes, minutes: float, *, narrow: bool) -> None:
    """Ticks on whole times of the day, few enough to be read."""
    most = 5 if narrow else 9
    every = next(step for step in _CLOCK_STEPS if minutes / step <= most)
    if every < _MINUTES_PER_HOUR:
        axes.xaxis.set_major_locator(MinuteLocator(byminute=range(0, 60, every)))  # type: ignore[no-untyped-call]
    else:
        axes.xaxis.set_major_locator(HourLocator(byhour=range(0, 24, every // 60)))  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    axes.margins(x=0)


def _legend(axes: Axes, *, narrow: bool) -> None:
    figure = axes.get_figure()
    if figure is not None:
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside upper left", ncols=2 if narrow else 4
        )


def _dollars(value: float, _: object) -> str:
    return f"${value:,.0f}"


def _minutes(value: float, _: object) -> str:
    return f"≤ {value:g}" if value <= LEAST_MINUTES else f"{value:g}"


def _short(text: str) -> str:
    """``2017-09-17`` -> ``09-17``; ``day 3`` -> ``3``."""
    return text.removeprefix("day ") if text.startswith("day") else text[5:]

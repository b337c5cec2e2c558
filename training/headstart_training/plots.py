"""Pictures of loads, games and training, readable in grey and by colour-blind people.

Colours are Okabe and Ito's; what lies in one plot differs in line style or shade too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

Numbers = npt.NDArray[np.floating] | npt.NDArray[np.integer]

BLACK, ORANGE, BLUE, GREEN, GREY = "#1a1a1a", "#d55e00", "#0072b2", "#009e73", "#8c8c8c"
MINUTES_PER_HOUR = 60
WINDOW = 10  # iterations in a running mean


def save(figure: Figure, path: Path) -> None:
    """Write a picture, PNG by its name."""
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=130)


def reward_per_iteration(
    returns: Sequence[float],
    greedy: Mapping[int, float] | None = None,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """How training went.

    Parameters
    ----------
    returns
        Mean return of a game as training plays it, per iteration: with exploration [$].
    greedy
        Mean return of the greedy policy on unseen games, by the iteration [$].
    references
        Returns of others, as level lines, by their names [$].
    """
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    iterations = range(1, len(returns) + 1)
    axes.plot(
        iterations,
        returns,
        color=BLUE,
        alpha=0.35,
        linewidth=1.2,
        label="in training, one iteration",
    )
    axes.plot(
        iterations,
        [np.mean(returns[max(0, i - WINDOW) : i]) for i in iterations],
        color=BLUE,
        linewidth=2.2,
        label=f"in training, mean of the last {WINDOW}",
    )
    if greedy:
        axes.plot(
            list(greedy),
            list(greedy.values()),
            color=ORANGE,
            marker="o",
            linewidth=1.6,
            label="greedy, on unseen games",
        )
    styles = ("--", ":", "-.")
    for index, (name, level) in enumerate((references or {}).items()):
        axes.axhline(level, color=BLACK, linestyle=styles[index % 3], linewidth=1.3, label=name)
    # The first iterations fall deep; what matters happens near the top.
    top = max([*returns, *(greedy or {}).values(), *(references or {}).values()])
    low = max(min(returns), top - 6000)
    axes.set_ylim(low - 0.05 * (top - low), top + 0.08 * (top - low))
    axes.set_xlim(1, max(2, len(returns)))
    axes.set_xlabel("iteration")
    axes.set_ylabel("mean return of a game [$]")
    axes.set_title("Reward per iteration (training explores, and from harder starts)")
    axes.legend(loc="lower right", frameon=False)
    dress(axes)
    return figure


def loss_per_iteration(losses: Sequence[float]) -> Figure:
    """How hindsight learning went: the loss of each world, and its running mean."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    window = max(1, len(losses) // 20)
    iterations = np.arange(1, len(losses) + 1)
    axes.plot(iterations, losses, color=BLUE, alpha=0.25, linewidth=0.8, label="one world")
    sums = np.cumsum(np.pad(np.asarray(losses, dtype=np.float64), (1, 0)))
    means = (sums[window:] - sums[:-window]) / window
    axes.plot(
        iterations[window - 1 :],
        means,
        color=BLUE,
        linewidth=2.2,
        label=f"mean of the last {window}",
    )
    axes.set_yscale("log")
    axes.set_xlabel("iteration")
    axes.set_ylabel("regret per unit of fleet")
    axes.set_title("Loss per iteration")
    axes.legend(loc="upper right", frameon=False)
    dress(axes)
    return figure


def days_of_load(loads: Numbers) -> Figure:
    """Load of some episodes over some days.

    Parameters
    ----------
    loads
        Shape (episodes, minutes) [transactions/min].
    """
    figure = Figure(figsize=(11, 2.1 * len(loads) + 0.9), layout="constrained")
    rows = figure.subplots(len(loads), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    hours = np.arange(loads.shape[1]) / MINUTES_PER_HOUR
    for index, (axes, load) in enumerate(zip(rows, loads, strict=True)):
        axes.fill_between(hours, load, color=BLUE, alpha=0.12, linewidth=0)
        axes.plot(hours, load, color=BLUE, linewidth=0.7)
        axes.set_title(f"episode {index + 1}", loc="left", fontsize=10)
        axes.set_ylabel("load\n[transactions/min]")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        dress(axes)
    rows[-1].set_xlim(0, hours[-1])
    rows[-1].set_ylim(bottom=0)
    rows[-1].xaxis.set_major_locator(MultipleLocator(12))
    rows[-1].set_xlabel("time [h]")
    figure.suptitle("Three days of load: a day, a slow wave, noise, and spikes that decay")
    return figure


def side_by_side(games: Mapping[str, Mapping[str, Numbers]], capacity: float) -> Figure:
    """The same minutes, played by some players: load, machines and reward.

    Parameters
    ----------
    games
        By the player's name: ``load`` [transactions/min], ``active_machines``,
        ``warming_machines`` and ``reward`` [$], each of shape (T,).
    capacity
        Mean capacity of a machine [transactions/min].
    """
    figure = Figure(figsize=(6 * len(games), 8.2), layout="constrained")
    # Machines and money have their own scale for each player: at random they dwarf all else.
    grid = figure.subplots(3, len(games), sharex=True, squeeze=False)
    for column, (name, game) in enumerate(games.items()):
        hours = np.arange(len(game["load"])) / MINUTES_PER_HOUR
        load, machines, money = grid[:, column]
        load.plot(hours, game["load"], color=BLUE, linewidth=0.8)
        needed = game["load"] / capacity
        machines.plot(hours, game["active_machines"], color=ORANGE, linewidth=1.5, label="active")
        machines.plot(hours, needed, color=BLACK, linewidth=0.7, linestyle="-", label="needed")
        down = game["active_machines"] < needed
        machines.fill_between(
            hours,
            game["active_machines"],
            needed,
            where=down,
            color=BLACK,
            alpha=0.35,
            linewidth=0,
            label="too few",
        )
        total = np.cumsum(game["reward"])
        money.plot(hours, total, color=GREEN, linewidth=1.6)
        money.axhline(0, color=GREY, linewidth=0.8)
        money.annotate(
            f"{total[-1]:,.0f} $",
            (hours[-1], total[-1]),
            xytext=(-6, 8),
            textcoords="offset points",
            ha="right",
            fontweight="bold",
        )
        load.set_title(name, fontweight="bold")
        money.set_xlabel("time [h]")
        money.set_xlim(0, hours[-1])
        for axes in grid[:, column]:
            dress(axes)
    labels = ("load\n[transactions/min]", "machines", "reward so far [$]")
    for row, label in zip(grid, labels, strict=True):
        for axes in row:
            axes.set_ylabel(label)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    for axes in grid[:2].flat:
        axes.set_ylim(bottom=0)
    for axes in grid[1]:
        axes.set_ylim(top=1.2 * axes.get_ylim()[1])  # Room for the legend.
        axes.legend(loc="upper right", frameon=False, ncols=3)
    figure.suptitle("The same minutes, played by each (mind the scales)")
    return figure


def dress(axes: Axes) -> None:
    """Draw a quiet grid, and no box."""
    axes.grid(visible=True, color="#e3e3e3", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)

"""What a person looks at after training for a service: a picture, and a card to read."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from headstart_policy.profile import DAY
from headstart_training import served
from headstart_training.backtest.worlds import play
from headstart_training.contest import settle
from headstart_training.outside import Outside
from headstart_training.plots import BLACK, BLUE, GREEN, GREY, ORANGE, dress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from headstart_policy.artifact import Policy
    from headstart_policy.guardrails import Guardrails
    from headstart_policy.profile import Profile
    from headstart_policy.types import Floats
    from headstart_training.backtest.services import Service
    from headstart_training.fine_tuning import Outcome

_HOUR = 3600.0


def plot(
    service: Service,
    profile: Profile,
    guardrails: Guardrails,
    default: Policy,
    kept: Policy,
    outcome: Outcome,
) -> bytes:
    """Draw the last day as it would have been served, and what each fit came to; PNG."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    day, tried = figure.subplots(2, 1, height_ratios=(3, 2))
    _draw_last_day(day, service, profile, guardrails, default, kept, outcome)
    _draw_candidates(tried, outcome)
    FigureCanvasAgg(figure)
    file = io.BytesIO()
    figure.savefig(file, dpi=110, format="png")
    return file.getvalue()


def _draw_last_day(
    axes: Axes,
    service: Service,
    profile: Profile,
    guardrails: Guardrails,
    default: Policy,
    kept: Policy,
    outcome: Outcome,
) -> None:
    steps = round(DAY / service.interval)
    world = play(service, profile, len(service.rates) - steps, len(service.rates))
    hours = np.arange(steps) * service.interval / _HOUR
    demand = world.rates[0] / profile.capacity

    def ready(policy: Policy) -> Floats:
        result = settle(world, served.headstart(world, policy, guardrails))
        path: Floats = result.ready[0].astype(np.float64)
        return path

    axes.fill_between(hours, demand, color=GREY, alpha=0.25, linewidth=0)
    axes.plot(hours, demand, color=BLACK, linewidth=0.8, label="replicas that the load needs")
    axes.plot(
        hours, ready(default), color=ORANGE, linestyle="--", linewidth=1.4, label="ready, default"
    )
    if outcome.candidates and outcome.kept != "default":
        axes.plot(
            hours, ready(kept), color=BLUE, linewidth=1.6, label=f"ready, with {outcome.kept}"
        )
    axes.set_title(f"{service.name}: the last day of its history", loc="left")
    axes.set_xlabel("hours from its start")
    axes.set_ylabel("replicas")
    axes.set_xlim(0, hours[-1])
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False, ncols=3)
    axes.set_ylim(top=axes.get_ylim()[1] * 1.1)  # Room for the legend.
    dress(axes)


def _draw_candidates(axes: Axes, outcome: Outcome) -> None:
    axes.set_title(f"Kept: {outcome.kept}", loc="left")
    if not outcome.candidates:
        axes.text(0.5, 0.5, outcome.why, ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    rows = np.arange(len(outcome.candidates))[::-1]
    for row, candidate in zip(rows, outcome.candidates, strict=True):
        kept = candidate.name == outcome.kept
        color = GREEN if kept else GREY
        axes.plot(candidate.gains, np.full(len(candidate.gains), row), "o", color=color, alpha=0.35)
        axes.plot([candidate.low, candidate.gain], [row, row], color=color, linewidth=2.5)
        axes.plot(candidate.gain, row, "D", color=color, markersize=8)
    axes.axvline(0, color=BLACK, linewidth=1)
    axes.set_yticks(rows, [candidate.name for candidate in outcome.candidates])
    axes.set_xlabel(
        f"dollars a day more than the default on {outcome.held_days} held-back days"
        " (dots: days; diamond: mean; line: to its lower bound)"
    )
    axes.margins(y=0.1)
    dress(axes)


def card(facts: dict[str, Any]) -> str:
    """Write a policy's card as Markdown."""
    history, profile = facts["history"], facts["profile"]
    assumed = " (assumed: 20 replicas on average)" if facts["capacity_assumed"] else ""
    goal = profile["objective"]
    lines = [
        f"# {facts['name']}",
        "",
        f"**Decides by: {facts['kept']}**: {facts['why']}.",
        "",
        (
            f"Trained on {history['days']:.1f} days at {history['interval']:g} s,"
            f" a {history['class']} load."
        ),
        *(f"Repaired: {repair}." for repair in history["repairs"]),
        "",
        "| assumed | |",
        "|---|---|",
        f"| capacity | {profile['capacity']:g} requests/s per replica{assumed} |",
        f"| lead time | {profile['lead_time']:g} s |",
        f"| SLO | {100 * goal['slo']:g} % of requests |",
        f"| a replica | ${goal['replica_cost']:g} per hour |",
        f"| a thousand requests | ${goal['request_value']:g} |",
        f"| a minute of violation | ${goal['violation_cost']:g} |",
        "",
    ]
    if facts["candidates"]:
        lines += [
            (
                f"On {facts['held_days']} held-back days, each fitted to the days before it only,"
                " after the guardrails:"
            ),
            "",
            "| fit | $ a day more than the default | at least |",
            "|---|---:|---:|",
            *(
                f"| {c['name']} | {c['dollars_per_day']:+,.2f} | {c['at_least']:+,.2f} |"
                for c in facts["candidates"]
            ),
            "",
        ]
    for sentence in Outside(**facts["outside_envelope"]).sentences:
        lines += [sentence, ""]
    lines += ["Where it fails:", "", *(f"- {mode}" for mode in facts["failure_modes"]), ""]
    lines += [f"Base: `{facts['base']}`."]
    return "\n".join(lines) + "\n"

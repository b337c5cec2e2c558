"""Put the page together."""

from __future__ import annotations

import math
from functools import partial
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup

from headstart_training.backtest import words
from headstart_training.backtest.actual import distance
from headstart_training.backtest.closure import closure
from headstart_training.backtest.contenders import ACTUAL, CLAIRVOYANT, HEADSTART, HPA_TUNED
from headstart_training.backtest.costs import cost_per_day
from headstart_training.backtest.labels import label
from headstart_training.backtest.page import figures
from headstart_training.backtest.page.svg import picture
from headstart_training.backtest.summary import gain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_training.backtest.judgement import Judgement
    from headstart_training.backtest.manifests import Manifest
    from headstart_training.backtest.protocol import Contest
    from headstart_training.backtest.sensitivity import Truth
    from headstart_training.backtest.summary import Record

_VERDICTS = {
    "better": "Headstart is better",
    "worse": "Headstart is worse",
    "open": "No clear winner",
}


def render(
    judgements: Sequence[Judgement],
    records: Mapping[str, Record],
    manifests: Sequence[Manifest],
    policy: str,
) -> str:
    """Write the page.

    Parameters
    ----------
    judgements, manifests
        Of each service.
    records
        By contender, as :func:`headstart_training.backtest.summary.records` makes them.
    policy
        Digest of the policy file that decided.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    services = len(judgements)
    style = resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(
        title=judgements[0].contest.service.name if services == 1 else f"{services} services",
        headline=words.headline(judgements, gain([judgement.contest for judgement in judgements])),
        verdicts=_VERDICTS,
        record=words.record_sentence(records[HEADSTART], services),
        against=_against(judgements[0].contest),
        sections=[
            _section(f"service-{k}", judgement, manifest)
            for k, (judgement, manifest) in enumerate(zip(judgements, manifests, strict=True))
        ],
        style=Markup(style),  # noqa: S704 - ours.
        version=metadata.version("headstart"),
        policy=policy,
    )


def _section(key: str, judgement: Judgement, manifest: Manifest) -> dict[str, Any]:
    contest = judgement.contest
    service, accounts, reference = contest.service, contest.accounts, contest.reference
    ours, theirs = accounts[HEADSTART], accounts[reference]
    chosen = figures.typical_day(contest)
    closures = _closures(contest)
    return {
        "id": key,
        "name": service.name,
        "kind": str(service.kind),
        "period": _period(contest),
        "days": f"{contest.calendar.lengths.sum():.1f}",
        "gain": words.signed(ours.dollars_per_day - theirs.dollars_per_day),
        "minutes": words.number(ours.violation_minutes_per_day),
        "others": words.number(theirs.violation_minutes_per_day),
        "closure": words.closure(closures[HEADSTART]),
        "against": _against(contest),
        "slo": f"{contest.profile.objective.slo:.3%}".rstrip("0%").rstrip(".") + "%",
        "cards": _cards(contest),
        "rows": _rows(contest, closures),
        "closure_note": "."
        if math.isfinite(closures[HEADSTART])
        else "; here the two are less than 2% apart, too little to divide by.",
        "distance_note": _distance_note(contest),
        "load_note": _load_note(judgement),
        "day_note": f"{contest.calendar.labels[chosen]}: the day on which Headstart gains what it"
        " gains in the middle of all days.",
        "front_note": _front_note(judgement),
        "daily_note": _daily_note(contest),
        "truths": [_truth(contest, truth) for truth in judgement.truths],
        "assumptions": _assumptions(judgement),
        "repairs": service.repairs,
        "notes": [*judgement.outside.sentences, *service.notes],
        "manifest": manifest.text,
        "file": manifest.file,
        "command": manifest.command,
        **_pictures(key, judgement, chosen),
    }


def _pictures(key: str, judgement: Judgement, chosen: int) -> dict[str, Markup]:
    contest = judgement.contest
    them = _against(contest)

    def drawn(name: str, alt: str, draw: Any, grow: float = 1.0, tall: float = 1.0) -> Markup:
        return picture(
            f"{key}-{name}", alt, lambda figure, narrow: draw(figure, narrow=narrow), grow, tall
        )

    lines = len(contest.results)
    return {
        "load": drawn(
            "load", "Requests per second over the test half.", partial(figures.load, contest), 0.72
        ),
        "day": drawn(
            "day",
            f"Ready replicas of Headstart, {them} and the best possible over a day.",
            partial(figures.day, contest, chosen),
        ),
        "bars": drawn(
            "bars",
            "Cost a day of each contender; the table below has the numbers.",
            partial(figures.bars, contest),
            0.3 + 0.09 * lines,
        ),
        "front": drawn(
            "front",
            f"Replica-hours against violation minutes, Headstart and {them}.",
            partial(figures.front, judgement),
            1.15,
        ),
        "hours": drawn(
            "hours",
            f"Ready replicas in the worst hours of Headstart and {them}.",
            partial(figures.hours, contest),
            1.0,
            1.5,
        ),
        "daily": drawn(
            "daily", f"Dollars of each day, Headstart and {them}.", partial(figures.days, contest)
        ),
    }


def _cards(contest: Contest) -> list[dict[str, Any]]:
    names = (HEADSTART, contest.reference, CLAIRVOYANT)
    cost, theirs, best = (cost_per_day(contest, contest.accounts[name]) for name in names)
    ours, other, limit = (contest.accounts[name] for name in names)
    them = _against(contest)

    def note(reference: str, least: str) -> list[str]:
        return [f"{them}: {reference}", f"best possible: {least}"]

    return [
        {
            "title": "Cost a day with Headstart",
            "figure": words.dollars(cost),
            "note": note(words.dollars(theirs), words.dollars(best)),
        },
        {
            "title": "Violation minutes a day",
            "figure": words.number(ours.violation_minutes_per_day),
            "note": note(
                words.number(other.violation_minutes_per_day),
                words.number(limit.violation_minutes_per_day),
            ),
        },
        {
            "title": "Replica-hours a day",
            "figure": words.number(ours.replica_hours_per_day),
            "note": note(
                words.number(other.replica_hours_per_day),
                words.number(limit.replica_hours_per_day),
            ),
        },
    ]


def _rows(contest: Contest, closures: Mapping[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "us": name == HEADSTART,
            "label": label(name),
            "cost": words.dollars(cost_per_day(contest, contest.accounts[name])),
            "minutes": words.number(contest.accounts[name].violation_minutes_per_day),
            "hours": words.number(contest.accounts[name].replica_hours_per_day),
            "closure": words.closure(closures[name]),
            "setting": contest.settings[name],
        }
        for name in sorted(
            contest.results, key=lambda name: cost_per_day(contest, contest.accounts[name])
        )
    ]


def _closures(contest: Contest) -> dict[str, float]:
    dollars = {name: np.array(of.dollars_per_day) for name, of in contest.accounts.items()}
    return {
        name: float(closure(value, dollars[HPA_TUNED], dollars[CLAIRVOYANT]))
        for name, value in dollars.items()
    }


def _truth(contest: Contest, truth: Truth) -> dict[str, str]:
    ours, theirs = truth.accounts[HEADSTART], truth.accounts[contest.reference]
    if truth.capacity != 1:
        what = f"a replica serves {abs(truth.capacity - 1):.0%} {_than(truth.capacity)}"
    else:
        what = f"lead time {abs(truth.lead_time - 1):.0%} {_longer(truth.lead_time)}"
    return {
        "what": what,
        "ours": words.dollars(cost_per_day(contest, ours)),
        "theirs": words.dollars(cost_per_day(contest, theirs)),
        "minutes": f"{words.number(ours.violation_minutes_per_day)} /"
        f" {words.number(theirs.violation_minutes_per_day)}",
        "gain": words.signed(ours.dollars_per_day - theirs.dollars_per_day),
    }


def _than(factor: float) -> str:
    return "more" if factor > 1 else "less"


def _longer(factor: float) -> str:
    return "longer" if factor > 1 else "shorter"


def _period(contest: Contest) -> str:
    labels, days = contest.calendar.labels, contest.calendar.lengths.sum()
    return f"{contest.service.kind} · {days:.1f} test days, {labels[0]} to {labels[-1]}"


def _against(contest: Contest) -> str:
    return label(contest.reference)


def _load_note(judgement: Judgement) -> str:
    """Say what the plot shows, and where the recording could not show all."""
    contest = judgement.contest
    text = "Mean of each bin, and its highest step in grey."
    minutes = judgement.saturation.minutes
    if contest.service.actual is None:
        return (
            f"{text} The recording does not say how many replicas were ready, so nobody can tell"
            " where it was cut off by what they could serve."
        )
    if not minutes:
        return f"{text} No minute came within 5% of what the ready replicas could serve."
    stands = "the same one wins" if judgement.saturation.conclusive else "the winner changes"
    return (
        f"{text} In {minutes:,.0f} minutes of the recording the ready replicas were at 95% or more"
        f" of what they can serve, and the load may have been larger: with 1.2 and 2 times the load"
        f" there, {stands}."
    )


def _distance_note(contest: Contest) -> str:
    """How far the simulation of the HPA is from what ran: how far it can be believed."""
    if ACTUAL not in contest.results:
        return ""
    ran, asked = (contest.results[name].desired for name in (ACTUAL, contest.reference))
    off = distance(asked, ran, contest.calendar.counted)
    word = "more" if off.mean_replicas >= 0 else "fewer"
    return (
        f" As it is simulated, {words.them(contest.reference)} asks for"
        f" {abs(off.mean_replicas):.1f} replicas {word} than really ran, and is"
        f" {off.mean_absolute:.1f} off on average."
    )


def _front_note(judgement: Judgement) -> str:
    saving = judgement.front.saving
    if not math.isfinite(saving):
        return (
            "No two settings of the HPA have Headstart's violations between them, so replica-hours"
            " at equal violations cannot be compared."
        )
    word = "fewer" if saving >= 0 else "more"
    return (
        f"At equal violations Headstart pays for {abs(saving):.1%} {word} replica-hours than"
        " the HPA."
    )


def _daily_note(contest: Contest) -> str:
    """Name the days that are not whole: they cost less than a day does."""
    lengths = contest.calendar.lengths
    parts = [
        f"{contest.calendar.labels[k]} has {lengths[k] * 24:.0f} h"
        for k in np.flatnonzero((lengths > 0) & (lengths < 0.95))  # noqa: PLR2004
    ]
    return f"Not whole: {', '.join(parts)}." if parts else "All days are whole."


def _assumptions(judgement: Judgement) -> list[tuple[str, str]]:
    contest = judgement.contest
    profile, world, service = contest.profile, contest.halves.test, contest.service
    goal = profile.objective
    mean = float(np.nanmean(service.rates[: service.half])) / profile.capacity
    return [
        (
            "Capacity",
            (
                f"{profile.capacity:.4g} requests/s per replica: the tuning half needs {mean:.1f}"
                " replicas on average"
                + ("; nobody gave it, so it is assumed" if judgement.assumed else "")
            ),
        ),
        (
            "Lead time",
            (
                f"{words.duration(profile.lead_time)} from asking for a replica to it serving:"
                f" {world.lead_steps[0]} intervals"
            ),
        ),
        ("Interval", f"{words.duration(profile.interval)} between two decisions"),
        ("SLO", f"{goal.slo * 100:g}% of the requests of an interval"),
        ("A replica", f"${goal.replica_cost:,g} an hour, from when it is asked for"),
        ("A violation", f"${goal.violation_cost:,g} a minute"),
        ("Requests", f"${goal.request_value:,g} for 1,000 served ones"),
        (
            "Capacity noise",
            (
                f"{profile.capacity_noise:.0%} of a replica's capacity,"
                f" correlation {profile.capacity_correlation:g} between replicas"
            ),
        ),
        (
            "Known beforehand",
            (
                f"{service.half * profile.interval / 86_400:.1f} days of history, to everybody;"
                " the mean rate of an interval at its end"
            ),
        ),
        ("Start", f"{world.initial[0]} ready replicas, as an HPA at 60% would have, for all"),
    ]

"""The backtest as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.markup import escape
from rich.table import Table

from headstart_training.backtest.closure import closure
from headstart_training.backtest.contenders import CLAIRVOYANT, HEADSTART, HPA_TUNED
from headstart_training.backtest.words import signed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headstart_training.backtest.bootstrap import Interval
    from headstart_training.backtest.judgement import Judgement
    from headstart_training.backtest.protocol import Contest
    from headstart_training.backtest.summary import Record


def service_table(contest: Contest) -> Table:
    """One service: a line for each contender, the most dollars first."""
    accounts = contest.accounts
    shown = Table(
        title=escape(
            f"{contest.service.name}: {contest.calendar.lengths.sum():.1f} test days,"
            f" {contest.service.kind}"
        ),
        caption="closure: 0 is the tuned HPA, 1 the best possible with the future known",
    )
    shown.add_column("contender", no_wrap=True)
    for heading in ("dollars\nper day", "SLO missed\n[min/day]", "replicas\n[h/day]", "closure"):
        shown.add_column(escape(heading), justify="right", no_wrap=True)
    shown.add_column("set to")
    tuned = np.array(accounts[HPA_TUNED].dollars_per_day)
    best = np.array(accounts[CLAIRVOYANT].dollars_per_day)
    for name in sorted(accounts, key=lambda name: -accounts[name].dollars_per_day):
        account = accounts[name]
        part = float(closure(np.array(account.dollars_per_day), tuned, best))
        shown.add_row(
            name,
            f"{account.dollars_per_day:,.0f}",
            f"{account.violation_minutes_per_day:,.2f}",
            f"{account.replica_hours_per_day:,.1f}",
            figure(part),
            escape(contest.settings[name]),
        )
    return shown


def summary_table(records: Mapping[str, Record], services: int) -> Table:
    """All services: a line for each contender, the most dollars first."""
    subject = records[HEADSTART]
    intervals = [f"{kind} {with_interval(of)}" for kind, (of, _) in subject.medians.items()]
    shown = Table(
        title=f"{services} services",
        caption=f"headstart's closure with 95 % intervals by paired bootstrap over services and"
        f" days: {', '.join(intervals)}, pooled {with_interval(subject.pooled)}\n"
        "N: services whose gap to the best possible is wide enough to divide by",
    )
    shown.add_column("contender", no_wrap=True)
    for kind, (_, count) in subject.medians.items():
        shown.add_column(f"median of\n{kind}\n(N {count})", justify="right", no_wrap=True)
    for heading in ("pooled", "worst", "won", "SLO missed\n\\[min/day]", "replicas\n\\[h/day]"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for name, record in sorted(records.items(), key=lambda item: -item[1].dollars_per_day):
        shown.add_row(
            name,
            *(figure(of.value) for of, _ in record.medians.values()),
            figure(record.pooled.value),
            "-" if record.worst is None else figure(record.worst[0]),
            f"{record.won}/{services}",
            f"{record.violation_minutes_per_day:,.2f}",
            f"{record.replica_hours_per_day:,.1f}",
        )
    return shown


def figure(value: float) -> str:
    """Write a closure; a dash where it has no value."""
    return f"{value:+.2f}" if np.isfinite(value) else "-"


def with_interval(value: Interval) -> str:
    """Write a closure and its interval, or a dash."""
    if not np.isfinite(value.value):
        return "-"
    return f"{value.value:+.2f} \\[{figure(value.low)}, {figure(value.high)}]"


def remarks(judgement: Judgement) -> list[str]:
    """What has to be known beside the figures: assumptions, repairs and the like; a line each."""
    contest = judgement.contest
    service, profile, goal = contest.service, contest.profile, contest.profile.objective
    needed = float(np.nanmean(service.rates[: service.half])) / profile.capacity
    told = "Nobody gave a capacity, so it is ASSUMED:" if judgement.assumed else "Capacity:"
    lines = [
        (
            f"{told} {profile.capacity:.4g} requests/s per replica, with which the tuning half"
            f" needs {needed:.1f} replicas on average."
        ),
        (
            f"Assumed: {profile.lead_time:g} s lead time, SLO {100 * goal.slo:g} %,"
            f" ${goal.replica_cost:g} per replica-hour, ${goal.request_value:g} per 1,000 requests,"
            f" ${goal.violation_cost:g} per violation-minute."
        ),
        *(f"Repaired: {repair}" for repair in service.repairs),
        *(f"Found: {note}" for note in service.notes),
        *judgement.outside.sentences,
    ]
    lines.extend(_trust(judgement))
    if judgement.saturation.minutes:
        stands = "the winner is the same" if judgement.saturation.conclusive else "INCONCLUSIVE"
        lines.append(
            f"Saturated: {judgement.saturation.minutes:,.0f} min at 95 % or more of what was ready;"
            f" with 1.2 and 2 times the load there: {stands}."
        )
    return lines


def _trust(judgement: Judgement) -> Iterator[str]:
    """How far the result reaches: at equal violations, and where an assumption is wrong."""
    if np.isfinite(judgement.front.saving):
        saving = judgement.front.saving
        word = "fewer" if saving >= 0 else "more"
        yield (
            f"At equal violations headstart pays for {abs(saving):.1%} {word} replica-hours than"
            " the HPA at its best target."
        )
    reference = judgement.contest.reference
    gains = [
        truth.accounts[HEADSTART].dollars_per_day - truth.accounts[reference].dollars_per_day
        for truth in judgement.truths
    ]
    yield (
        f"Gain over {reference} a day if a replica serves 20 % less {signed(gains[0])}, 20 % more"
        f" {signed(gains[1])}; if the lead time is 20 % shorter {signed(gains[2])}, longer"
        f" {signed(gains[3])}."
    )

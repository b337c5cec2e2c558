"""The page's sentences: what the result is, and how sure it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from headstart_training.backtest.contenders import HEADSTART, HPA_CURRENT
from headstart_training.backtest.costs import cost_per_day
from headstart_training.backtest.summary import LEAST_DAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_training.backtest.bootstrap import Interval
    from headstart_training.backtest.judgement import Judgement
    from headstart_training.backtest.protocol import Contest
    from headstart_training.backtest.summary import Record


class Headline(NamedTuple):
    """The result in one sentence, and what it stands on."""

    verdict: str
    """``better``, ``worse`` or ``open``: how the page shows it."""
    sentence: str
    certainty: str


def headline(judgements: Sequence[Judgement], gain: Interval) -> Headline:
    """Sum up all services.

    Parameters
    ----------
    judgements
        Of each service.
    gain
        Headstart's dollars per day over its reference's, all services together.
    """
    contests = [judgement.contest for judgement in judgements]
    reference = contests[0].reference
    (cost, minutes), (other, others) = (_sums(contests, name) for name in (HEADSTART, reference))
    other_side = them(reference, len(contests))
    where = f"On {len(contests)} services" if len(contests) > 1 else "On this load"
    verdict = _verdict(judgements, gain)
    if verdict == "open":
        sentence = (
            f"{where} there is no clear winner: Headstart would have cost {dollars(cost)} a day,"
            f" {other_side} {dollars(other)}"
        )
    else:
        share = abs(other - cost) / max(abs(other), 1e-9)
        word = "saved" if verdict == "better" else "cost"
        more = "" if verdict == "better" else " more"
        sentence = (
            f"{where} Headstart would have {word} {dollars(abs(other - cost))}{more} a day"
            f" ({share:.0%}) against {other_side}"
        )
    sentence += f", with {number(minutes)} instead of {number(others)} violation minutes a day."
    return Headline(verdict, sentence, _certainty(judgements, gain))


def _sums(contests: Sequence[Contest], name: str) -> tuple[float, float]:
    """Dollars and violation minutes a day of one contender, all services together."""
    accounts = [(contest, contest.accounts[name]) for contest in contests]
    return (
        sum(cost_per_day(contest, account) for contest, account in accounts),
        sum(account.violation_minutes_per_day for _, account in accounts),
    )


def _verdict(judgements: Sequence[Judgement], gain: Interval) -> str:
    if any(not judgement.saturation.conclusive for judgement in judgements):
        return "open"
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "open"


def _certainty(judgements: Sequence[Judgement], gain: Interval) -> str:
    days = sum(float(j.contest.calendar.lengths.sum()) for j in judgements)
    text = f"Headstart's gain is {signed(gain.value)} a day"
    if math.isfinite(gain.low):
        text += (
            f", 95% interval {signed(gain.low)} to {signed(gain.high)}, by paired bootstrap over"
            f" {days:,.0f} test days that no baseline was tuned on."
        )
    else:
        text += (
            f" over {days:,.1f} test days; that is too short to say how sure it is: at least"
            f" {LEAST_DAYS} are needed."
        )
    cut = [j.contest.service.name for j in judgements if not j.saturation.conclusive]
    if cut:
        text += (
            f" Inconclusive: {', '.join(cut)} ran saturated, and if the load was larger there than"
            " what was recorded, another wins."
        )
    return text


def record_sentence(record: Record, services: int) -> str:
    """Sum up how much of the possible gain Headstart gets."""
    parts = [
        f"{kind} {closure(median.value)} (N {count})"
        for kind, (median, count) in record.medians.items()
    ]
    return (
        f"Headstart has more dollars than the HPA tuned per service on {record.won} of {services}"
        f" services. Of the way from that HPA to the best possible it goes, median by class:"
        f" {', '.join(parts)}."
    )


def dollars(value: float) -> str:
    """``$1,234``; cents where they matter."""
    sign = "−" if value < 0 else ""  # noqa: RUF001 - a minus sign, not a hyphen.
    size = abs(value)
    return f"{sign}${size:,.2f}" if size < 10 else f"{sign}${size:,.0f}"  # noqa: PLR2004


def signed(value: float) -> str:
    """Write dollars with their sign."""
    return dollars(value) if value < 0 else f"+{dollars(value)}"


def number(value: float) -> str:
    """Three digits or so, as people say it."""
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004


def closure(value: float | None) -> str:
    """Write a closure in percent; a dash where it has no value."""
    if value is not None and abs(value) < 0.005:  # noqa: PLR2004
        return "0%"
    if value is None or not math.isfinite(value):
        return "–"  # noqa: RUF001 - an en dash stands for no value.
    return f"{value:+.0%}".replace("-", "−")  # noqa: RUF001 - a minus sign, not a hyphen.


def duration(seconds: float) -> str:
    """``5 min``, ``90 s``."""
    return f"{seconds / 60:g} min" if seconds >= 120 else f"{seconds:g} s"  # noqa: PLR2004


def them(reference: str, services: int = 1) -> str:
    """Whom Headstart is compared with, in a sentence."""
    if reference == HPA_CURRENT:
        return "your HPA"
    return "the HPA tuned to it" if services == 1 else "the HPAs tuned to each"

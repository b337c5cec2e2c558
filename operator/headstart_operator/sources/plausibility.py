"""A rate that falls suddenly while scrape targets vanish has not fallen: it is not seen any more.

Half of the ingress controllers that a network policy cuts off from Prometheus take half of the rate
with them, and no query fails. A companion query counts what contributes to the rate; it is asked
only when the rate has fallen so much that it matters. Pure functions on samples; no clock.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from headstart_policy.guardrails import FRESH_INTERVALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.types import Floats

REASON = "TargetsVanished"
# A fall that is worth a look, as a share of the highest rate within the query's range. A rate over
# a minute falls over a minute: to wait until half of it is gone would be to follow the other half.
FALL = 0.25
# So many standard deviations of the requests that were counted within the query's range, as well:
# those of a small service come and go by chance (Poisson), and it would be asked about all day.
CHANCE_DEVIATIONS = 4.0
# What is lost of the series, to explain a fall: so much of what is lost of the rate, and of the
# series themselves so much at least. Targets do not carry equal shares.
COMPARABLE = 0.5
LEAST_LOST = 0.2
# Series that went because replicas did, and some that went by chance.
CHANCE = 0.1
# How long replicas that went may explain series that go, s: pods end with a grace period, and
# service discovery is a little late.
PODS_LINGER = 120.0
# Where the targets stay away, their rate is taken for what it is after so many times
# ``onMetricLoss.after``: whoever took exporters away on purpose need not tell us.
SETTLE_TIMES = 5.0

_UNITS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_STRING = r'"(?:\\.|[^"\\])*"|' + r"'(?:\\.|[^'\\])*'|`[^`]*`"
_SELECTOR = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*\s*)?(\{{(?:[^{{}}\"'`]|{_STRING})*\}})?\s*"
    r"\[\s*((?:\d+(?:ms|[smhdwy]))+)\s*\]"
)
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")


class Companion(NamedTuple):
    """How to ask what contributes to a rate."""

    query: str
    """Its result is one series, a count."""
    reach: float
    """Over how much of the past the rate is taken, s; 0: unknown."""

    def look(self, interval: float) -> int:
        """Samples within which a loss of targets shows in the rate, the newest included.

        Some more than two in any case: targets are not scraped at the same instant, and of those
        that vanish together some are missed an interval earlier.
        """
        return max(FRESH_INTERVALS, math.ceil(self.reach / interval)) + 1


class Vanished(NamedTuple):
    """A loss of targets; what is sampled from then on counts as missing.

    Attributes
    ----------
    since
        The first instant without them, s since the epoch.
    rate, series
        Before, requests/s and how many contributed.
    rate_left, series_left
        When it was noticed.
    back
        Since when they are back, s since the epoch; 0: they are not.
    """

    since: float
    rate: float
    series: float
    rate_left: float
    series_left: float
    back: float = 0.0

    @property
    def message(self) -> str:
        """What happened, in a sentence."""
        return (
            f"{self.series - self.series_left:.0f} of {self.series:.0f} series vanished while the "
            f"rate fell from {self.rate:.4g} to {self.rate_left:.4g} requests/s: it counts as "
            "lost, not as fallen; are all targets scraped?"
        )

    @classmethod
    def from_json(cls, document: Any) -> Vanished | None:
        """Read what ``list(vanished)`` wrote.

        Raises
        ------
        TypeError, ValueError
            The document is none of ours.
        """
        if document is None:
            return None
        result = cls(*map(float, document))
        if not all(math.isfinite(number) for number in result):
            raise ValueError("memory.vanished: must be finite numbers")
        return result


@lru_cache(maxsize=4096)
def companion_of(query: str, targets_query: str | None) -> Companion | None:
    """Find the companion of a rate's query; ``None``: there is none that can be told.

    Parameters
    ----------
    query
        Of the rate. Where it has exactly one selector with a range, and no offset, the series that
        match the selector can be counted.
    targets_query
        Of the policy, if it has one.
    """
    plain = re.sub(_STRING, lambda found: "_" * len(found[0]), query)
    found = list(_SELECTOR.finditer(query))
    ranges = found[0] if len(found) == plain.count("[") == 1 else None
    reach = _seconds(ranges[3]) if ranges else 0.0
    if targets_query:
        return Companion(targets_query, reach)
    if ranges is None or "@" in plain or re.search(r"\boffset\b", plain):
        return None
    selector = f"{(ranges[1] or '').strip()}{ranges[2] or ''}"
    return Companion(f"count({selector})", reach) if selector else None


def fallen(rates: Floats, reach: float) -> bool:
    """Whether the newest of some rates is far below the highest of them, or none at all.

    Parameters
    ----------
    rates
        Requests/s, the newest last, shape (T,); NaN: unknown.
    reach
        Over how much of the past each is taken, s; 0: unknown, and no fall is chance.
    """
    if not np.isfinite(rates).any():
        return False
    # Where nothing is left, what was read just before was already too low.
    newest = float(np.nan_to_num(rates[-1]))
    highest = float(np.nanmax(rates))
    chance = CHANCE_DEVIATIONS * math.sqrt(max(highest, 0.0) / reach) if reach else 0.0
    return highest - newest > max(FALL * highest, chance)


def vanishing(
    first: float, step: float, rates: Floats, series: Floats, replicas: float
) -> Vanished | None:
    """Judge a fall by what contributed to it.

    Parameters
    ----------
    first, step
        Instant of the first sample, s since the epoch, and s between two samples.
    rates, series
        Requests/s and how many series contributed, at the same instants, shape (T,); NaN: none.
    replicas
        Present ones over the most there were lately. Where pods tell their own rate, series go
        when the replicas do, for a good reason.

    Returns
    -------
    ``None``: the fall is what it looks like, or nobody can tell.
    """
    if not fallen(rates, 0.0) or not np.isfinite(series).any():
        return None
    counts = np.nan_to_num(series, nan=0.0)
    before, left = float(counts.max()), float(counts[-1])
    if before <= 0:
        return None
    lost = 1.0 - left / before
    rate = float(np.nanmax(rates))
    rate_left = float(np.nan_to_num(rates[-1]))
    rate_lost = 1.0 - rate_left / rate
    explained = lost <= 1.0 - replicas + CHANCE
    if explained or lost < max(LEAST_LOST, COMPARABLE * rate_lost):
        return None
    # The first one after the last that had most of what vanished.
    whole = np.flatnonzero(counts > before * (1.0 - lost / 2))
    since = first + step * (int(whole[-1]) + 1)
    return Vanished(since, rate, before, rate_left, left)


def go_on(
    vanished: Vanished, now: float, rate: float, series: float, reach: float, settle: float
) -> Vanished | None:
    """Judge one instant later.

    Parameters
    ----------
    vanished
        So far.
    now
        The instant, s since the epoch.
    rate, series
        At it; NaN: none.
    reach
        Over how much of the past the rate is taken, s: so long after the targets are back it is
        still too low.
    settle
        After how long a loss is taken for what it is, s.

    Returns
    -------
    ``None``: from now on the rate counts.
    """
    # What is left is less than what arrives: where it is more than there was, it may be followed.
    if rate >= vanished.rate or now >= vanished.since + settle:
        return None
    if not series > (1.0 - LEAST_LOST) * vanished.series:
        return vanished._replace(back=0.0)
    back = vanished.back or now
    return None if now >= back + reach else vanished._replace(back=back)


def recovering(rates: Floats, samples: int) -> bool:
    """Whether the rate was lost, and has been back for fewer than ``samples`` samples.

    ``rates`` has shape (T,), the newest last. One sample after half an hour of nothing says little
    of the level: the counter may have begun anew, and the windows hold nothing else. What was never
    known before was not lost.
    """
    known = np.flatnonzero(np.isfinite(rates))
    ends = known[1:][np.diff(known) - 1 > FRESH_INTERVALS]
    return bool(ends.size and len(rates) - ends[-1] < samples)


class Replicas(NamedTuple):
    """Replicas asked for lately: (time, replicas), oldest first."""

    seen: Sequence[tuple[float, int]] = ()

    def see(self, now: float, replicas: int, reach: float) -> Replicas:
        """Note the replicas at ``now``, and forget those that explain nothing any more."""
        since = now - reach - PODS_LINGER
        # The last one before is what there was until the first one after.
        later = [k for k, (time, _) in enumerate(self.seen) if time >= since]
        kept = self.seen[max(0, (later[0] if later else len(self.seen)) - 1) :]
        if kept and kept[-1][1] == replicas:
            return Replicas(kept)
        return Replicas([*kept, (now, replicas)])

    @property
    def share(self) -> float:
        """Present ones over the most of them."""
        most = max((replicas for _, replicas in self.seen), default=0)
        return self.seen[-1][1] / most if most else 1.0


def _seconds(text: str) -> float:
    return sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))

"""The backtest as JSON: stable keys, one version number.

A key is never renamed or removed, and its unit never changes, within one :data:`VERSION`; new keys
may come. Where a number has no value it is null.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_training.backtest.actual import distance
from headstart_training.backtest.contenders import (
    ACTUAL,
    CLAIRVOYANT,
    HPA_CURRENT,
    HPA_DEFAULT,
    HPA_TUNED,
)
from headstart_training.backtest.hours import worst_hour
from headstart_training.backtest.services import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_training.backtest.judgement import Judgement
    from headstart_training.backtest.protocol import Contest
    from headstart_training.backtest.summary import Record

VERSION = 1


def document(
    judgements: Sequence[Judgement],
    records: Mapping[str, Record],
    *,
    policy: str,
    elapsed: float,
) -> dict[str, Any]:
    """Write the whole report.

    Parameters
    ----------
    judgements
        One for each service.
    records
        Of them, as :func:`headstart_training.backtest.summary.records` makes them.
    policy
        Digest of the policy file that decided.
    elapsed
        How long the backtest took [s].

    Notes
    -----
    ``version``, ``policy``, ``elapsed_seconds``;
    ``services``: see :func:`service`;
    ``summary.contenders``: by name, see
    :meth:`headstart_training.backtest.summary.Record.to_json`.
    """
    return {
        "version": VERSION,
        "policy": policy,
        "elapsed_seconds": round(elapsed, 2),
        "services": [
            service(judgement, {name: record.closures[k] for name, record in records.items()})
            for k, judgement in enumerate(judgements)
        ],
        "summary": {
            "services": len(judgements),
            "replica_hours_saved_at_equal_violations": _savings(judgements),
            "contenders": {name: record.to_json() for name, record in records.items()},
        },
    }


def service(judgement: Judgement, closures: Mapping[str, float]) -> dict[str, Any]:
    """Write one service.

    Notes
    -----
    ``name``, ``class``, ``test_days``; ``contenders``: dollars earned less spent, expected minutes
    under the SLO and replica-hours paid for, each per day of known load; ``closure``: of each.
    ``share_of_clairvoyant``: of its dollars; null where even the clairvoyant earns nothing.

    ``days``: by contender, lists along ``labels`` of what each day came to; ``length`` is the known
    part of the day, in days. ``worst_hours``: by contender, where it lost the most dollars to the
    clairvoyant. ``front``: both ways to trade replica-hours for violation minutes, ``setting`` as
    in :class:`headstart_training.backtest.front.Point`. ``sensitivity``: what everybody comes to
    where capacity or lead time is this multiple of what was assumed. ``saturation``: steps in
    which the recording may hide a larger load, and who wins if it did.
    ``outside_envelope``: share of the test half that the policy was not trained for, where the
    reactive formula decides, and which bound was left there first; null where none was.

    ``reference``: whom Headstart has to beat; ``winner``: who does. ``settings``: what each was set
    to. ``assumptions``: what was taken for granted. ``repairs``: what was mended in the recording.
    ``notes``: what was found, or not found, beside the rate.
    ``distance_to_actual``: mean replicas (and mean distance) by which a simulated HPA was off what
    really ran; null where that is unknown.
    """
    contest = judgement.contest
    accounts = contest.accounts
    return {
        "name": contest.service.name,
        "class": str(contest.service.kind),
        "test_days": round(float(contest.calendar.lengths.sum()), 4),
        "contenders": {name: account.to_json() for name, account in accounts.items()},
        "closure": {name: _or_null(value) for name, value in closures.items()},
        "share_of_clairvoyant": _shares(contest),
        "days": {
            "labels": list(contest.calendar.labels),
            "length": contest.calendar.lengths.tolist(),
            "contenders": {
                name: {
                    "dollars": account.dollars.tolist(),
                    "violation_minutes": account.violation_minutes.tolist(),
                    "replica_hours": account.replica_hours.tolist(),
                }
                for name, account in accounts.items()
            },
        },
        "worst_hours": {name: _hour(contest, name) for name in contest.results},
        "front": judgement.front.to_json(),
        "sensitivity": [truth.to_json() for truth in judgement.truths],
        "saturation": judgement.saturation.to_json(),
        "outside_envelope": judgement.outside._asdict(),
        "reference": contest.reference,
        "winner": contest.winner if judgement.saturation.conclusive else None,
        "distance_to_actual": _distance(contest),
        "settings": contest.settings,
        "assumptions": assumptions(judgement),
        "repairs": list(contest.service.repairs),
        "notes": list(contest.service.notes),
    }


def assumptions(judgement: Judgement) -> dict[str, Any]:
    """Write what was taken for granted, in the units of the key."""
    contest = judgement.contest
    profile, world = contest.profile, contest.halves.test
    goal = profile.objective
    return {
        "capacity_requests_per_second": profile.capacity,
        "capacity_assumed": judgement.assumed,
        "capacity_noise": profile.capacity_noise,
        "capacity_correlation": profile.capacity_correlation,
        "lead_time_seconds": profile.lead_time,
        "lead_steps": int(world.lead_steps[0]),
        "interval_seconds": profile.interval,
        "bin_seconds": contest.service.bin,
        "slo": goal.slo,
        "replica_cost_per_hour": goal.replica_cost,
        "value_per_thousand_requests": goal.request_value,
        "violation_cost_per_minute": goal.violation_cost,
        "tuning_days": contest.service.half * contest.service.interval / DAY,
        "initial_replicas": int(world.initial[0]),
        "replicas_billed_from": "creation" if np.all(world.bill_warming) else "ready",
    }


def _savings(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """Median by class of what Headstart saves, and the services for which it can be said."""
    savings: dict[str, list[float]] = {}
    for judgement in judgements:
        of_kind = savings.setdefault(str(judgement.contest.service.kind), [])
        if np.isfinite(judgement.front.saving):
            of_kind.append(judgement.front.saving)
    return {
        kind: {"value": float(np.median(of)) if of else None, "services": len(of)}
        for kind, of in savings.items()
    }


def _shares(contest: Contest) -> dict[str, float | None]:
    best = contest.accounts[CLAIRVOYANT].dollars_per_day
    return {
        name: account.dollars_per_day / best if best > 0 else None
        for name, account in contest.accounts.items()
    }


def _distance(contest: Contest) -> dict[str, Any] | None:
    if ACTUAL not in contest.results:
        return None
    real, counted = contest.results[ACTUAL].desired, contest.calendar.counted
    return {
        name: distance(contest.results[name].desired, real, counted)._asdict()
        for name in (HPA_CURRENT, HPA_DEFAULT, HPA_TUNED)
        if name in contest.results
    }


def _hour(contest: Contest, name: str) -> dict[str, Any]:
    hour = worst_hour(contest, name)
    offset = (contest.service.half + hour.start) * contest.service.interval
    start = contest.service.start
    return {
        # From the recording's first row: what is known even without a calendar.
        "start_seconds": offset,
        "start": None if start is None else (start + timedelta(seconds=offset)).isoformat(),
        "dollars_lost": hour.lost,
        "violation_minutes": hour.violation_minutes,
        "replica_hours": hour.replica_hours,
    }


def _or_null(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

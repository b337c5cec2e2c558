"""What happened to one policy -> its status, as a document."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from headstart_operator.accounts import scoring_status
from headstart_operator.resource import Mode

if TYPE_CHECKING:
    from headstart_operator.accounts.scoring import Scoring
    from headstart_operator.memory import Memory
    from headstart_operator.rivals.contest import Stand
    from headstart_operator.workloads.lead_times import LeadTimes
    from headstart_operator.workloads.pods import Census
    from headstart_policy.decision import Decision

Document = dict[str, Any]
# Whether a condition holds (None: unknown), its reason and its message.
_Verdict = tuple[bool | None, str, str]

# A status whose numbers alone moved is written this often, s: 1,000 policies that wrote at each
# decision would be 67 writes a second for figures that the metrics have anyway.
REFRESH_EVERY = 60.0

# Conditions that are to hold: where one does not, somebody should know.
_WANTED = {
    "Ready",
    "RateAvailable",
    "InEnvelope",
    "LeadTimeStable",
    "PolicyTrusted",
    "CapacityAsDeclared",
    "WithinBudget",
}
# Guardrail -> reason of the condition ScalingLimited; any other is its name with a capital.
_LIMITS = {"onMetricLoss": "RateLost", "history": "HistoryLoading"}

# Reasons of ScalingActive while people's orders replace the policy's decisions.
PAUSED, PINNED = "Paused", "Pinned"
ORDERED = frozenset({PAUSED, PINNED})
# Reasons of conditions that are no warning, and that someone will ask about afterwards.
TOLD = ORDERED | {"Stopped", "Events", "Quota"}


class Problem(NamedTuple):
    """Something that keeps a policy from deciding as it should."""

    reason: str
    message: str


@dataclass(frozen=True)
class Facts:
    """What is known of a policy after a tick.

    Attributes
    ----------
    generation
        Of the spec in force.
    mode
        ``None``: the spec cannot be read.
    problem
        The worst one; ``None``: the policy decides as it should.
    rate_problem
        Why there is no rate; ``None``: there is.
    inactive
        Why the operator does not scale the workload although the mode is Auto.
    ordered
        What people have ordered instead of the policy's decisions; it is no problem.
    contested
        How we stand to whoever scales the workload too; ``None``: nobody does.
    assisted
        The HPA whose ``minReplicas`` is raised, as kubectl names it; ``None``: none.
    against
        The autoscaler that a policy which observes is compared with; ``None``: there is none.
    outside
        Which bound of the policy's envelope was left.
    rate, current, census, decision, lead_time, digest, last_scale
        As in the status; ``None``: unknown.
    forecast
        What was expected for now a lead time ago, requests/s; ``None``: unknown.
    in_order
        Why the workload cannot be scaled ahead, in any mode; ``None``: it can.
    scoring
        What decisions came to; ``None``: unknown.
    """

    generation: int
    mode: Mode | None
    problem: Problem | None
    rate_problem: Problem | None = None
    inactive: Problem | None = None
    ordered: Problem | None = None
    contested: Stand | None = None
    assisted: str | None = None
    against: str | None = None
    outside: str | None = None
    rate: float | None = None
    current: int | None = None
    census: Census | None = None
    decision: Decision | None = None
    lead_time: float | None = None
    digest: str | None = None
    last_scale: float | None = None
    forecast: float | None = None
    in_order: str | None = None
    scoring: Scoring | None = None


def build(facts: Facts, memory: Memory, previous: Document, now: float) -> Document:
    """Write down the status; every key is there, so that a merge patch also removes.

    Parameters
    ----------
    facts, memory
        To be told.
    previous
        The status so far: times of conditions that did not change are kept.
    now
        Seconds since the epoch.
    """
    census, decision = facts.census, facts.decision
    return {
        "observedGeneration": facts.generation,
        "conditions": _conditions(facts, memory, previous.get("conditions") or [], now),
        "requestRate": None if facts.rate is None else format_rate(facts.rate),
        "readyReplicas": census.ready if census else None,
        "warmingReplicas": int(census.warming.sum()) if census else None,
        "currentReplicas": facts.current,
        "desiredReplicas": decision.desired if decision else None,
        "leadTimeSeconds": None if facts.lead_time is None else round(facts.lead_time),
        "leadTime": _lead_time(memory.lead_times),
        "policyDigest": facts.digest,
        "lastScaleTime": None if facts.last_scale is None else format_time(facts.last_scale),
        "comparison": _dated(scoring_status.comparison(facts.scoring, facts.mode, facts.against)),
        "budget": scoring_status.budget(facts.scoring),
        "violations": _dated(scoring_status.violations(facts.scoring)),
        "memory": memory.to_json(),
        "lastDecision": _decision(decision) if decision else previous.get("lastDecision"),
    }


def must_write(status: Document, written: Document, since: float) -> bool:
    """Whether the status says something new, or has been silent for long.

    Parameters
    ----------
    status, written
        Now, and as last written.
    since
        Seconds since it was written.
    """
    if since >= REFRESH_EVERY:
        return status != written
    return _gist(status) != _gist(written)


def bad(condition: Document) -> bool:
    """Whether a condition deserves a warning."""
    if condition["type"] == "TargetContested":
        return bool(condition["status"] != "False")
    return condition["type"] in _WANTED and condition["status"] == "False"


def relieved(condition: Document, previous: Document) -> bool:
    """Whether a condition of its own holds again, after somebody was told that it does not."""
    was = {c["type"]: c["status"] for c in previous.get("conditions") or []}
    again = condition["status"] == "True" and was.get(condition["type"]) == "False"
    return again and condition["type"] in {"PolicyTrusted", "WithinBudget"}


def news(status: Document, previous: Document) -> list[Document]:
    """Return the conditions whose status or reason has changed."""
    before = {c["type"]: (c["status"], c["reason"]) for c in previous.get("conditions") or []}
    return [c for c in status["conditions"] if before.get(c["type"]) != (c["status"], c["reason"])]


def format_time(seconds: float) -> str:
    """Write an instant as Kubernetes does: UTC, whole seconds."""
    return datetime.fromtimestamp(math.floor(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str | None) -> float | None:
    """Read what :func:`format_time` wrote."""
    return datetime.fromisoformat(text).timestamp() if text else None


def format_rate(rate: float) -> str:
    """Write a rate as a quantity, to the thousandth."""
    return f"{round(rate, 3):.3f}".rstrip("0").rstrip(".")


def _conditions(
    facts: Facts, memory: Memory, previous: list[Document], now: float
) -> list[Document]:
    before = {c["type"]: c for c in previous}

    def condition(kind: str, verdict: _Verdict) -> Document:
        holds, reason, message = verdict
        status = "Unknown" if holds is None else str(holds)
        old = before.get(kind, {})
        kept = old.get("lastTransitionTime") if old.get("status") == status else None
        return {
            "type": kind,
            "status": status,
            "observedGeneration": facts.generation,
            "lastTransitionTime": kept or format_time(now),
            "reason": reason,
            "message": message,
        }

    return [
        condition("Ready", _ready(facts)),
        condition("RateAvailable", _rate_available(facts)),
        condition("ScalingActive", _scaling_active(facts)),
        condition("ScalingLimited", _scaling_limited(facts.decision)),
        condition("InEnvelope", _in_envelope(facts)),
        condition("TargetContested", _target_contested(facts)),
        condition("PolicyTrusted", scoring_status.policy_trusted(facts.scoring)),
        condition("LeadTimeStable", _lead_time_stable(facts, memory.lead_times, now)),
        condition("CapacityAsDeclared", scoring_status.capacity_as_declared(facts.scoring)),
        condition("WithinBudget", scoring_status.within_budget(facts.scoring)),
    ]


def _ready(facts: Facts) -> _Verdict:
    if facts.problem is not None:
        return False, *facts.problem
    return True, "Deciding", "The policy decides as it should."


def _rate_available(facts: Facts) -> _Verdict:
    if facts.mode is None:
        return None, "SpecInvalid", "The spec cannot be read."
    if facts.rate_problem is not None:
        return False, *facts.rate_problem
    return True, "RateRead", "The rate can be read."


def _scaling_active(facts: Facts) -> _Verdict:
    if facts.mode is Mode.OBSERVE:
        shown = "mode is Observe: decisions are shown, nothing is touched."
        refused = f" In mode Auto it would not be scaled: {facts.in_order}."
        return False, "Observing", shown + (refused if facts.in_order else "")
    if facts.ordered is not None:
        return False, *facts.ordered
    if facts.inactive is not None:
        return False, *facts.inactive
    if facts.decision is None:
        return False, *(facts.problem or Problem("NoDecision", "There is no decision yet."))
    if facts.assisted is not None:
        return True, "Assisting", f"The operator raises minReplicas of {facts.assisted}."
    return True, "Scaling", "The operator sets the replicas of the workload."


def _scaling_limited(decision: Decision | None) -> _Verdict:
    if decision is None:
        return None, "NoDecision", "There is no decision."
    if not decision.limits:
        return False, "NotLimited", "No guardrail changed the last decision."
    last = decision.limits[-1]
    name = last.guardrail
    reason = _LIMITS.get(name, name[0].upper() + name[1:])
    return True, reason, f"{last.before} -> {last.after}: {last.reason}"


def _in_envelope(facts: Facts) -> _Verdict:
    if facts.decision is None or facts.digest is None:
        return None, "NoDecision", "No trained policy decides."
    if facts.outside is not None:
        return False, "OutsideEnvelope", f"{facts.outside}: the reactive formula decides"
    return True, "InsideEnvelope", "The workload is like those that the policy was trained for."


def _target_contested(facts: Facts) -> _Verdict:
    if facts.contested is not None:
        return facts.contested.certain or None, facts.contested.reason, facts.contested.message
    return False, "NotContested", "Nobody else changes the replicas."


def _lead_time_stable(facts: Facts, measured: LeadTimes, now: float) -> _Verdict:
    if facts.outside is not None and facts.outside.startswith("lead_steps"):
        return False, "OutsideEnvelope", f"{facts.outside}: the reactive formula decides"
    if change := measured.changed(now):
        return False, "LeadTimeChanged", change
    if measured.summary is None:
        return None, "NotMeasured", "No start was measured yet: spec.leadTime.default counts."
    return True, "AsMeasured", "Starts take as long as they did."


def _lead_time(measured: LeadTimes) -> Document | None:
    summary = measured.summary
    if summary is None:
        return None
    return {
        "p50Seconds": round(summary.p50),
        "p90Seconds": round(summary.p90),
        "samples": summary.samples,
        "schedulingSeconds": round(summary.scheduling),
        "startSeconds": round(summary.starting),
        "readinessSeconds": round(summary.readiness),
    }


def _dated(document: Document | None) -> Document | None:
    """Write ``since`` as an instant."""
    if document is None or "since" not in document:
        return document
    return {**document, "since": format_time(document["since"])}


def _decision(decision: Decision) -> Document:
    return {
        "time": format_time(decision.time),
        "candidate": decision.candidate,
        "recommendation": decision.recommendation,
        "limits": [
            {"guardrail": c.guardrail, "from": c.before, "to": c.after, "reason": c.reason}
            for c in decision.limits
        ],
        "desired": decision.desired,
        "reason": decision.reason,
    }


def _gist(status: Document) -> str:
    """Reduce a status to what is worth a write of its own: no rates, times or decisions."""
    memory = dict(status.get("memory") or {})
    behavior = dict(memory.get("behavior") or {})
    behavior["recommendations"] = [count for _, count in behavior.get("recommendations", ())]
    memory["behavior"] = behavior
    # The scores move at every decision; who is followed is news.
    memory["scores"] = (memory.get("scores") or {}).get("chosen")
    # It moves with every request; the rates tell it again.
    memory.pop("busy", None)
    memory["accounts"] = (memory.get("accounts") or {}).get("demotedSince")
    numbers = (
        "observedGeneration",
        "readyReplicas",
        "warmingReplicas",
        "currentReplicas",
        "desiredReplicas",
        "leadTimeSeconds",
        "policyDigest",
        "lastScaleTime",
    )
    conditions = status.get("conditions") or []
    gist = {
        "conditions": [(c["type"], c["status"], c["reason"]) for c in conditions],
        "problem": [c["message"] for c in conditions if c["type"] == "Ready"],
        "memory": memory,
        "against": (status.get("comparison") or {}).get("against"),
        **{key: status.get(key) for key in numbers},
    }
    return json.dumps(gist, sort_keys=True)

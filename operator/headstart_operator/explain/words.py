"""A policy's status -> sentences. Pure: documents in, text out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from headstart_operator.reporting.status import bad

if TYPE_CHECKING:
    from headstart_operator.kube import Document

# Conditions that are no news while they hold, in the order in which a person would ask.
_ORDER = (
    "Ready",
    "RateAvailable",
    "ScalingActive",
    "TargetContested",
    "InEnvelope",
    "PolicyTrusted",
    "ScalingLimited",
    "LeadTimeStable",
    "CapacityAsDeclared",
    "WithinBudget",
)
_BRACKETS = re.compile(r" \([^()]*\)")
# No fault, but what a person who wonders about the replicas asks first.
_WORTH_SAYING = {("ScalingActive", "False"), ("ScalingLimited", "True")}


def headline(policy: Document) -> str:
    """Say in a line what is scaled, how, and whether it works."""
    spec, status = policy["spec"], policy.get("status") or {}
    target = spec["scaleTargetRef"]
    ready = condition(policy, "Ready")
    state = "is not served by an operator yet"
    if ready:
        state = "works" if ready["status"] == "True" else f"has a problem: {ready['reason']}"
    digest = str(status.get("policyDigest") or "no artefact").removeprefix("sha256:")[:12]
    return (
        f"{spec.get('mode', 'Observe')} of {target.get('kind', 'Deployment')} {target['name']}, "
        f"policy {digest}: {state}"
    )


def figures(policy: Document) -> list[tuple[str, str]]:
    """List what is known of the service, as name and value."""
    spec, status = policy["spec"], policy.get("status") or {}
    rows = {
        "rate": _rate(spec, status),
        "replicas": _replicas(spec, status),
        "lead time": _lead_time(status),
        "last scaled": str(status.get("lastScaleTime") or "never"),
        "compared": _comparison(spec, status.get("comparison") or {}),
        "error budget": _budget(status.get("budget") or {}),
        "violations": _violations(status.get("violations") or {}),
    }
    return [(name, text) for name, text in rows.items() if text]


def last_decision(policy: Document) -> list[str]:
    """Tell the last decision step by step; nothing where there is none."""
    decision = (policy.get("status") or {}).get("lastDecision")
    if not decision:
        return []
    asked, *_ = str(decision.get("reason", "")).split("; ")
    steps = [f"{decision.get('time')}: {asked}"]
    steps += [
        f"{limit['guardrail']}: {limit['from']} -> {limit['to']}, {limit['reason']}"
        for limit in decision.get("limits") or ()
    ]
    steps.append(f"desired: {decision.get('desired')}")
    return steps


def condition(policy: Document, kind: str) -> Document:
    """Find a condition; empty where there is none."""
    conditions = (policy.get("status") or {}).get("conditions") or ()
    return next((dict(c) for c in conditions if c["type"] == kind), {})


def notable(policy: Document) -> list[Document]:
    """Conditions that a person should know of: those that are bad, and what limits scaling."""
    found = (condition(policy, kind) for kind in _ORDER)
    return [c for c in found if c and (bad(c) or (c["type"], c["status"]) in _WORTH_SAYING)]


def troubles(policy: Document) -> str:
    """Name the bad conditions in a few words, for a table."""
    return ", ".join(dict.fromkeys(c["reason"] for c in notable(policy) if bad(c)))


def happened(time: str, times: int, reason: str, message: str) -> str:
    """Tell an event in a line, without what stands in brackets: that is the same each time."""
    often = f" (x {times})" if times > 1 else ""
    return f"{time} {reason}{often}: {_BRACKETS.sub('', message)}"


def _rate(spec: Document, status: Document) -> str:
    serves = spec["capacity"]["requestsPerSecond"]
    return f"{_known(status, 'requestRate')} requests/s; one replica serves {serves}"


def _replicas(spec: Document, status: Document) -> str:
    counts = (
        f"{_known(status, f'{key}Replicas')} {word}"
        for key, word in (
            ("ready", "ready"),
            ("warming", "warming"),
            ("current", "asked for"),
            ("desired", "desired"),
        )
    )
    return f"{', '.join(counts)} ({spec.get('minReplicas', 1)} to {spec['maxReplicas']} allowed)"


def _lead_time(status: Document) -> str:
    planned = f"{_known(status, 'leadTimeSeconds')} s planned with"
    lead = status.get("leadTime") or {}
    if not lead.get("samples"):
        return f"{planned}, none measured yet"
    p50, p90 = _known(lead, "p50Seconds"), _known(lead, "p90Seconds")
    return f"{planned}; half of {lead['samples']} starts took {p50} s, nine of ten {p90} s"


def _comparison(spec: Document, comparison: Document) -> str:
    if not comparison.get("against"):
        return ""
    against = f"with {comparison['against']} since {comparison.get('since')}"
    if comparison.get("savedDollars") is None:
        return against
    saved = float(comparison["savedDollars"])
    would = "would have " if spec.get("mode", "Observe") == "Observe" else ""
    what = f"saved {saved:,.2f}" if saved >= 0 else f"spent {-saved:,.2f} more"
    minutes = _known(comparison, "violationMinutes"), _known(comparison, "theirViolationMinutes")
    return f"{against}: {would}{what} dollars; {minutes[0]} min of violation, theirs {minutes[1]}"


def _budget(budget: Document) -> str:
    if budget.get("remainingRatio") is None:
        return ""
    left = f"{float(budget['remainingRatio']):.0%} left of {_known(budget, 'slo')} %"
    spent, hedge = _known(budget, "spentMinutes"), _known(budget, "hedge")
    return f"{left}, {spent} min spent; a violation is priced at {hedge} times what the spec says"


def _violations(violations: Document) -> str:
    if violations.get("predictedMinutes") is None:
        return ""
    measured = violations.get("measuredMinutes")
    beside = "" if measured is None else f", {measured} min measured"
    return f"{violations['predictedMinutes']} min predicted{beside} since {violations.get('since')}"


def _known(status: Document, key: str) -> str:
    value = status.get(key)
    return "?" if value is None else str(value)

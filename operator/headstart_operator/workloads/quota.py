"""How many more replicas the ResourceQuotas of a namespace leave room for.

A quota speaks of what all pods of its scopes ask for together
(https://kubernetes.io/docs/concepts/policy/resource-quotas/). What a LimitRange fills in at
admission is not in the template, so a quota on what only a LimitRange gives is not foreseen here:
its pods are refused, and shown as such.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.fields import parse_quantity
from headstart_policy.guardrails import Headroom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_operator.kube import Document

# Float noise of summed milli-values, as a share of a replica.
_SLACK = 1e-6
# Quotas may name these without "requests.".
_SHORT = {"cpu", "memory", "ephemeral-storage"}

# Of one pod, by resource.
Amounts = dict[str, float]


class Quota(NamedTuple):
    """What one ResourceQuota admits and what is used of it, by resource; and its scopes."""

    name: str
    hard: Mapping[str, float]
    used: Mapping[str, float]
    scopes: Sequence[Document] = ()


def needs(template: Document) -> dict[str, float]:
    """Sum up what one pod of a template takes of each resource that a quota can name."""
    spec = template.get("spec") or {}
    requests, limits = _pod(spec, "requests"), _pod(spec, "limits")
    return {
        "pods": 1.0,
        "count/pods": 1.0,
        **{f"requests.{name}": amount for name, amount in requests.items()},
        **{name: amount for name, amount in requests.items() if name in _SHORT},
        **{f"limits.{name}": amount for name, amount in limits.items()},
    }


def applies(scopes: Sequence[Document], template: Document) -> bool:
    """Whether pods of a template match all scopes of a quota."""
    pod = template.get("spec") or {}
    return all(_matches(scope, pod) for scope in scopes)


def parse(document: Document) -> Quota:
    """Reduce a ResourceQuota; its status is what is enforced.

    Raises
    ------
    ValueError
        It has a quantity that is none.
    """
    spec, status = document.get("spec") or {}, document.get("status") or {}
    hard, used = (
        {name: parse_quantity(amount) for name, amount in (status.get(part) or {}).items()}
        for part in ("hard", "used")
    )
    plain = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    chosen = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return Quota(document["metadata"]["name"], hard, used, (*plain, *chosen))


def headroom(quotas: Sequence[Quota], each: Mapping[str, float], existing: int) -> Headroom | None:
    """Count the replicas that fit.

    Parameters
    ----------
    quotas
        Those that apply.
    each
        What one pod takes (:func:`needs`).
    existing
        Replicas that have a pod, which is in ``used`` already.

    Returns
    -------
    The tightest; ``None``: nothing limits.
    """
    found = [
        _room(quota, resource, need, existing)
        for quota in quotas
        for resource, need in each.items()
        if need > 0 and resource in quota.hard
    ]
    return min(found, key=lambda room: room.replicas, default=None)


def _room(quota: Quota, resource: str, need: float, existing: int) -> Headroom:
    hard = quota.hard[resource]
    # A quota that is new counts pods late, those that came meanwhile by minutes: our own are there.
    used = max(quota.used.get(resource, 0.0), existing * need)
    more = max(0, math.floor((hard - used) / need + _SLACK))
    return Headroom(
        existing + more,
        f"ResourceQuota {quota.name}: {resource} hard = {hard:g}, used = {used:g}, "
        f"{need:g} per replica: room for {more} more",
    )


def _pod(spec: Document, kind: str) -> Amounts:
    """Sum up a pod's requests or limits as the scheduler does.

    Init containers run one after the other before the others; those that always restart
    (sidecars) run beside them.
    """
    total: Amounts = {}
    highest: Amounts = {}
    for container in spec.get("initContainers") or ():
        amounts = _amounts(container, kind)
        if container.get("restartPolicy") == "Always":
            total = _sum(total, amounts)
            highest = _most(highest, total)
        else:
            highest = _most(highest, _sum(total, amounts))
    for container in spec.get("containers") or ():
        total = _sum(total, _amounts(container, kind))
    # Resources of the whole pod stand for the sum of its containers'.
    amounts = {**_most(total, highest), **_amounts(spec, kind)}
    # What the runtime takes comes on top; it makes no limit of its own.
    overhead = {
        name: parse_quantity(amount)
        for name, amount in (spec.get("overhead") or {}).items()
        if kind == "requests" or name in amounts
    }
    return _sum(amounts, overhead)


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**one, **other}}


def _most(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}}


def _amounts(holder: Document, kind: str) -> Amounts:
    resources = holder.get("resources") or {}
    # A limit without a request is the request, too.
    given = {**(resources.get("limits") or {}), **(resources.get(kind) or {})}
    chosen = given if kind == "requests" else resources.get("limits") or {}
    return {name: parse_quantity(amount) for name, amount in chosen.items()}


def _matches(scope: Document, pod: Document) -> bool:
    name = scope.get("scopeName")
    if name == "PriorityClass":
        return _selects(scope, pod.get("priorityClassName"))
    bare = not any(_pod(pod, kind) for kind in ("requests", "limits"))
    ends = pod.get("activeDeadlineSeconds") is not None
    # A scope that is not known is taken for one that does not match: no limit is foreseen.
    return {
        "BestEffort": bare,
        "NotBestEffort": not bare,
        "Terminating": ends,
        "NotTerminating": not ends,
    }.get(str(name), False)


def _selects(scope: Document, value: str | None) -> bool:
    values = scope.get("values") or ()
    verdicts: dict[str, bool] = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return verdicts.get(str(scope.get("operator")), False)

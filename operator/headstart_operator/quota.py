"""How many more replicas the ResourceQuotas of a namespace leave room for.

A quota speaks of what all pods of its scopes ask for together
(https://kubernetes.io/docs/concepts/policy/resource-quotas/). What a LimitRange fills in at
admission is not in the template, so a quota on what only a LimitRange gives is not foreseen here:
its pods are refused, and shown as such.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.fields import parse_quantity
from headstart_operator.kube import ApiError
from headstart_operator.watch import Kind, Watches
from headstart_policy.guardrails import Headroom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_operator.kube import Api, Document

# What was listed, and a workload's template, are good for so long, s.
LIST_AGE = 10.0
TEMPLATE_AGE = 60.0
# What nobody has asked for in so many seconds is forgotten.
KEPT = 600.0
# Float noise of summed milli-values, as a share of a replica.
_SLACK = 1e-6
# Quotas may name these without "requests.".
_SHORT = {"cpu", "memory", "ephemeral-storage"}

# Of one pod, by resource.
Amounts = dict[str, float]

_log = logging.getLogger(__name__)


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
    hard, used = quota.hard[resource], quota.used.get(resource, 0.0)
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


class _Listed(NamedTuple):
    at: float
    quotas: list[Quota]


class _Template(NamedTuple):
    at: float
    template: Document


class _Room(NamedTuple):
    at: float
    headroom: Headroom | None


class Quotas:
    """The quotas of all namespaces that the operator serves, from a watch.

    While the watch is not to be trusted they are listed, each namespace's at most once in
    :data:`LIST_AGE` seconds.
    """

    def __init__(self, api: Api, namespaces: tuple[str, ...] = ()) -> None:
        self._api = api
        kind = Kind("/api/v1", "resourcequotas", _keep, lambda name, _: (name.namespace,))
        self._watches = Watches(api, kind, namespaces)
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._listed: dict[str, _Listed] = {}
        self._templates: dict[str, _Template] = {}
        self._rooms: dict[str, _Room] = {}
        self._swept = 0.0

    def due(self, namespace: str, path: str, now: float) -> bool:
        """Whether to :meth:`look`, before :meth:`of`, at ``now``, s since the epoch."""
        quotas = self._quotas(namespace, now)
        if not quotas:
            return quotas is None
        known = self._templates.get(path)
        return known is None or not 0 <= now - known.at < TEMPLATE_AGE

    def look(self, namespace: str, path: str, now: float) -> None:
        """Read what is missing of a namespace and of a workload in it; this blocks."""
        with self._locks[namespace]:
            quotas = self._quotas(namespace, now)
            if quotas is None:
                quotas = self._list(namespace, now)
        if quotas and self.due(namespace, path, now):
            try:
                spec = self._api.get(path).get("spec") or {}
            except ApiError as error:
                # A guardrail that cannot look stays out of the way: pods beyond are refused anyway.
                _log.warning("%s: quotas are not foreseen: %s", path, error)
                spec = {}
            self._templates[path] = _Template(now, spec.get("template") or {})
        if abs(now - self._swept) > KEPT:
            self._sweep(now)

    def of(self, namespace: str, path: str, existing: int, now: float) -> Headroom | None:
        """Say how many replicas of a workload fit; it does not block.

        Parameters
        ----------
        namespace, path
            Of the workload.
        existing
            Its replicas that have a pod.
        now
            Seconds since the epoch.

        Returns
        -------
        ``None``: nothing limits, or nobody knows.
        """
        quotas, known = self._quotas(namespace, now), self._templates.get(path)
        if not quotas or known is None:
            self._rooms.pop(path, None)
            return None
        try:
            chosen = [quota for quota in quotas if applies(quota.scopes, known.template)]
            room = headroom(chosen, needs(known.template), existing)
        except (AttributeError, TypeError, ValueError) as error:
            _log.warning("%s: quotas are not foreseen: %s", path, error)
            room = None
        before = self._rooms.get(path)
        self._rooms[path] = _Room(now, room)
        # Pods may be seen a moment before they are in a quota's ``used``, and would be counted
        # twice. Asked for, such replicas would stay asked for: the guardrail never lowers.
        rooms = [one for one in (room, before and before.headroom) if one is not None]
        return min(rooms, key=lambda one: one.replicas) if room is not None else None

    def stop(self) -> None:
        """End the watches."""
        self._watches.stop()

    def _quotas(self, namespace: str, now: float) -> list[Quota] | None:
        """Return those of a namespace; ``None``: they are to be listed."""
        found = self._watches.of(namespace).find([namespace])
        if found is not None:
            return found
        listed = self._listed.get(namespace)
        fresh = listed is not None and 0 <= now - listed.at < LIST_AGE
        return listed.quotas if listed is not None and fresh else None

    def _list(self, namespace: str, now: float) -> list[Quota]:
        listed = self._listed.get(namespace)
        try:
            items = self._api.get(f"/api/v1/namespaces/{namespace}/resourcequotas")["items"]
            quotas = [quota for item in items if (quota := _keep(item)) is not None]
        except ApiError as error:
            quotas = listed.quotas if listed and error.unreachable else []
            if listed is None:
                _log.warning("%s: quotas are not foreseen: %s", namespace, error)
        self._listed[namespace] = _Listed(now, quotas)
        return quotas

    def _sweep(self, now: float) -> None:
        """Forget namespaces and workloads in which nothing is scaled any more."""
        self._swept = now
        for known in (self._listed, self._rooms, self._templates):
            # Another thread may add to it meanwhile.
            for key, entry in list(known.items()):
                if abs(now - entry.at) > KEPT:
                    known.pop(key, None)


def _keep(document: Document) -> Quota | None:
    try:
        return parse(document)
    except ValueError as error:
        _log.warning("ResourceQuota %s: %s", document["metadata"]["name"], error)
        return None

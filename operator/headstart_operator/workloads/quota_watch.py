"""The ResourceQuotas of the namespaces that are scaled in, and what they leave room for."""

from __future__ import annotations

import logging
from collections import defaultdict
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from headstart_operator.kube import ApiError
from headstart_operator.workloads.quota import Quota, applies, headroom, needs, parse
from headstart_operator.workloads.watch import Kind, Watches

if TYPE_CHECKING:
    from headstart_operator.kube import Api, Document
    from headstart_policy.guardrails import Headroom

# What was listed, and a workload's template, are good for so long, s.
LIST_AGE = 10.0
TEMPLATE_AGE = 60.0
# What nobody has asked for in so many seconds is forgotten.
KEPT = 600.0

_log = logging.getLogger(__name__)


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
        _forget(self._listed, now)
        _forget(self._rooms, now)
        _forget(self._templates, now)


def _keep(document: Document) -> Quota | None:
    try:
        return parse(document)
    except ValueError as error:
        _log.warning("ResourceQuota %s: %s", document["metadata"]["name"], error)
        return None


Entry = TypeVar("Entry", _Listed, _Room, _Template)


def _forget(known: dict[str, Entry], now: float) -> None:
    # Another thread may add to it meanwhile.
    for key, entry in list(known.items()):
        if abs(now - entry.at) > KEPT:
            known.pop(key, None)

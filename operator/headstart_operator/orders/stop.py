"""The one switch that stops all scaling: a ConfigMap in the operator's own namespace.

Whoever may create it needs no rights on policies, and needs not know which there are.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from headstart_operator.kube import ApiError
from headstart_operator.reporting.status import Problem

if TYPE_CHECKING:
    from headstart_operator.kube import Api, Document

# Seconds between two looks.
LOOK_EVERY = 2.0
REASON = "Stopped"

_log = logging.getLogger(__name__)


class StopSwitch:
    """Knows whether scaling is stopped; without a namespace nobody can stop it.

    While the API server cannot be reached, the last known answer stands: a network that fails must
    not start what people have stopped. Until there is a first answer nothing is scaled.
    """

    def __init__(self, api: Api, namespace: str | None, name: str) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._looked = float("-inf")
        self._known = namespace is None
        unknown = f"whether ConfigMap {namespace}/{name} stops all scaling is not known yet"
        self.stopped = None if self._known else Problem(REASON, unknown)
        """Why nothing may be scaled; ``None``: it may."""

    def due(self, now: float) -> bool:
        """Whether to look again at ``now``, s since the epoch."""
        if self._namespace is None or abs(now - self._looked) < LOOK_EVERY:
            return False
        self._looked = now
        return True

    def look(self) -> None:
        """Ask the API server; this blocks."""
        if self._namespace is None:
            return
        path = f"/api/v1/namespaces/{self._namespace}/configmaps/{self._name}"
        try:
            found = self._api.get(path)
        except ApiError as error:
            self._take(error)
        else:
            if self.stopped is None or not self._known:
                _log.warning("ConfigMap %s/%s stops all scaling", self._namespace, self._name)
            self.stopped, self._known = Problem(REASON, self._message(found)), True

    def _take(self, error: ApiError) -> None:
        if error.status == HTTPStatus.NOT_FOUND:
            if self.stopped is not None and self._known:
                _log.warning("ConfigMap %s/%s is gone: scaling", self._namespace, self._name)
            self.stopped, self._known = None, True
        elif error.status == HTTPStatus.FORBIDDEN and not self._known:
            # Nobody can have stopped an operator that never was allowed to look.
            self.stopped, self._known = None, True
            _log.warning("the stop switch cannot be read: %s; the chart's Role allows it", error)

    def _message(self, found: Document) -> str:
        data = found.get("data") or {}
        what = f"ConfigMap {self._namespace}/{self._name} stops all scaling"
        who = f", set by {data['by']}" if data.get("by") else ""
        why = f": {data['reason']}" if data.get("reason") else ""
        return f"{what}{who}{why}. Delete it to go on."

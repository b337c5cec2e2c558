"""Publishes what happened to a policy: status, events, metrics, log."""

from __future__ import annotations

import logging
import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from headstart_operator.kube import MERGE_PATCH, ApiError
from headstart_operator.memory import packed
from headstart_operator.reporting import events, logs
from headstart_operator.reporting import status as statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_operator.kube import Api, Document
    from headstart_operator.reporting.metrics import Metrics
    from headstart_operator.reporting.status import Facts
    from headstart_operator.service import Service
    from headstart_operator.work import Work

# A status that says nothing new is written up to so many seconds later than it could be, so that
# policies that began together do not write together for ever.
STATUS_JITTER = 15.0

_log = logging.getLogger(__name__)


class Teller:
    """Tells of all policies."""

    def __init__(
        self, api: Api, metrics: Metrics, work: Work, clock: Callable[[], float], pod: str
    ) -> None:
        self._api = api
        self._metrics = metrics
        self._work = work
        self._clock = clock
        self._pod = pod

    async def tell(self, service: Service, facts: Facts) -> bool:
        """Publish what is known: metrics always, events on news, the status when it says more.

        Returns
        -------
        bool
            Whether the policy still exists, as far as the API server said.
        """
        now = self._clock()
        before = service.status
        status = statuses.build(facts, service.memory, before, now)
        self._metrics.tell(*service.key, facts, status["conditions"])
        for condition in statuses.news(status, before):
            self._announce(service, condition, before)
        service.status = status
        if not statuses.must_write(status, service.written, now - service.written_at):
            return True
        path = f"/apis/headstart.dev/v1alpha1/namespaces/{service.key.namespace}/scalingpolicies/"
        body = {"status": packed(status)}
        try:
            await self._work.writing_status(
                self._api.patch,
                f"{path}{service.key.name}/status",
                body,
                MERGE_PATCH,
            )
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            _log.warning("%s/%s: status: %s", *service.key, error)
        else:
            service.written, service.written_at = status, now + _jitter()
        return True

    def _announce(self, service: Service, condition: Document, before: Document) -> None:
        """Tell news of a condition as an event."""
        if condition["reason"] == "HistoryLoading":
            return
        if statuses.bad(condition):
            kind = events.WARNING
        elif (
            condition["reason"] in statuses.TOLD
            or statuses.relieved(condition, before)
            or (condition["type"] == "Ready" and before.get("conditions"))
        ):
            kind = events.NORMAL
        else:
            return
        same = condition["type"]
        self.event(service, kind, condition["reason"], condition["message"], same=same)

    def event(
        self,
        service: Service,
        kind: str,
        reason: str,
        message: str,
        *,
        same: str | None = None,
        **facts: Any,
    ) -> None:
        """Tell what happened as an event and a line of the log, where ``facts`` are keys.

        ``same`` is what it shares with one like it, by default the whole message.
        """
        event = service.chronicle.tell(
            kind, reason, message, self._clock(), self._pod, same or message
        )
        if event is None:
            return
        about = logs.about(*service.key, event=reason, **facts)
        _log.info("%s/%s: %s: %s", *service.key, reason, message, extra=about)

        async def send() -> None:
            try:
                await self._work.blocking(events.send, self._api, event)
            except ApiError as error:
                _log.warning("%s/%s: event: %s", *service.key, error)

        self._work.spawn(send())


def _jitter() -> float:
    return random.uniform(0.0, STATUS_JITTER)  # noqa: S311 - no secret.

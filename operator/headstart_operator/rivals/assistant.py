"""Carries out what mode Assist and a policy's end ask for; what that is, assist.py decides."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.reporting.status import Problem
from headstart_operator.resource import Mode, OnDelete
from headstart_operator.rivals import assist, originals
from headstart_operator.rivals.autoscalers import target_of
from headstart_operator.service import Key
from headstart_operator.workloads.targets import TargetError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from headstart_operator.kube import Api
    from headstart_operator.rivals.autoscalers import Autoscaler, Rivals
    from headstart_operator.service import Service
    from headstart_operator.workloads.targets import Targets

# Seconds between two looks at all floors that were raised.
CARE_EVERY = 10.0
# So long after its start an operator may not know all policies yet, s.
SETTLED_AFTER = 60.0

_log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What became of a wish: the floor before and after, and why it could not be carried out."""

    hpa: str | None = None
    before: int = 0
    after: int = 0
    problem: Problem | None = None

    @property
    def carried_out(self) -> bool:
        """Whether the floor has changed."""
        return self.before != self.after


class Assistant:
    """Writes HPAs' floors; used by one event loop's thread alone."""

    def __init__(
        self,
        api: Api,
        targets: Targets,
        rivals: Rivals,
        blocking: Callable[..., Awaitable[Autoscaler]],
    ) -> None:
        self._api = api
        self._targets = targets
        self._rivals = rivals
        self._blocking = blocking
        self._begun: float | None = None
        self._cared = -math.inf

    async def see(self, service: Service, now: float) -> None:
        """Bring a policy what autoscales its workload."""
        if service.spec is None:
            return
        target = target_of(service.key.namespace, service.spec.scale_target_ref)
        service.found = await self._rivals.of(target, now)

    async def raise_floor(self, service: Service, desired: int, now: float) -> Outcome:
        """Let the workload's HPA keep ``desired`` replicas at least."""
        refusal, hpa = assist.refusal(service.found), service.found.hpa
        if refusal is not None or hpa is None:
            return Outcome(problem=Problem("NothingToAssist", refusal or "there is no HPA"))
        if service.stand is not None and service.stand.hands_off:
            step = assist.restored(hpa) if assist.read(hpa) else None
            problem = Problem("TargetContested", service.stand.message)
        else:
            step, problem = assist.plan(hpa, desired, service.key.name, now), None
        if step is None:
            return Outcome(str(hpa), hpa.least, hpa.least, problem)
        try:
            await self._write(hpa, step)
        except assist.HpaChangedError:
            _log.info("%s/%s: %s changed meanwhile: next time", *service.key, hpa)
            return Outcome(str(hpa), hpa.least, hpa.least, problem)
        except assist.HpaError as error:
            return Outcome(problem=Problem("HpaRefused", str(error)))
        # Who sets the same again before the next tick does it another time.
        service.floor_changed = None
        return Outcome(str(hpa), hpa.least, step.least, problem)

    def due(self, now: float) -> bool:
        """Whether it is time to look at all floors; says so once."""
        if self._begun is None:
            self._begun = now
        # The clock may have been set back.
        if abs(now - self._cared) < CARE_EVERY:
            return False
        self._cared = now
        return True

    async def care(self, services: Mapping[Key, Service], now: float, *, stopped: bool) -> None:
        """Prolong the floors of the policies that there are; put the others back.

        Who has ``stopped`` all scaling wants no floor to fall either.
        """
        await self._rivals.refresh(now)
        settled = self._begun is not None and abs(now - self._begun) >= SETTLED_AFTER
        for hpa in self._rivals.all():
            note = assist.read(hpa)
            if note is None:
                continue
            claimed = _claimed(services, hpa, note)
            care = assist.care(note, now, claimed=claimed)
            if care is assist.Care.PROLONG:
                await self._try(hpa, assist.prolonged(hpa, note, now))
            elif care is assist.Care.RESTORE and not stopped and (settled or claimed is not None):
                await self._try(hpa, assist.restored(hpa))

    async def end(self, service: Service, now: float) -> str | None:
        """Give back what a policy that has gone had taken; says what that was."""
        if service.spec is None:
            return None
        await self._rivals.refresh(now)
        target = target_of(service.key.namespace, service.spec.scale_target_ref)
        for hpa in self._rivals.all():
            note = assist.read(hpa)
            if note is not None and (hpa.target, note.policy) == (target, service.key.name):
                step = assist.restored(hpa)
                if await self._try(hpa, step):
                    return f"minReplicas of {hpa}: {hpa.least} -> {step.least}"
        original = service.memory.original
        wanted = service.spec.on_delete is OnDelete.RESTORE and service.spec.mode is Mode.AUTO
        if original is None or not wanted:
            return None
        ref = service.spec.scale_target_ref
        try:
            before = await asyncio.to_thread(
                originals.restore, self._targets, service.key.namespace, ref, original
            )
        except TargetError as error:
            _log.warning("%s/%s: replicas are not restored: %s", *service.key, error)
            return None
        return None if before is None else f"{before} -> {original.replicas} replicas"

    async def _try(self, hpa: Autoscaler, step: assist.Step) -> bool:
        try:
            await self._write(hpa, step)
        except (assist.HpaChangedError, assist.HpaError) as error:
            _log.warning("%s %s: %s", hpa.target.namespace, hpa, error)
            return False
        return True

    async def _write(self, hpa: Autoscaler, step: assist.Step) -> None:
        try:
            self._rivals.replace(await self._blocking(assist.write, self._api, hpa, step))
        except assist.HpaChangedError:
            self._rivals.expire()
            raise


def _claimed(services: Mapping[Key, Service], hpa: Autoscaler, note: assist.Note) -> bool | None:
    """Whether the policy that raised a floor still wants to; ``None``: we know no such policy."""
    namespace = hpa.target.namespace
    service = services.get(Key(namespace, note.policy))
    if service is None:
        return None
    if service.spec is None:
        # What it asks for cannot be read: nothing is taken away for that.
        return True
    target = target_of(namespace, service.spec.scale_target_ref)
    return service.spec.mode is Mode.ASSIST and target == hpa.target

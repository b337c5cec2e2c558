"""Floors that were raised are prolonged while their policy lives, and put back when it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from headstart_operator.kube import Api, ApiError
from headstart_operator.rivals import assist, assistant
from headstart_operator.rivals.assist import ANNOTATION, LEASE, Note
from headstart_operator.rivals.assistant import Assistant
from headstart_operator.rivals.autoscalers import Rivals
from headstart_operator.service import Key, Service
from headstart_operator.workloads.targets import Scale, Targets
from tests.unit.operator.rivals.test_autoscalers import an_hpa
from tests.unit.operator.test_resource import MINIMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

NOW = 1_767_225_600.0
KEY = Key("shop", "checkout")
NOTE = Note(owners=2, raised=6, until=NOW + LEASE, policy="checkout")


class FakeApi(Api):
    """One HPA, whose floor and note can be patched."""

    def __init__(self) -> None:
        self.hpa = an_hpa(
            minReplicas=6, metadata={"annotations": {ANNOTATION: str(NOTE), "team": "shop"}}
        )
        self.failure: ApiError | None = None

    @property
    def floor(self) -> int:
        """Its ``minReplicas``."""
        return int(self.hpa["spec"]["minReplicas"])

    @property
    def note(self) -> str | None:
        """What is written beside it."""
        note: str | None = self.hpa["metadata"]["annotations"].get(ANNOTATION)
        return note

    def get(self, path: str, *, accept: str = "", **query: str) -> dict[str, Any]:
        """List it."""
        del accept, query
        if path.endswith("/horizontalpodautoscalers/checkout"):
            raise ApiError(403, "the chart's role may list HPAs, and not get one")
        return {"items": [self.hpa] if "autoscaling" in path else []}

    def patch(self, path: str, body: Any, content_type: str) -> dict[str, Any]:
        """Carry out a JSON patch."""
        del content_type
        assert path.endswith("/horizontalpodautoscalers/checkout")
        if self.failure is not None:
            raise self.failure
        for change in body:
            *way, last = (p.replace("~1", "/") for p in change["path"].strip("/").split("/"))
            part = self.hpa
            for key in way:
                part = part[key]
            if change["op"] == "test" and part.get(last) != change["value"]:
                raise ApiError(422, "the test failed")
            if change["op"] in {"add", "replace"}:
                part[last] = change["value"]
            if change["op"] == "remove":
                del part[last]
        return self.hpa


async def at_once(call: Callable[..., Any], *arguments: Any) -> Any:
    """Call without a thread."""
    return call(*arguments)


class Stage:
    """An operator that has known its policies for a while."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.rivals = Rivals(self.api, [], at_once)
        self.targets = Targets(self.api)
        self.assistant = Assistant(self.api, self.targets, self.rivals, at_once)
        self.services: dict[Key, Service] = {}
        self.assistant.due(NOW - assistant.SETTLED_AFTER)

    def policy(self, **spec: Any) -> Service:
        """Add or change the policy."""
        metadata = {"uid": "u", "generation": len(self.services) + 1}
        document = {**MINIMAL, "mode": "Assist", **spec}
        service = Service.begin(KEY, {"metadata": metadata})
        service.update({"metadata": metadata, "spec": document})
        self.services[KEY] = service
        return service

    async def see(self, service: Service, seconds: float = 0.0) -> None:
        """Look at what autoscales a policy's workload, and at who set its floor."""
        await self.assistant.see(service, NOW + seconds)
        service.see_floor(NOW + seconds)

    async def care(self, seconds: float = 0.0, *, stopped: bool = False) -> None:
        """Look at the floors."""
        await self.assistant.care(self.services, NOW + seconds, stopped=stopped)


def play(scene: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    """Run a scene."""

    async def on_a_loop() -> None:
        stage = Stage()
        try:
            await scene(stage)
        finally:
            stage.targets.stop()

    asyncio.run(on_a_loop())


def test_a_living_operator_prolongs_rarely() -> None:
    async def scene(stage: Stage) -> None:
        stage.policy()
        await stage.care(LEASE / 2)
        assert stage.api.note == str(NOTE)
        await stage.care(LEASE / 2 + 1)
        assert '"until": "2026-01-01T00:07:31Z"' in (stage.api.note or "")
        assert stage.api.floor == 6

    play(scene)


def test_a_policy_that_cannot_be_read_keeps_its_floor() -> None:
    async def scene(stage: Stage) -> None:
        stage.policy(minReplicas=1000)
        assert stage.services[KEY].spec is None
        await stage.care(LEASE)
        assert stage.api.floor == 6
        assert stage.api.note != str(NOTE)

    play(scene)


@pytest.mark.parametrize("change", [{"mode": "Observe"}, {"scaleTargetRef": {"name": "cart"}}])
def test_a_policy_that_assists_no_more_gives_the_floor_back(change: dict[str, Any]) -> None:
    async def scene(stage: Stage) -> None:
        stage.policy(**change)
        # Whoever stopped all scaling wants nothing to fall.
        await stage.care(stopped=True)
        assert stage.api.floor == 6
        await stage.care()
        assert (stage.api.floor, stage.api.note) == (2, None)
        assert stage.api.hpa["metadata"]["annotations"] == {"team": "shop"}

    play(scene)


def test_a_floor_of_nobody_falls_when_it_expires() -> None:
    async def scene(stage: Stage) -> None:
        await stage.care(LEASE - 1)
        assert stage.api.floor == 6
        await stage.care(LEASE)
        assert (stage.api.floor, stage.api.note) == (2, None)

    play(scene)


def test_an_operator_that_has_just_started_may_not_know_whose_floor_it_is() -> None:
    async def scene(stage: Stage) -> None:
        fresh = Assistant(stage.api, stage.targets, stage.rivals, at_once)
        assert fresh.due(NOW + LEASE)
        assert not fresh.due(NOW + LEASE + 9)
        await fresh.care({}, NOW + LEASE, stopped=False)
        assert stage.api.floor == 6
        await fresh.care({}, NOW + LEASE + assistant.SETTLED_AFTER, stopped=False)
        assert stage.api.floor == 2

    play(scene)


def test_a_policys_end_gives_the_floor_back_at_once() -> None:
    async def scene(stage: Stage) -> None:
        told = await stage.assistant.end(stage.policy(), NOW)
        assert told == "minReplicas of HorizontalPodAutoscaler/checkout: 6 -> 2"
        assert (stage.api.floor, stage.api.note) == (2, None)
        assert await stage.assistant.end(stage.policy(), NOW) is None

    play(scene)


def test_whoever_changes_the_hpa_in_the_same_moment_wins() -> None:
    async def scene(stage: Stage) -> None:
        service = stage.policy()
        await stage.see(service)
        stage.api.hpa["spec"]["minReplicas"] = 4
        outcome = await stage.assistant.raise_floor(service, 8, NOW)
        assert not outcome.carried_out
        assert stage.api.floor == 4
        # What it saw was too old: it looks again, and notes who.
        await stage.see(service, 1)
        await stage.see(service, 2)
        assert len(service.memory.contest.times) == 1
        outcome = await stage.assistant.raise_floor(service, 8, NOW + 2)
        assert (outcome.before, outcome.after) == (4, 8)
        assert '"minReplicas": 4' in (stage.api.note or "")

    play(scene)


def test_who_is_told_thrice_leaves_the_hpa_as_its_owner_has_it() -> None:
    async def scene(stage: Stage) -> None:
        service = stage.policy()
        for k in range(3):
            stage.api.hpa["spec"]["minReplicas"] = 3
            stage.rivals.expire()
            await stage.see(service, k)
            assert service.spec
            service.take_stand(service.spec, None, NOW + k)
            outcome = await stage.assistant.raise_floor(service, 8, NOW + k)
        assert outcome.problem
        assert outcome.problem.reason == "TargetContested"
        assert (stage.api.floor, stage.api.note) == (3, None)

    play(scene)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (ApiError(403, "forbidden"), "grant it, in the chart by assist.enabled"),
        # As a failed test does, with 422: to look again helps only where the HPA is another.
        (ApiError(422, "an admission policy denied the request"), "policy denied the request"),
    ],
)
def test_a_floor_that_is_refused_was_not_changed_by_another(
    failure: ApiError, message: str
) -> None:
    async def scene(stage: Stage) -> None:
        service = stage.policy()
        await stage.see(service)
        stage.api.failure = failure
        outcome = await stage.assistant.raise_floor(service, 8, NOW)
        assert outcome.problem
        assert outcome.problem.reason == "HpaRefused"
        assert message in outcome.problem.message

    play(scene)


def test_an_hpa_that_got_its_first_annotation_meanwhile_is_looked_at_again() -> None:
    """As of a GitOps tool: the patch tests that there is none, and fails."""

    async def scene(stage: Stage) -> None:
        del stage.api.hpa["metadata"]["annotations"]
        service = stage.policy()
        await stage.see(service)
        stage.api.hpa["metadata"]["annotations"] = {"tracking": "shop"}
        outcome = await stage.assistant.raise_floor(service, 8, NOW)
        assert not outcome.problem
        assert not outcome.carried_out
        await stage.see(service, 1)
        outcome = await stage.assistant.raise_floor(service, 8, NOW + 1)
        assert (outcome.before, outcome.after) == (6, 8)

    play(scene)


def test_what_is_held_is_the_floor_and_not_the_fleet() -> None:
    async def scene(stage: Stage) -> None:
        service = stage.policy()
        await stage.see(service)
        assert service.spec
        hpa = service.found.hpa
        assert hpa
        assert assist.read(hpa) == NOTE
        assert service.held(service.spec, Scale("", "d", replicas=30, selector="")) == 6

    play(scene)

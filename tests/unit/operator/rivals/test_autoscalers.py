"""HPAs and ScaledObjects are found by their target, and are never too old."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from headstart_operator.kube import Api, ApiError
from headstart_operator.resource import TargetRef
from headstart_operator.rivals.autoscalers import (
    HPA,
    OLDEST,
    SCALED_OBJECT,
    STALE,
    Found,
    Reading,
    Rivals,
    Target,
    list_autoscalers,
    parse_hpa,
    parse_scaled_object,
    target_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_767_225_600.0
CHECKOUT = Target("shop", "apps", "Deployment", "checkout")
DISABLED = {"selectPolicy": "Disabled"}


def an_hpa(name: str = "checkout", **changes: Any) -> dict[str, Any]:
    """Write an HPA as the API server has it."""
    metadata = {"name": name, "namespace": "shop", "uid": f"u-{name}"}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
        "minReplicas": 2,
        "maxReplicas": 9,
    }
    return {
        "metadata": {**metadata, **changes.pop("metadata", {})},
        "spec": {**spec, **changes},
    }


def a_scaled_object(**annotations: str) -> dict[str, Any]:
    """Write a ScaledObject as its owner does."""
    metadata = {"name": "checkout", "namespace": "shop", "annotations": annotations}
    return {"metadata": metadata, "spec": {"scaleTargetRef": {"name": "checkout"}}}


class FakeApi(Api):
    """Lists what the test put there."""

    def __init__(self) -> None:
        self.hpas: list[Any] | ApiError = [an_hpa()]
        self.scaled_objects: list[Any] | ApiError = ApiError(404, "no such group")
        self.paths: list[str] = []
        self.forbidden = "nowhere"

    def get(self, path: str, *, accept: str = "", **query: str) -> dict[str, Any]:
        """Answer."""
        del accept
        assert query == {"resourceVersion": "0"}
        self.paths.append(path)
        if self.forbidden in path:
            raise ApiError(403, "forbidden")
        answer = self.hpas if "autoscaling" in path else self.scaled_objects
        if isinstance(answer, ApiError):
            raise answer
        return {"items": answer}


def test_an_hpa_is_read() -> None:
    hpa = parse_hpa(an_hpa())
    assert (hpa.kind, hpa.target, hpa.least, hpa.most) == (HPA, CHECKOUT, 2, 9)
    assert str(hpa) == "HorizontalPodAutoscaler/checkout"
    assert hpa.path.endswith("/namespaces/shop/horizontalpodautoscalers/checkout")
    owned = an_hpa(metadata={"labels": {"scaledobject.keda.sh/name": "owner"}})
    assert parse_hpa(owned).scaled_object == "owner"


@pytest.mark.parametrize(
    ("behavior", "asleep"),
    [
        (None, False),
        ({"scaleUp": DISABLED}, False),
        ({"scaleUp": DISABLED, "scaleDown": {"selectPolicy": "Max"}}, False),
        ({"scaleUp": DISABLED, "scaleDown": DISABLED}, True),
    ],
)
def test_an_hpa_that_may_scale_in_neither_direction_is_asleep(
    *, behavior: dict[str, Any] | None, asleep: bool
) -> None:
    assert parse_hpa(an_hpa(behavior=behavior)).asleep is asleep


@pytest.mark.parametrize(
    ("annotations", "asleep"),
    [
        ({}, False),
        ({"autoscaling.keda.sh/paused": "false"}, False),
        ({"autoscaling.keda.sh/paused": "true"}, True),
        # It pins the replicas: two would set them.
        ({"autoscaling.keda.sh/paused-replicas": "3"}, False),
        ({"autoscaling.keda.sh/paused": "true", "autoscaling.keda.sh/paused-replicas": "3"}, False),
    ],
)
def test_a_scaled_object_that_is_paused_is_asleep(
    *, annotations: dict[str, str], asleep: bool
) -> None:
    found = parse_scaled_object(a_scaled_object(**annotations))
    assert found.asleep is asleep
    assert found.target == CHECKOUT


def test_a_scaled_object_answers_for_the_hpa_that_it_made() -> None:
    hpa, owner = parse_hpa(an_hpa()), parse_scaled_object(a_scaled_object())
    assert Found((hpa, owner)).acting == owner
    assert Found((hpa,)).acting == hpa
    assert Found((hpa, owner)).hpa == hpa
    assert Found((hpa, parse_hpa(an_hpa("second")))).hpa is None
    assert Found().acting is None


def test_the_version_of_a_workloads_api_does_not_matter() -> None:
    ref = TargetRef(api_version="apps/v1beta2", name="checkout")
    assert target_of("shop", ref) == CHECKOUT


@pytest.mark.parametrize("status", [404, 403])
def test_without_keda_there_are_hpas_alone(status: int) -> None:
    api = FakeApi()
    api.scaled_objects = ApiError(status, "no")
    assert [a.name for a in list_autoscalers(api, ["shop", "store"])] == ["checkout"] * 2
    api.scaled_objects = ApiError(500, "away")
    with pytest.raises(ApiError):
        list_autoscalers(api)


def test_one_that_cannot_be_read_hides_no_other() -> None:
    api = FakeApi()
    api.hpas = [{"metadata": {"name": "odd"}, "spec": {}}, {}, an_hpa()]
    api.scaled_objects = [a_scaled_object(), {"metadata": {}, "spec": {"scaleTargetRef": "x"}}]
    assert [a.kind for a in list_autoscalers(api)] == [HPA, SCALED_OBJECT]


class Stage:
    """Rivals of one namespace, whose lists run at once."""

    def __init__(self, *namespaces: str) -> None:
        self.api = FakeApi()
        self.rivals = Rivals(self.api, namespaces, self._blocking)

    @staticmethod
    async def _blocking(call: Callable[..., Reading], *arguments: Any) -> Reading:
        return call(*arguments)

    async def at(self, seconds: float) -> Found:
        """Ask for the workload's autoscalers."""
        found = await self.rivals.of(CHECKOUT, NOW + seconds)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found

    @property
    def lists(self) -> int:
        """How often HPAs were listed."""
        return sum("autoscaling" in path for path in self.api.paths)


def test_all_policies_share_one_list_of_a_few_seconds() -> None:
    async def scene() -> None:
        stage = Stage()
        assert (await stage.at(0)).acting
        assert (await stage.at(STALE - 1)).acting
        assert stage.lists == 1
        # Read anew beside the tick, which takes what is known.
        stage.api.hpas = []
        assert (await stage.at(STALE)).acting
        assert stage.lists == 2
        assert not (await stage.at(STALE)).acting

    asyncio.run(scene())


def test_what_is_too_old_is_waited_for_also_when_the_clock_is_set_back() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.at(0)
        stage.api.hpas = []
        assert not (await stage.at(OLDEST)).acting
        stage.api.hpas = [an_hpa()]
        assert (await stage.at(-3600)).acting

    asyncio.run(scene())


def test_what_is_known_stays_while_the_api_server_is_away_and_is_not_hammered() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.at(0)
        stage.api.hpas = ApiError(0, "away")
        for seconds in (20, 21, 22):
            found = await stage.at(seconds)
            assert found.acting
            assert found.problem is None
        assert stage.lists == 2

    asyncio.run(scene())


def test_a_namespace_that_is_gone_blinds_nobody_in_the_others() -> None:
    async def scene() -> None:
        stage = Stage("shop", "store")
        await stage.at(0)
        stage.api.forbidden = "/namespaces/store/"
        found = await stage.at(20)
        assert found.acting
        assert found.problem is None
        gone = await stage.rivals.of(CHECKOUT._replace(namespace="store"), NOW + 20)
        assert "cannot be listed" in (gone.problem or "")
        other = await stage.rivals.of(CHECKOUT._replace(namespace="else"), NOW + 20)
        assert other == Found()

    asyncio.run(scene())


def test_who_may_not_list_knows_that_there_may_be_rivals() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.api.hpas = ApiError(403, "forbidden")
        problem = (await stage.at(0)).problem
        assert problem
        assert "cannot be listed: forbidden; grant it" in problem
        stage.api.hpas = []
        assert (await stage.at(20)).problem is None

    asyncio.run(scene())


def test_what_was_written_is_newer_than_the_list() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.at(0)
        stage.rivals.replace(parse_hpa(an_hpa(minReplicas=6)))
        hpa = (await stage.at(1)).hpa
        assert hpa is not None
        assert hpa.least == 6
        assert len(stage.rivals.all()) == 1
        stage.rivals.expire()
        hpa = (await stage.at(2)).hpa
        assert hpa is not None
        assert hpa.least == 2

    asyncio.run(scene())

"""Quotas limit what is asked for, by what a pod really takes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from headstart_operator.kube import Api, ApiError
from headstart_operator.workloads.quota import Quota, applies, headroom, needs, parse
from headstart_operator.workloads.quota_watch import KEPT, LIST_AGE, Quotas

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE, PATH = "shop", "/apis/apps/v1/namespaces/shop/deployments/checkout"


def a_template(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Describe pods whose containers have these resources."""
    return {"spec": {"containers": [{"resources": c} for c in containers], **spec}}


def asks(**amounts: str) -> dict[str, Any]:
    """Requests of a container."""
    return {"requests": amounts}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({}, {}),
        (a_template({}), {}),
        (
            a_template(asks(cpu="500m", memory="1Gi"), asks(cpu="1")),
            {"requests.cpu": 1.5, "cpu": 1.5, "requests.memory": 2**30, "memory": 2**30},
        ),
        # A limit alone is the request, too.
        (
            a_template({"limits": {"cpu": "2"}}),
            {"limits.cpu": 2, "requests.cpu": 2, "cpu": 2},
        ),
        (a_template(asks(**{"nvidia.com/gpu": "2"})), {"requests.nvidia.com/gpu": 2}),
        # Init containers run alone, sidecars beside the others.
        (
            a_template(asks(cpu="1"), initContainers=[{"resources": asks(cpu="3")}]),
            {"requests.cpu": 3, "cpu": 3},
        ),
        (
            a_template(
                asks(cpu="1"),
                initContainers=[{"resources": asks(cpu="2"), "restartPolicy": "Always"}],
            ),
            {"requests.cpu": 3, "cpu": 3},
        ),
        (
            a_template(
                asks(cpu="1"),
                initContainers=[
                    {"resources": asks(cpu="2"), "restartPolicy": "Always"},
                    {"resources": asks(cpu="3")},
                ],
            ),
            {"requests.cpu": 5, "cpu": 5},
        ),
        # The whole pod's resources stand for the sum; its runtime takes something, too.
        (
            a_template(asks(cpu="1"), resources=asks(cpu="4"), overhead={"cpu": "250m"}),
            {"requests.cpu": 4.25, "cpu": 4.25},
        ),
    ],
)
def test_what_a_pod_takes(template: dict[str, Any], expected: dict[str, float]) -> None:
    found = needs(template)
    assert {k: v for k, v in found.items() if not k.endswith("pods")} == expected
    assert found["pods"] == found["count/pods"] == 1


@pytest.mark.parametrize(
    ("hard", "used", "existing", "replicas", "words"),
    [
        ({"requests.cpu": 10}, {"requests.cpu": 7}, 4, 6, "requests.cpu hard = 10, used = 7"),
        # Of several resources the tightest counts.
        ({"cpu": 10, "memory": 5.0}, {"cpu": 6, "memory": 4.0}, 4, 5, "memory hard = 5, used = 4"),
        # A quota that is new has not counted what was there before it.
        ({"pods": 4}, {"pods": 0}, 2, 4, "pods hard = 4, used = 2, 1 per replica: room for 2 more"),
        ({"pods": 4}, {}, 2, 4, "room for 2 more"),
        ({"pods": 5}, {"pods": 4}, 2, 3, "pods hard = 5, used = 4, 1 per replica: room for 1 more"),
        ({"count/pods": 5}, {"count/pods": 7}, 4, 4, "room for 0 more"),
        # Three tenths that are used leave seven.
        ({"requests.cpu": 15}, {"requests.cpu": 4.5}, 3, 10, "room for 7 more"),
        # Nothing that such pods take.
        ({"requests.nvidia.com/gpu": 0, "secrets": 3}, {}, 4, None, ""),
    ],
)
def test_how_many_fit(
    hard: dict[str, float], used: dict[str, float], existing: int, replicas: int, words: str
) -> None:
    each = {"pods": 1.0, "count/pods": 1.0, "requests.cpu": 1.5, "cpu": 1.5, "memory": 1.0}
    found = headroom([Quota("team", hard, used)], each, existing)
    assert (found and found.replicas) == replicas
    assert found is None or words in found.reason


@pytest.mark.parametrize(
    ("spec", "pod", "counts"),
    [
        ({}, {}, True),
        ({"scopes": ["NotTerminating"]}, {}, True),
        ({"scopes": ["Terminating"]}, {}, False),
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 5}, True),
        ({"scopes": ["BestEffort"]}, {}, True),
        ({"scopes": ["BestEffort"]}, {"containers": [{"resources": asks(cpu="1")}]}, False),
        ({"scopes": ["NotBestEffort"]}, {"containers": [{"resources": asks(cpu="1")}]}, True),
        ({"scopes": ["PriorityClass"]}, {"priorityClassName": "high"}, True),
        ({"scopes": ["PriorityClass"]}, {}, False),
        ({"scopes": ["SomethingNew"]}, {}, False),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [
                        {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
                    ]
                }
            },
            {"priorityClassName": "low"},
            False,
        ),
    ],
)
def test_a_quota_counts_pods_of_its_scopes(
    spec: dict[str, Any], pod: dict[str, Any], *, counts: bool
) -> None:
    quota = parse({"metadata": {"name": "team"}, "spec": spec})
    assert applies(quota.scopes, {"spec": pod}) is counts


class OneNamespace(Api):
    """Has a quota of 10 pods, and counts what it is asked; it can only be listed, not watched."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: ApiError | None = None
        self.used = "4"

    def get(self, path: str, *, accept: str = "", **query: str) -> dict[str, Any]:
        """Answer."""
        if "limit" in query or accept:
            raise ApiError(0, "no watch here")
        self.asked.append(path)
        if self.error:
            raise self.error
        if path.endswith("/resourcequotas"):
            status = {"hard": {"pods": "10"}, "used": {"pods": self.used}}
            return {"items": [{"metadata": {"name": "team"}, "spec": {}, "status": status}]}
        return {"spec": {"template": a_template({})}}


@pytest.fixture
def api() -> OneNamespace:
    """Provide a namespace."""
    return OneNamespace()


@pytest.fixture
def quotas(api: OneNamespace) -> Iterator[Quotas]:
    """Provide its quotas."""
    quotas = Quotas(api)
    yield quotas
    quotas.stop()


def room(quotas: Quotas, existing: int, now: float) -> int | None:
    """Look where that is due, and say how many fit."""
    if quotas.due(NAMESPACE, PATH, now):
        quotas.look(NAMESPACE, PATH, now)
    found = quotas.of(NAMESPACE, PATH, existing, now)
    return found.replicas if found else None


def test_a_quota_is_parsed() -> None:
    (document,) = OneNamespace().get("/resourcequotas")["items"]
    assert parse(document) == Quota("team", {"pods": 10.0}, {"pods": 4.0})


def test_pods_that_are_not_in_used_yet_are_not_counted_twice(
    api: OneNamespace, quotas: Quotas
) -> None:
    # Two are of others.
    api.used = "6"
    assert room(quotas, 4, 0.0) == 8
    assert room(quotas, 8, 1.0) == 8
    assert len(api.asked) == 2
    api.used = "10"
    assert room(quotas, 8, LIST_AGE) == 8
    # A quota that has more room is believed the second time.
    api.used = "9"
    assert [room(quotas, 8, (2 + k) * LIST_AGE) for k in range(2)] == [8, 9]


def test_a_network_that_fails_leaves_the_last_list_and_a_refusal_none(
    api: OneNamespace, quotas: Quotas
) -> None:
    assert room(quotas, 4, 0.0) == 10
    api.error = ApiError(0, "away")
    assert room(quotas, 4, LIST_AGE) == 10
    api.error = ApiError(403, "forbidden")
    assert room(quotas, 4, 2 * LIST_AGE) is None
    assert not quotas.due(NAMESPACE, PATH, 2 * LIST_AGE + 1)


def test_what_nobody_asks_for_is_forgotten(api: OneNamespace, quotas: Quotas) -> None:
    assert room(quotas, 4, 1.0) == 10
    asked = len(api.asked)
    quotas.look("other", "/other", 2 * KEPT)
    assert room(quotas, 4, 2 * KEPT) == 10
    # Its template, too.
    assert api.asked[asked + 2 :].count(PATH) == 1

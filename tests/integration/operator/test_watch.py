"""What the operator keeps of workloads and pods is what the API server has, or nothing at all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config

from headstart_operator.kube import Api
from headstart_operator.resource import TargetRef
from headstart_operator.workloads import watch
from headstart_operator.workloads.pod_watch import PodWatch
from headstart_operator.workloads.pods import list_pods
from headstart_operator.workloads.targets import Targets
from headstart_operator.workloads.watch import Kind, Name, Watched
from tests.cluster import CORE, wait_until
from tests.faults.gate import Gate, Storm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headstart_operator.workloads.pods import Pod
    from tests.integration.operator.world import World

SELECTOR = "app=watched"
REF = TargetRef(name="watched")


def an_api(kubeconfig: Path) -> Api:
    configuration = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    return Api(configuration)


@pytest.fixture(scope="module")
def gate(world: World) -> Iterator[Gate]:
    """Provide a way to the API server that can be cut, and three pods behind it."""
    world.deployment("watched", 3)
    with Gate(world.cluster, "watch") as gate:
        yield gate


@pytest.fixture
def api(world: World, gate: Gate) -> Iterator[Api]:
    token = world.cluster.token_for(world.namespace, "headstart-operator")
    api = an_api(gate.kubeconfig(world.cluster, token, world.namespace))
    yield api
    # Those that were told to stop wait for news.
    gate.cut()
    for thread in threading.enumerate():
        if thread.name.startswith("watch "):
            thread.join(10)
    api._pool.clear()


@pytest.fixture
def pods(world: World, api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[PodWatch]:
    # Less to wait for.
    monkeypatch.setattr(watch, "GRACE", 0.5)
    monkeypatch.setattr(watch, "PAUSES", (0.1, 0.5))
    pods = PodWatch(api, (world.namespace,))
    yield pods
    pods.stop()


def test_pods_are_those_of_a_list_whatever_happens(world: World, api: Api, pods: PodWatch) -> None:
    def listed() -> list[Pod]:
        return sorted(list_pods(api, world.namespace, SELECTOR))

    def agree(count: int) -> bool:
        found = pods.find(world.namespace, SELECTOR)
        return found is not None and sorted(found) == listed() and len(found) == count

    wait_until("three pods", lambda: agree(3))
    world.set_replicas("watched", 5)
    wait_until("five pods", lambda: agree(5))
    wait_until("all ready", lambda: all(p.ready_since for p in listed()) and agree(5))
    assert all(p.ready_since for p in pods.find(world.namespace, SELECTOR) or ())
    world.set_replicas("watched", 2)
    wait_until("two pods", lambda: agree(2))
    assert pods.find(world.namespace, "app=nobody") == []
    # What is no equality is asked of the API server.
    assert pods.find(world.namespace, "app in (watched)") is None
    assert pods.find(world.namespace, "") is None


def test_a_watch_that_is_cut_says_nothing_and_comes_back_with_what_it_missed(
    world: World, gate: Gate, pods: PodWatch
) -> None:
    world.set_replicas("watched", 2)

    def counted() -> int | None:
        found = pods.find(world.namespace, SELECTOR)
        return None if found is None else len(found)

    wait_until("two pods", lambda: counted() == 2)
    gate.storm = Storm(500, 1.0)
    gate.cut()
    wait_until("it to admit that it knows nothing", lambda: counted() is None)
    world.set_replicas("watched", 4)
    gate.storm = None
    seen = []

    def four() -> bool:
        seen.append(counted())
        return seen[-1] == 4

    wait_until("four pods", four)
    # Never an empty list in between.
    assert 0 not in seen


def test_an_expired_version_is_read_anew(world: World, api: Api) -> None:
    def name(pod: dict[str, Any]) -> str:
        return str(pod["metadata"]["name"])

    watched = Watched(api, Kind("/api/v1", "pods", name), world.namespace)
    # Of the cluster's first second, long compacted away from the API server's memory; or it still
    # has it, and tells all that has happened since.
    watched._version = "1"
    watched.start()
    path = f"{CORE}/namespaces/{world.namespace}/pods"
    names = {p["metadata"]["name"] for p in world.cluster.api.get(path)["items"]}
    wait_until("all pods", lambda: all(watched.get(Name(world.namespace, each)) for each in names))
    watched.stop()


def test_a_scale_is_known_until_its_spec_changes(world: World, api: Api) -> None:
    targets = Targets(api, (world.namespace,))
    now = 1000.0

    def known() -> int | None:
        scale = targets.known(world.namespace, REF, now)
        return scale.replicas if scale else None

    def read() -> int | None:
        targets.read(world.namespace, REF, now)
        return known()

    world.set_replicas("watched", 3)
    assert known() is None
    # A watch that has not begun vouches for nothing.
    wait_until("the watch to vouch for it", lambda: read() == 3)
    world.set_replicas("watched", 4)
    wait_until("it to be unknown", lambda: known() is None)
    assert read() == 4
    scale = targets.read(world.namespace, REF, now)
    targets.write(scale, 2)
    assert known() is None
    wait_until("the new one", lambda: read() == 2)
    now += 301
    assert known() is None
    targets.stop()


def test_without_the_right_to_watch_it_says_nothing(world: World) -> None:
    account = {"metadata": {"name": "powerless"}}
    world.cluster.api.create(f"{CORE}/namespaces/{world.namespace}/serviceaccounts", account)
    api = an_api(world.cluster.kubeconfig_for(world.namespace, "powerless"))
    pods = PodWatch(api, (world.namespace,))
    assert pods.find(world.namespace, SELECTOR) is None
    watched = pods._watches.of(world.namespace)
    wait_until("it to be refused", lambda: watched._failures > 0)
    assert pods.find(world.namespace, SELECTOR) is None
    pods.stop()

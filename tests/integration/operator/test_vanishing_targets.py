"""Scrape targets that vanish take the rate with them, and must not take the replicas."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.cluster import Prometheus, static_target, wait_until
from tests.integration.operator.exporter import Exporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operator.world import Operator, World

TARGETS = 5
# 49 requests/s at 5 each need 9.8 replicas; the policy asks for half as many again. At 50 it would
# be 15 exactly, and a rate that reads a hair higher would ask for one more.
LOAD, REPLICAS = 49.0, 15
# How many of the targets vanish, and the replicas that what remains would need.
GONE, LEAN = 4, 3
# A rate over 4 s loses a quarter a second; what it lost before it was noticed may have been acted
# upon: two decisions at the most.
NOTICED = 8


@pytest.fixture(scope="module")
def exporters() -> Iterator[list[Exporter]]:
    """Provide targets that share the load of each service."""
    with ExitStack() as stack:
        yield [stack.enter_context(Exporter()) for _ in range(TARGETS)]


@pytest.fixture(scope="module")
def scraper(programs: None, exporters: list[Exporter]) -> Iterator[Prometheus]:  # noqa: ARG001
    """Provide a Prometheus that scrapes all of them."""
    targets = [static_target(f"load-{k}", each.address) for k, each in enumerate(exporters)]
    with Prometheus(targets) as prometheus:
        yield prometheus


def rate_of(service: str) -> str:
    """Query for the rate of a service over 4 s."""
    return f'sum(rate(requests_total{{service="{service}"}}[4s]))'


def share(exporters: list[Exporter], service: str, rate: float) -> None:
    """Let requests arrive at all targets alike."""
    for exporter in exporters:
        exporter.set(service, rate / len(exporters))


@pytest.fixture(scope="module", autouse=True)
def operator(world: World, exporters: list[Exporter], scraper: Prometheus) -> Iterator[Operator]:
    """Scale services for the load that all targets see."""
    for name in ("lost", "settled", "recorded", "falling"):
        share(exporters, name, LOAD)
        world.deployment(name, REPLICAS)
    world.policy("lost", rate_of("lost"))
    world.policy("falling", rate_of("falling"))
    quick = {"onMetricLoss": {"after": "2s", "action": "Hold"}}
    world.policy("settled", rate_of("settled"), guardrails=quick)
    # Two selectors: what contributes must be said.
    query = f"{rate_of('recorded')} + 0 * {rate_of('recorded')}"
    count = 'count(requests_total{service="recorded"})'
    rate = {"prometheus": {"query": query, "targetsQuery": count}}
    world.policy("recorded", rate=rate)
    with world.start_operator(scraper.url) as running:
        yield running


def test_a_rate_that_falls_with_its_targets_is_lost(
    world: World, exporters: list[Exporter], operator: Operator
) -> None:
    for name in ("lost", "settled", "recorded"):
        world.wait_condition(name, "Ready", "True", "Deciding")
        world.wait_replicas(name, REPLICAS, REPLICAS)
    for exporter in exporters[:GONE]:
        exporter.hidden = True
    for name in ("lost", "recorded"):
        condition = world.wait_condition(name, "RateAvailable", "False", "TargetsVanished")
        assert "4 of 5 series vanished" in condition["message"]
        assert world.wait_event(name, "TargetsVanished")["type"] == "Warning"
    held = {name: world.replicas(name) for name in ("lost", "recorded")}
    assert min(held.values()) >= NOTICED
    # Longer than a late scrape, a lead time and a rate's own reach.
    before = operator.decisions("lost")
    wait_until("more decisions", lambda: operator.decisions("lost") > before + 6)
    for name, replicas in held.items():
        assert world.replicas(name) >= replicas, name


def test_targets_that_stay_away_are_accepted_after_a_while(world: World) -> None:
    world.wait_replicas("settled", LEAN, LEAN)
    world.wait_condition("settled", "RateAvailable", "True")


def test_a_restarted_operator_goes_on_holding(world: World, operator: Operator) -> None:
    held = world.replicas("lost")
    operator.kill()
    operator.start()
    wait_until("decisions", lambda: operator.decisions("lost") > 4)
    assert world.condition("lost", "RateAvailable")["reason"] == "TargetsVanished"
    assert world.replicas("lost") >= held


def test_targets_that_return_are_believed_when_the_rate_has_them(
    world: World, exporters: list[Exporter]
) -> None:
    held = world.replicas("lost")
    for exporter in exporters:
        exporter.hidden = False
    least = held

    def back() -> bool:
        nonlocal least
        least = min(least, world.replicas("lost"))
        return bool(world.condition("lost", "RateAvailable")["status"] == "True")

    wait_until("the rate to be back", back)
    world.wait_replicas("lost", REPLICAS, REPLICAS)
    assert least == held


def test_a_load_that_falls_is_followed_at_once(world: World, exporters: list[Exporter]) -> None:
    world.wait_replicas("falling", REPLICAS, REPLICAS)
    share(exporters, "falling", 9.0)
    world.wait_replicas("falling", LEAN, LEAN, seconds=12)
    assert world.condition("falling", "RateAvailable")["status"] == "True"

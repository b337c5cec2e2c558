"""What a real Prometheus with kube-state-metrics' series says about a workload."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_training.loads.discovery import Quality, Workload, discover
from headstart_training.loads.prometheus import Prometheus, PrometheusHistory, window
from headstart_training.loads.session import Access, PrometheusError
from tests.cluster import Prometheus as Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headstart_training.loads.regular import Trace

STEP = 60
MINUTES = 2 * 1440
END = int(time.time()) // STEP * STEP - 3600
TIMES = [END - (MINUTES - 1 - k) * STEP for k in range(MINUTES)]
CAPACITY = 5.0

Samples = list[tuple[float, float]]


def _load() -> tuple[np.ndarray, np.ndarray]:
    """Rate and ready replicas of a service that is scaled ten minutes late, to 95 %."""
    minute = np.arange(MINUTES)
    noise = np.random.default_rng(0).normal(1, 0.04, MINUTES)
    rate = 60 * (1.3 + np.sin(2 * np.pi * minute / 1440)) * noise
    return rate, np.ceil(
        np.max([np.roll(rate, k) for k in range(10, 15)], axis=0) / CAPACITY / 0.95
    )


RATE, READY = _load()


def _gauge(values: np.ndarray) -> Samples:
    return list(zip(TIMES, values.tolist(), strict=True))


def _pod(name: str, born: int, took: int | None, **labels: str) -> dict[str, Samples]:
    """Give the series of a pod that is created at a minute and ready ``took`` seconds later.

    As kube-state-metrics 2.8.0: while the pod is not ready, its ready time is when it became so.
    """
    pod = ",".join(
        f'{key}="{value}"'
        for key, value in ({"namespace": "shop", "pod": name, "uid": name} | labels).items()
    )
    seen = TIMES[born : born + 40]
    created = TIMES[born] - 20
    ready_at = created + took if took else float("inf")
    return {
        f"kube_pod_created{{{pod}}}": [(at, created) for at in seen],
        f'kube_pod_status_ready{{{pod},condition="true"}}': [
            (at, float(at >= ready_at)) for at in seen
        ],
        f"kube_pod_status_ready_time{{{pod}}}": [
            (at, ready_at if at >= ready_at else created + 1) for at in seen
        ],
    }


def _pods() -> dict[str, Samples]:
    pods: dict[str, Samples] = {}
    for k in range(20):
        pods |= _pod(
            f"checkout-7d4b9c6f5d-{'bcdfghjklmnpqrstvwxz'[k]}24x9", 100 + 100 * k, 100 + 10 * k
        )
    pods |= _pod("checkout-7d4b9c6f5d-never", 500, None)
    pods |= _pod("checkout-7d4b9c6f5d-bbbbb", 500, None)
    pods |= _pod("checkout-worker-x2k4p", 600, 2)
    pods |= _pod("checkout-7d4b9c6f5d-vwxz2", 700, 2, namespace="other")
    for k in range(10):
        pods |= _pod(f"ledger-{k}", 100 + 100 * k, 65)
    return pods


@pytest.fixture(scope="module")
def server(programs: None) -> Iterator[Server]:  # noqa: ARG001 - built before, visibly.
    """Provide two days of what kube-state-metrics and the service itself tell."""
    shop = 'namespace="shop",deployment="checkout"'
    history = {
        "rate": _gauge(RATE),
        "latency": _gauge(np.where(RATE > CAPACITY * READY, 2.0, 0.1)),
        f'kube_deployment_spec_replicas{{{shop},instance="a"}}': _gauge(READY + 1),
        f'kube_deployment_spec_replicas{{{shop},instance="b"}}': _gauge(READY + 1),
        f"kube_deployment_status_replicas_ready{{{shop}}}": _gauge(READY),
        'kube_statefulset_status_replicas_ready{namespace="shop",statefulset="ledger"}': _gauge(
            READY
        ),
    } | _pods()
    # Without its ready times, as before kube-state-metrics 2.8.0.
    history = {
        series: samples
        for series, samples in history.items()
        if not (series.startswith("kube_pod_status_ready_time") and "ledger" in series)
    }
    with Server(history=history) as running:
        yield running


@pytest.fixture
def trace(server: Server) -> Trace:
    """Provide the rate."""
    end = datetime.fromtimestamp(END, UTC)
    return PrometheusHistory(Access(server.url), "rate", window(end, 2, STEP)).read()


def test_everything_is_found_of_a_deployment(server: Server, trace: Trace) -> None:
    heard: list[str] = []
    found = discover(
        Prometheus(Access(server.url)),
        Workload("shop", "checkout"),
        trace,
        Quality("latency", at_most=0.5),
        heard.append,
    )
    assert found.notes == ()
    assert found.replicas is not None
    assert found.ready is not None
    np.testing.assert_allclose(found.replicas, READY + 1)
    np.testing.assert_allclose(found.ready, READY)
    assert found.lead_time
    assert found.lead_time.starts == 20
    assert found.lead_time.median == pytest.approx(195)
    assert found.lead_time.p90 == pytest.approx(271)
    assert found.capacity
    assert not found.capacity.lower_bound
    assert found.capacity.estimate == pytest.approx(CAPACITY, rel=0.03)
    assert len(heard) == 4


def test_without_a_service_level_the_capacity_is_a_lower_bound(
    server: Server, trace: Trace
) -> None:
    found = discover(Prometheus(Access(server.url)), Workload("shop", "checkout"), trace)
    assert found.capacity
    assert found.capacity.lower_bound


def test_a_stateful_set_is_found_without_ready_times(server: Server, trace: Trace) -> None:
    workload = Workload("shop", "ledger", "StatefulSet")
    found = discover(Prometheus(Access(server.url)), workload, trace)
    assert found.ready is not None
    assert found.replicas is None
    assert "kube_statefulset_replicas" in found.notes[0]
    assert "first seen ready, to the minute" in found.notes[1]
    assert found.lead_time
    # Created 20 s before the minute, ready 65 s later: seen at 80 s.
    assert found.lead_time.median == pytest.approx(80, abs=60)


def test_what_nobody_tells_is_said(server: Server, trace: Trace) -> None:
    found = discover(Prometheus(Access(server.url)), Workload("shop", "unknown"), trace)
    assert (found.replicas, found.ready, found.lead_time, found.capacity) == (None,) * 4
    assert "has no series: is kube-state-metrics scraped?" in found.notes[0]
    assert "the lead time is unknown: 0 pods" in found.notes[2]


def test_a_quality_of_several_series_is_refused(server: Server, trace: Trace) -> None:
    with pytest.raises(PrometheusError, match=r"kube_pod_created returned .* series, must be 1"):
        discover(
            Prometheus(Access(server.url)),
            Workload("shop", "checkout"),
            trace,
            Quality("kube_pod_created", at_most=1),
        )

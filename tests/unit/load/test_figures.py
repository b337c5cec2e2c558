"""Figures of the operator's benchmark, read from the operator's own metrics."""

from __future__ import annotations

import math

import pytest

from headstart_operator.reporting.metrics import Metrics
from tests.load.figures import NAMES, Lags, Reading, quantile
from tests.load.fleet import Fleet
from tests.load.traffic import Traffic


def reading(metrics: Metrics, time: float) -> Reading:
    return Reading.parse(time, metrics.expose(NAMES).decode())


def test_lags_are_those_between_two_readings() -> None:
    metrics = Metrics()
    for _ in range(1000):
        metrics.loop.lag.observe(40.0)
    before = reading(metrics, 0.0)
    for _ in range(99):
        metrics.loop.lag.observe(0.035)
    metrics.loop.lag.observe(1.7)
    lags = Lags.between(before, reading(metrics, 60.0))
    assert lags.ticks == 100
    assert 0.03 < lags.p50 <= 0.04
    assert lags.p99 == pytest.approx(0.04)
    assert lags.worst == 2.0


def test_every_name_that_is_asked_for_is_there() -> None:
    metrics = Metrics()
    metrics.loop.lag.observe(0.1)
    metrics.loop.query.labels("ok").observe(0.1)
    metrics.loop.observe_request("GET", 200, 0.1)
    metrics.loop.observe_request("PATCH", 409, 0.1)
    metrics.loop.observe_request("PATCH", 0, 0.1)
    found = reading(metrics, 0.0)
    assert {name for name, _ in found.values} == set(NAMES)
    assert found.by("headstart_kubernetes_request_seconds_count", "verb") == {"GET": 1, "PATCH": 2}
    errors = found.by("headstart_kubernetes_request_errors_total", "code")
    assert errors == {"409": 1, "0": 1}


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([(1.0, 0.0), (2.0, 10.0), (math.inf, 10.0)], 0.5, 1.5),
        ([(1.0, 10.0), (math.inf, 10.0)], 0.99, 0.99),
        # Beyond the last bound nobody knows: at least that.
        ([(1.0, 0.0), (math.inf, 10.0)], 0.99, 1.0),
        ([(1.0, 0.0), (math.inf, 0.0)], 0.5, math.nan),
        ([], 0.5, math.nan),
    ],
)
def test_a_quantile_is_promqls(
    counts: list[tuple[float, float]], share: float, expected: float
) -> None:
    assert quantile(counts, share) == pytest.approx(expected, nan_ok=True)


def test_the_traffic_counts_up_about_as_fast_as_it_says() -> None:
    fleet = Fleet(size=3, pods=3, interval=15)
    traffic = Traffic(fleet.names, fleet.rate)
    traffic._start -= 1800.0
    counts = {
        line.split("{")[1].split("}")[0]: float(line.split()[1])
        for line in traffic._text().splitlines()[1:]
    }
    traffic._server.server_close()
    assert list(counts) == [f'service="{name}"' for name in fleet.names]
    # Over a whole period the swing is nothing.
    for count in counts.values():
        assert count == pytest.approx(1800 * fleet.rate, rel=0.01)

"""History from a real Prometheus: in pages, kept, resumed, and refused in words."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tenacity import wait_none

from headstart_training.loads.prometheus import (
    Prometheus,
    PrometheusHistory,
    Window,
    trace_of,
    window,
)
from headstart_training.loads.session import Access, PrometheusError
from tests.cluster import Prometheus as Server
from tests.cluster.prometheus import PASSWORD, USER
from tests.integration.loads.gateway import (
    Gateway,
    broken_off,
    hang,
    login_page,
    redirect,
    timed_out,
    unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    StartPrometheus = Callable[..., Server]

STEP = 60
DAY = 1440
# The history ends on the last midnight that is well past: so all pages are complete.
END = (int(time.time()) - 3600) // 86_400 * 86_400
DAYS = 3
TIMES = [END - (DAYS * DAY - 1 - k) * STEP for k in range(DAYS * DAY)]
RATES = 50 + 40 * np.sin(np.arange(DAYS * DAY) * 2 * np.pi / DAY)
# Longer than the five minutes for which Prometheus shows the last value again.
HOLE = slice(1000, 1060)
STALE = 4


@pytest.fixture(scope="module")
def server(programs: None) -> Iterator[Server]:  # noqa: ARG001 - built before, visibly.
    """Provide a Prometheus with three days of rates."""
    samples = list(zip(TIMES, RATES.tolist(), strict=True))
    history = {
        'rate{app="whole"}': samples,
        'rate{app="holey"}': samples[: HOLE.start] + samples[HOLE.stop :],
        'rate{app="young"}': samples[2 * DAY :],
        'rate{app="negative"}': [(at, -value) for at, value in samples[-10:]],
        'rate{app="idle"}': [(at, 0.0) for at, _ in samples],
    }
    with Server(history=history) as running:
        yield running


@pytest.fixture
def gateway(server: Server) -> Iterator[Gateway]:
    """Provide something fallible in front of it."""
    with Gateway(server.url) as running:
        yield running


def whole() -> Window:
    return window(datetime.fromtimestamp(END, UTC), DAYS, STEP)


def patient(url: str, cache: Path | None = None) -> Prometheus:
    return Prometheus(Access(url, timeout=10), cache, wait=wait_none())


QUERY = 'rate{app="whole"}'


def test_what_was_recorded_is_read_over_several_pages(server: Server) -> None:
    heard: list[tuple[int, int]] = []
    trace = PrometheusHistory(Access(server.url), QUERY, whole()).read(
        lambda done, of: heard.append((done, of))
    )
    np.testing.assert_allclose(trace.rates, RATES)
    assert (trace.step, trace.repairs) == (STEP, ())
    assert trace.start == datetime.fromtimestamp(TIMES[0], UTC) - timedelta(seconds=STEP)
    assert heard[0] == (0, DAYS * DAY)
    assert heard[-1] == (DAYS * DAY, DAYS * DAY)
    assert len(heard) == DAYS + 2


def test_pages_that_prometheus_refuses_are_halved(prometheus: StartPrometheus) -> None:
    samples = list(zip(TIMES, RATES.tolist(), strict=True))
    limited = prometheus(history={QUERY: samples}, flags=["--query.max-samples=500"])
    (series,) = patient(limited.url).matrix(QUERY, whole())
    np.testing.assert_allclose(series.values, RATES)
    tiny = prometheus(history={QUERY: samples}, flags=["--query.max-samples=5"])
    with pytest.raises(PrometheusError, match=r"too many samples.*; so it did for .* points"):
        patient(tiny.url).matrix(QUERY, whole())


@pytest.mark.parametrize("fault", [unavailable, broken_off, timed_out])
def test_a_fault_on_the_way_is_overcome(gateway: Gateway, fault: object) -> None:
    gateway.faults = [None, fault, fault]  # type: ignore[list-item]
    (series,) = patient(gateway.url).matrix(QUERY, whole())
    np.testing.assert_allclose(series.values, RATES)
    assert gateway.faults == []


def test_a_server_that_says_nothing_is_asked_for_less(gateway: Gateway) -> None:
    released = threading.Event()
    gateway.faults = [None, hang(released)]
    prometheus = Prometheus(Access(gateway.url, timeout=1), wait=wait_none())
    (series,) = prometheus.matrix(QUERY, whole())
    released.set()
    np.testing.assert_allclose(series.values, RATES)
    assert len(gateway.paths) > DAYS + 2


def test_more_points_than_prometheus_gives_are_halved(server: Server) -> None:
    """Its own limit is 11,000 points; those who run it may set a lower one."""
    prometheus = patient(server.url)
    prometheus._most = 20_000
    fine = window(datetime.fromtimestamp(END, UTC), DAYS, 15)
    (series,) = prometheus._fetch(QUERY, fine, 0)
    assert prometheus._most < 11_000
    np.testing.assert_allclose(series.values[3::4], RATES)


def test_a_broken_download_goes_on_where_it_broke(gateway: Gateway, tmp_path: Path) -> None:
    gateway.faults = [None, None, *[unavailable] * 6]
    prometheus = patient(gateway.url, tmp_path)
    with pytest.raises(
        PrometheusError, match=r"503.*no healthy upstream, after 6 attempts; run it"
    ):
        prometheus.matrix(QUERY, whole())
    asked = len(gateway.paths)
    (series,) = prometheus.matrix(QUERY, whole())
    np.testing.assert_allclose(series.values, RATES)
    assert len(gateway.paths) - asked == DAYS + 1 - 2


def test_what_was_downloaded_once_is_not_asked_for_again(gateway: Gateway, tmp_path: Path) -> None:
    prometheus = patient(gateway.url, tmp_path)
    prometheus.matrix(QUERY, whole())
    asked = len(gateway.paths)
    part = Window(whole().first + 100, whole().last - DAY, STEP)
    (series,) = prometheus.matrix(QUERY, part)
    np.testing.assert_allclose(series.values, RATES[100:-DAY])
    assert len(gateway.paths) == asked
    prometheus.matrix('rate{app="holey"}', part)
    assert len(gateway.paths) > asked


def test_a_page_that_is_broken_on_disk_is_fetched_again(gateway: Gateway, tmp_path: Path) -> None:
    prometheus = patient(gateway.url, tmp_path)
    prometheus.matrix(QUERY, whole())
    for file in tmp_path.rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:50])
    (series,) = prometheus.matrix(QUERY, whole())
    np.testing.assert_allclose(series.values, RATES)


def test_the_newest_page_is_not_kept_before_it_is_complete(
    gateway: Gateway, tmp_path: Path
) -> None:
    prometheus = patient(gateway.url, tmp_path)
    early = datetime.fromtimestamp(TIMES[2 * DAY + 60], UTC)
    for _ in range(2):
        prometheus.matrix(QUERY, whole(), now=early)
    assert len({path for path in gateway.paths if gateway.paths.count(path) == 2}) == 2


def test_gaps_and_missing_ends_are_said(server: Server) -> None:
    def read(app: str) -> tuple[np.ndarray, tuple[str, ...]]:
        trace = PrometheusHistory(Access(server.url), f'rate{{app="{app}"}}', whole()).read()
        return trace.rates, trace.repairs

    rates, repairs = read("holey")
    missing = HOLE.stop - HOLE.start - STALE
    assert np.isnan(rates).sum() == missing
    (repair,) = repairs
    assert f"{missing} of 4,320 bins are missing, in 1 gap of {missing} min" in repair
    rates, repairs = read("young")
    np.testing.assert_allclose(rates, RATES[2 * DAY :])
    assert repairs == ("nothing is recorded in the first 2 d: begins after it",)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ('rate{app="unknown"}', "no series: is the counter scraped"),
        ("rate", "5 series, must be 1: wrap it in sum"),
        ('rate{app="negative"}', "returned -.* at 20.* UTC, must be at least 0 requests/s: use ra"),
        ('rate{app="idle"}', "all 4,320 rates are 0 or missing"),
        ('rate{app="idle"} / 0', "all 4,320 rates are 0 or missing"),
        ("sum(", "refuses the query: .*parse error"),
    ],
)
def test_what_is_no_load_is_refused(server: Server, query: str, message: str) -> None:
    with pytest.raises(PrometheusError, match=message):
        PrometheusHistory(Access(server.url), query, whole()).read()


def test_infinite_values_are_left_unknown_and_said(server: Server) -> None:
    series = patient(server.url).matrix(
        'rate{app="whole"} / ignoring(app) (rate{app="young"} > bool 50)', whole()
    )
    trace = trace_of(series, whole())
    assert "values are infinite (a division by 0?): left unknown" in trace.repairs[0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [(redirect, "redirects to http://login.example/"), (login_page, "not answer as a Prometheus")],
)
def test_who_is_no_prometheus_is_told_so(gateway: Gateway, fault: object, message: str) -> None:
    gateway.faults = [fault]  # type: ignore[list-item]
    with pytest.raises(PrometheusError, match=message):
        patient(gateway.url).matrix(QUERY, whole())


def test_who_does_not_listen_is_named() -> None:
    with pytest.raises(
        PrometheusError, match=r"http://127\.0\.0\.1:1 cannot be reached: .*refused"
    ):
        patient("http://127.0.0.1:1").matrix(QUERY, whole())


def test_the_environment_has_no_say(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    prometheus = Prometheus(Access(gateway.url, token="secret"))  # noqa: S106 - a test's own
    assert prometheus.matrix(QUERY, whole())
    assert gateway.headers["Authorization"] == "Bearer secret"


def test_a_guarded_prometheus_is_read_with_its_ca_and_password(prometheus: StartPrometheus) -> None:
    samples = list(zip(TIMES, RATES.tolist(), strict=True))
    server = prometheus(history={QUERY: samples}, tls=True, basic_auth=True)
    access = Access(server.url, basic=(USER, PASSWORD), ca_file=server.ca)
    np.testing.assert_allclose(PrometheusHistory(access, QUERY, whole()).read().rates, RATES)
    with pytest.raises(PrometheusError, match="answers 401: it wants other credentials"):
        PrometheusHistory(Access(server.url, ca_file=server.ca), QUERY, whole()).read()
    with pytest.raises(PrometheusError, match="certificate that is not trusted"):
        PrometheusHistory(Access(server.url, basic=(USER, PASSWORD)), QUERY, whole()).read()

"""Prometheus as the operator meets it: with a past, guarded, taken away and brought back."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.cluster import ClusterError, Prometheus, free_port, static_target, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    StartPrometheus = Callable[..., Prometheus]

HOUR = 3600
DAY = 24 * HOUR


class Exporter(BaseHTTPRequestHandler):
    """A target with one counter that grows with each scrape."""

    scrapes = 0

    def do_GET(self) -> None:
        """Answer one scrape."""
        type(self).scrapes += 1
        self.send_response(httpx.codes.OK)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(f"scrapes_total {self.scrapes}\n".encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def exporter() -> Iterator[str]:
    """Provide the address of a target."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Exporter) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_back_filled_history_is_there_from_the_start(prometheus: StartPrometheus) -> None:
    """Three weeks at a sample a minute, ending a minute before the start."""
    end = int(time.time()) - 60
    times = range(end - 21 * DAY, end + 1, 60)
    history = {
        'requests_total{app="a"}': [(t, float(t - times[0])) for t in times],
        'requests_total{app="b"}': [(t, 0.0) for t in times[-10:]],
    }
    server = prometheus(history=history)
    (rate,) = server.query('rate(requests_total{app="a"}[5m])', time=end - 20 * DAY)
    assert float(rate["value"][1]) == pytest.approx(1.0)
    (series,) = server.query_range('requests_total{app="a"}', end - DAY, end, step=60)
    assert len(series["values"]) == DAY / 60 + 1
    assert len(server.query("requests_total", time=end)) == 2


def test_a_target_is_scraped_next_to_its_history(
    prometheus: StartPrometheus, exporter: str
) -> None:
    """Blocks that reached into the present would have Prometheus drop what it scrapes."""
    past = time.time() - 30
    server = prometheus(
        [static_target("exporter", exporter, app="checkout")],
        scrape_interval=0.2,
        history={"scrapes_total": [(past - HOUR, 1.0), (past, 2.0)]},
    )
    wait_until(
        "a rate from scrapes",
        lambda: server.query('rate(scrapes_total{app="checkout"}[5s]) > 0'),
    )


def test_history_survives_that_it_is_taken_away(prometheus: StartPrometheus) -> None:
    now = time.time()
    server = prometheus(history={"up_once": [(now - 60, 7.0)]})
    url = server.url
    server.stop()
    with pytest.raises(httpx.TransportError):
        server.query("up_once")
    server.start()
    assert server.url == url
    assert server.query("up_once", time=now - 50)[0]["value"][1] == "7"


def test_it_serves_https_and_asks_for_a_password(prometheus: StartPrometheus) -> None:
    server = prometheus(tls=True, basic_auth=True)
    assert server.url.startswith("https://")
    assert server.query("vector(1)")[0]["value"][1] == "1"
    with httpx.Client(verify=False) as stranger:  # noqa: S501 - it is the password that counts.
        answer = stranger.get(f"{server.url}/api/v1/query", params={"query": "1"})
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    with httpx.Client() as distrustful, pytest.raises(httpx.ConnectError, match="CERTIFICATE"):
        distrustful.get(server.url)


def test_a_refused_query_shows_why(prometheus: StartPrometheus) -> None:
    with pytest.raises(ClusterError, match="parse error"):
        prometheus().query("sum(")


def test_a_refused_history_shows_why(prometheus: StartPrometheus) -> None:
    with pytest.raises(ClusterError, match="promtool refused the history"):
        prometheus(history={"not a name": [(1.0, 1.0)]})


def test_a_start_that_loses_its_port_tries_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        picks = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr("tests.cluster.prometheus.free_port", lambda: next(picks))
        with Prometheus() as server:
            assert server.query("vector(1)")
    assert not list(picks)

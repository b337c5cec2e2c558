"""What a Prometheus may answer, and which reason becomes of it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest

from headstart_operator.sources.access import Access, Credentials
from headstart_operator.sources.addresses import Address
from headstart_operator.sources.prometheus import MOST_BYTES, Prometheus, RateError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headstart_operator.sources.prometheus import Answer

QUERY = "sum(rate(http_requests_total[1m]))"


def ask(
    access: Access | str,
    first: int,
    last: int,
    step: float = 1.0,
    within: float = 5,
    phase: float = 0.0,
) -> Answer:
    """Ask for rates on an event loop of its own."""
    if isinstance(access, str):
        access = Access(Address.parse(access))

    async def once() -> Answer:
        prometheus = Prometheus(access)
        try:
            return await prometheus.rates(QUERY, step, first, last, within, phase)
        finally:
            await prometheus.close()

    return asyncio.run(once())


class Request(NamedTuple):
    """What somebody asked for."""

    path: str
    parameters: dict[str, list[str]]
    headers: dict[str, str]


@contextmanager
def a_server(status: int, body: str, **headers: str) -> Iterator[tuple[str, list[Request]]]:
    """Answer every request in the same way; yields the address and the requests."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlparse(self.path)
            requests.append(Request(parts.path, parse_qs(parts.query), dict(self.headers)))
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", requests
        finally:
            server.shutdown()
            thread.join()


def a_result(*series: list[list[Any]]) -> str:
    """Write the answer to a range query."""
    result = [{"metric": {}, "values": values} for values in series]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def an_error(kind: str, message: str) -> str:
    """Write Prometheus' answer to a query that failed."""
    return json.dumps({"status": "error", "errorType": kind, "error": message})


def test_rates_are_put_on_the_grid_that_was_asked_for() -> None:
    with a_server(200, a_result([[1500, "1"], [1530, "3.5"], [1545, "0"]])) as (address, requests):
        answer = ask(f"{address}/prefix/", 100, 103, 15.0)
    np.testing.assert_array_equal(answer.rates, [1, np.nan, 3.5, 0])
    assert answer.problem is None
    path, parameters, _ = requests[0]
    assert path == "/prefix/api/v1/query_range"
    assert parameters["query"] == [QUERY]
    assert [parameters[key][0] for key in ("start", "end", "step")] == ["1500", "1545", "15"]


@pytest.mark.parametrize("phase", [0.25, 7.5, 14.75])
def test_a_policys_instants_come_later_by_its_phase(phase: float) -> None:
    points = [[1500 + phase, "1"], [1530 + phase, "3.5"]]
    with a_server(200, a_result(points)) as (address, requests):
        answer = ask(address, 100, 102, 15.0, phase=phase)
    np.testing.assert_array_equal(answer.rates, [1, np.nan, 3.5])
    parameters = requests[0].parameters
    assert [float(parameters[key][0]) for key in ("start", "end")] == [1500 + phase, 1530 + phase]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], Reason.NO_SERIES),
        ([[1500, "1"]], Reason.NO_SERIES),
        ([[1500, "1"], [1515, "NaN"]], Reason.NOT_A_NUMBER),
        ([[1500, "1"], [1515, "+Inf"]], Reason.NOT_A_NUMBER),
        ([[1500, "1"], [1515, "-2"]], Reason.NEGATIVE),
        ([[1500, "1"], [1515, "1e20"]], Reason.ABSURD),
    ],
)
def test_what_is_wrong_with_the_newest_rate(values: list[list[Any]], reason: Reason) -> None:
    with a_server(200, a_result(values) if values else a_result()) as (address, _):
        answer = ask(address, 100, 101, 15.0)
    assert np.isnan(answer.rates[1])
    assert answer.problem is not None
    assert answer.problem.reason is reason


@pytest.mark.parametrize(
    ("status", "body", "reason", "message"),
    [
        (200, a_result([[1, "1"]], [[1, "2"]]), Reason.SEVERAL_SERIES, "2 series, must be 1: wrap"),
        (200, a_result(*[[]] * 20), Reason.SEVERAL_SERIES, "20 or more series"),
        (200, "<html>Sign in</html>", Reason.UNREACHABLE, "does not answer as a Prometheus"),
        (200, "[]", Reason.UNREACHABLE, "does not answer as a Prometheus"),
        (200, a_result([[1, "many"]]), Reason.UNREACHABLE, "does not answer as a Prometheus"),
        (400, an_error("bad_data", "1:5: parse error"), Reason.QUERY_ERROR, "1:5: parse error"),
        (422, an_error("execution", "too many samples"), Reason.QUERY_ERROR, "too many samples"),
        (404, "nothing here", Reason.QUERY_ERROR, "nothing here"),
        (401, "", Reason.UNAUTHORIZED, "answers 401"),
        (403, "no", Reason.UNAUTHORIZED, "answers 403"),
        (503, an_error("timeout", "query timed out"), Reason.TIMEOUT, "gave the query up"),
        (500, "oops", Reason.UNREACHABLE, "answers 500: oops"),
        (302, "", Reason.UNREACHABLE, "redirects to http://elsewhere"),
    ],
)
def test_errors_by_what_they_mean(status: int, body: str, reason: Reason, message: str) -> None:
    with (
        a_server(status, body, Location="http://elsewhere") as (address, _),
        pytest.raises(RateError, match=message) as caught,
    ):
        ask(address, 0, 1)
    assert caught.value.reason is reason


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(RateError, match="cannot be reached: Connection refused") as caught:
            ask(address, 0, 1)
    assert caught.value.reason is Reason.UNREACHABLE


def test_no_such_host() -> None:
    with pytest.raises(RateError, match="cannot be reached: ") as caught:
        ask("http://prometheus.invalid:9090", 0, 1)
    assert caught.value.reason is Reason.UNREACHABLE


def test_it_listens_and_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RateError, match=r"did not answer within 0[.]1 s") as caught:
            ask(address, 0, 1, within=0.1)
    assert caught.value.reason is Reason.TIMEOUT


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a proxy that would see each query, nor a .netrc that would add a password."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password it\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    good = a_result([[0, "1"], [1, "1"]])
    with a_server(500, "a proxy") as (proxy, proxied), a_server(200, good) as (address, asked):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
            monkeypatch.setenv(name.lower(), proxy)
        assert ask(address, 0, 1).problem is None
    assert not proxied
    assert "Authorization" not in asked[0].headers


def test_the_keys_of_a_session_are_not_written_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert Credentials().context().keylog_filename is None


def test_a_redirect_goes_nowhere() -> None:
    with a_server(200, a_result([[0, "1"], [1, "1"]])) as (target, asked):
        for status in (301, 302, 303, 307, 308):
            with (
                a_server(status, "", Location=target) as (address, _),
                pytest.raises(RateError, match="name that address if you trust it"),
            ):
                ask(address, 0, 1)
    assert not asked


def test_a_cookie_is_forgotten() -> None:
    good = a_result([[0, "1"], [1, "1"]])
    with a_server(200, good, **{"Set-Cookie": "session=1"}) as (address, asked):

        async def twice() -> None:
            prometheus = Prometheus(Access(Address.parse(address)))
            for _ in range(2):
                await prometheus.rates(QUERY, 1.0, 0, 1, 5)
            await prometheus.close()

        asyncio.run(twice())
    assert not any("Cookie" in request.headers for request in asked)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"data":' * 5_000 + "1" + "}" * 5_000,
        "9" * 10_000,
        '{"data":{"result":[{"values":[[1e999,"1"]]}]}}',
        '{"data":{"result":[{"values":[[NaN,"1"]]}]}}',
        '{"data":{"result":{"a":1}}}',
        '{"data":{"result":"x"}}',
        '{"data":{"result":[{"values":5}]}}',
        '{"data":[]}',
        "",
    ],
)
def test_an_answer_that_is_none_is_no_crash(body: str) -> None:
    with (
        a_server(200, body) as (address, _),
        pytest.raises(RateError, match="does not answer as a Prometheus does") as caught,
    ):
        ask(address, 0, 1)
    assert len(str(caught.value)) < 500


def test_an_answer_that_is_compressed_is_not_unpacked() -> None:
    """A few kilobytes could be gigabytes."""
    with (
        a_server(200, a_result([[0, "1"]]), **{"Content-Encoding": "gzip"}) as (address, asked),
    ):
        assert not np.isnan(ask(address, 0, 0).rates).any()
    assert asked[0].headers["Accept-Encoding"] == "identity"


def test_what_an_error_says_is_cut_and_printable() -> None:
    said = "line\n\x1b[31mred\u202e" + "x" * 10_000
    with (
        a_server(400, an_error("bad_data", said)) as (address, _),
        pytest.raises(RateError, match=r"^line  ") as caught,
    ):
        ask(address, 0, 1)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400


@contextmanager
def a_stream(*, whole: bytes, chunk: int, pause: float) -> Iterator[tuple[str, list[int]]]:
    """Answer every request with these bytes, in chunks; yields the address and what was sent."""
    sent = [0]
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                for k in range(0, len(whole), chunk):
                    self.wfile.write(whole[k : k + chunk])
                    self.wfile.flush()
                    sent[0] += chunk
                    if released.wait(pause):
                        return

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", sent
        finally:
            released.set()
            server.shutdown()
            thread.join()


def test_an_answer_without_end_is_cut() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    with (
        a_stream(whole=head + b"x" * (16 * MOST_BYTES), chunk=1 << 16, pause=0) as (address, sent),
        pytest.raises(RateError, match="answers more than 8 MiB") as caught,
    ):
        ask(address, 0, 1, within=60)
    assert caught.value.reason is Reason.TOO_LARGE
    # And what the sockets between us hold, more on a busy machine: a quarter of what was to come.
    assert sent[0] < 4 * MOST_BYTES


@pytest.mark.parametrize("whole", [b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 99, b"HTTP/1.1 200 " * 99])
def test_an_answer_in_drips_has_a_time_as_a_whole(whole: bytes) -> None:
    """Each byte comes in time; all of them do not. In the body, and in the headers."""
    with (
        a_stream(whole=whole, chunk=1, pause=0.05) as (address, _),
        pytest.raises(RateError, match=r"did not answer within 0[.]5 s") as caught,
    ):
        ask(address, 0, 1, within=0.5)
    assert caught.value.reason is Reason.TIMEOUT

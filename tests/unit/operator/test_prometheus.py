"""What a Prometheus may answer, and which reason becomes of it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest

from headstart_operator.sources.access import Access
from headstart_operator.sources.addresses import Address
from headstart_operator.sources.prometheus import Prometheus, RateError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headstart_operator.sources.prometheus import Answer

QUERY = "sum(rate(http_requests_total[1m]))"


def ask(
    access: Access | str, first: int, last: int, step: float = 1.0, within: float = 5
) -> Answer:
    """Ask for rates on an event loop of its own."""
    if isinstance(access, str):
        access = Access(Address.parse(access))

    async def once() -> Answer:
        prometheus = Prometheus(access)
        try:
            return await prometheus.rates(QUERY, step, first, last, within)
        finally:
            await prometheus.close()

    return asyncio.run(once())


@contextmanager
def a_server(status: int, body: str, **headers: str) -> Iterator[tuple[str, list[Any]]]:
    """Answer every request in the same way; yields the address and the requests."""
    requests: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((urlparse(self.path).path, parse_qs(urlparse(self.path).query)))
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
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
    path, parameters = requests[0]
    assert path == "/prefix/api/v1/query_range"
    assert parameters["query"] == [QUERY]
    assert [parameters[key][0] for key in ("start", "end", "step")] == ["1500", "1545", "15"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], Reason.NO_SERIES),
        ([[1500, "1"]], Reason.NO_SERIES),
        ([[1500, "1"], [1515, "NaN"]], Reason.NOT_A_NUMBER),
        ([[1500, "1"], [1515, "+Inf"]], Reason.NOT_A_NUMBER),
        ([[1500, "1"], [1515, "-2"]], Reason.NEGATIVE),
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


def test_the_environment_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    with a_server(200, a_result([[0, "1"], [1, "1"]])) as (address, _):
        assert ask(address, 0, 1).problem is None

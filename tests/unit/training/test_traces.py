"""The trace loader: what it reads, and the line that it names when it refuses."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from headstart_training.loads.traces import TraceError, parse_trace, read_trace

TRACES = Path(__file__).resolve().parents[4] / "shared" / "traces"
HEADER = "minute,requests\n"


def test_rates_are_per_second_and_the_bin_is_found(tmp_path: Path) -> None:
    text = HEADER + "2018-04-13T06:55,60\n2018-04-13T07:00,120\n2018-04-13T07:05,0\n"
    plain, zipped = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_text(text)
    zipped.write_bytes(gzip.compress(text.encode()))
    for path in (plain, zipped):
        trace = read_trace(path)
        np.testing.assert_allclose(trace.rates, [1.0, 2.0, 0.0])
        assert trace.step == 300


def test_minutes_may_be_plain_numbers() -> None:
    trace = parse_trace([HEADER, "0,6\n", "1,12\n"])
    np.testing.assert_allclose(trace.rates, [0.1, 0.2])
    assert trace.step == 60


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,1", "1,1", "3,1"], "line 4: minute = 3 is 2 min after the line above, .* 1 min"),
        (["0,1", "1,1", "1,1"], "line 4: minute = 1 is there twice"),
        (["0,1", "1,1", "0.5,1"], "line 4: minute = 0.5 is before the line above"),
        (["0,1", "1,-2"], "line 3: requests = -2, must be finite and at least 0"),
        (["0,nan", "1,2"], "line 2: requests = nan, must be finite and at least 0"),
        (["0,1", "1,inf"], "line 3: requests = inf, must be finite and at least 0"),
        (["0,1", "1,many"], "line 3: requests = 'many', must be a number"),
        (["0,1", "soon,2"], "line 3: minute = 'soon', must be an ISO time or a number"),
        (["0,1", "nan,2"], "line 3: minute = nan, must be finite"),
        (["0,1", "1"], "line 3: 1 columns, must be 2"),
        (["0,1"], "1 rows, at least 2 are needed"),
        ([], "0 rows, at least 2 are needed"),
    ],
)
def test_what_is_no_regular_series_is_refused(rows: list[str], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        parse_trace([HEADER, *rows])


@pytest.mark.parametrize("header", [[], ["time,requests"]])
def test_other_columns_are_refused(header: list[str]) -> None:
    with pytest.raises(TraceError, match="line 1: columns must be minute,requests"):
        parse_trace(header)


@pytest.mark.skipif(not TRACES.is_dir(), reason=f"no recorded traces in {TRACES.name}")
@pytest.mark.parametrize(
    ("name", "step", "mean"), [("nasa_http_jul95", 60, 48), ("muni_eportal_a", 300, 20)]
)
def test_recorded_traces_are_read(name: str, step: float, mean: float) -> None:
    trace = read_trace(TRACES / f"{name}.csv.gz")
    assert trace.step == step
    assert trace.rates.mean() * 60 == pytest.approx(mean, rel=0.02)

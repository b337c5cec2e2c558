"""The trace loader: what it reads, what it repairs and says so, and what it refuses, by line."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart_training.loads.gaps import fill
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
        assert trace.start == datetime(2018, 4, 13, 6, 55)  # noqa: DTZ001 - the file names no zone
        assert trace.repairs == ()


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_columns_may_be_divided_as_spreadsheets_do(delimiter: str) -> None:
    rows = ["minute,requests\n", "0,6\n", '"1","12"\n']
    trace = parse_trace(row.replace(",", delimiter) for row in rows)
    np.testing.assert_allclose(trace.rates, [0.1, 0.2])


def test_minutes_may_be_plain_numbers() -> None:
    trace = parse_trace([HEADER, "0,6\n", "1,12\n"])
    np.testing.assert_allclose(trace.rates, [0.1, 0.2])
    assert (trace.step, trace.start, trace.repairs) == (60, None, ())


@pytest.mark.parametrize(
    ("header", "times"),
    [
        ("timestamp,rate", ["1700000000", "1700000060"]),
        ("time,rps", ["1700000000000", "1700000060000"]),
        ("\ufeffSecond;ignored".replace(";ignored", ",requests_per_second"), ["0", "60"]),
        (" Time , Requests_per_Minute ", ["2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z"]),
        ("datetime,rpm", ["2023-11-14 22:13:20+00:00", "2023-11-14 23:14:20+01:00"]),
        ("date,requests_per_bin", ["2023-11-14 22:13:20", "2023-11-14 22:14:20"]),
        ("timestamp,requests", ["1700000000", "1700000060"]),
    ],
)
def test_other_names_are_read_where_they_leave_no_doubt(
    header: str, times: list[str], tmp_path: Path
) -> None:
    per_second = header.lower().strip().endswith(("rate", "rps", "second"))
    values = ["1", "2"] if per_second else ["60", "120"]
    path = tmp_path / "a.csv"
    rows = "\n".join(f"{time},{value}" for time, value in zip(times, values, strict=True))
    path.write_text(f"{header}\n{rows}\n")
    trace = read_trace(path)
    np.testing.assert_allclose(trace.rates, [1.0, 2.0])
    assert trace.step == 60
    if trace.start and trace.start.tzinfo:
        assert trace.start == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


REPAIRED = {
    "a gap": (
        ["0,60", "1,120", "4,300", "5,60"],
        [1, 2, None, None, 5, 1],
        "2 of 6 bins are missing, in 1 gap of 2 min from bin 3 on: left unknown",
    ),
    "values that are empty": (
        ["0,60", "1,", "2,NaN", "3,null", "4,60", "5,", "6,60"],
        [1, None, None, None, 1, None, 1],
        "4 of 7 bins are missing, in 2 gaps, the longest of 3 min from bin 2 on: left unknown",
    ),
    "duplicates": (
        ["0,60", "1,120", "1,120", "2,60", "2,60"],
        [1, 2, 1],
        "2 rows are there twice, first line 4: dropped",
    ),
    "a duplicate of which one is empty": (
        ["0,60", "1,", "1,120"],
        [1, 2],
        "1 row is there twice, first line 3: dropped",
    ),
    "the newest first": (
        ["2,60", "1,120", "0,180"],
        [3, 2, 1],
        "the newest row comes first: turned round",
    ),
    "one row out of order": (
        ["0,60", "2,180", "1,120", "3,240"],
        [1, 2, 3, 4],
        "1 row is before the line above, from line 4 on: sorted by time",
    ),
    "jitter": (
        ["0,60", "1.01,120", "1.99,180", "3,240"],
        [1, 2, 3, 4],
        "times are up to 0.6 s off: moved to their bin",
    ),
    "empty lines": (["0,60", "", "1,120", ""], [1, 2], "2 empty lines: skipped"),
    "a counter that jumped": (
        [f"{k},60" for k in range(14)] + ["14,60000000", "15,60"],
        [1] * 14 + [None, 1],
        "line 16: 1e+06 requests/s, more than 1,000 times the next highest (1): taken as missing",
    ),
    "two resolutions": (
        [f"{k},{60 * k}" for k in range(20)] + [f"{k},60" for k in range(20, 90, 5)],
        [2, 7, 12, 17] + [1] * 14,
        "bins of 1 min and 5 min: averaged to 5 min",
    ),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_what_has_one_reading_is_repaired_and_said(name: str) -> None:
    rows, rates, words = REPAIRED[name]
    trace = parse_trace([HEADER, *(row + "\n" for row in rows)])
    np.testing.assert_allclose(trace.rates, np.array(rates, dtype=np.float64))
    assert words in trace.repairs


def test_two_resolutions_meet_at_the_coarse_bins_beginning() -> None:
    """The finer part begins in the middle of a coarse bin."""
    fine = [f"{k},60" for k in range(3, 20)]
    coarse = [f"{k},120" for k in range(20, 90, 5)]
    trace = parse_trace([HEADER, *fine, *coarse])
    np.testing.assert_allclose(trace.rates, [1] * 4 + [2] * 14)


def test_jitter_is_no_second_resolution() -> None:
    seconds = np.arange(60) * 60 + np.repeat([0.0, 0.2, 0.4], 20) * np.arange(60) / 60
    trace = parse_trace(["second,rate", *(f"{second:.3f},1" for second in seconds)])
    assert trace.step == 60
    np.testing.assert_array_equal(trace.rates, 1.0)


def test_columns_that_are_not_read_are_said() -> None:
    trace = parse_trace(["minute,requests,errors", "0,60,1", "1,60,2"])
    assert trace.repairs == ("other columns than minute and requests: errors: not read",)


@pytest.mark.parametrize("step", [1, 5, 15])
@pytest.mark.parametrize(
    ("day", "words"),
    [
        (datetime(2024, 3, 31, tzinfo=UTC), "the clock is set forward an hour"),
        (datetime(2024, 10, 27, tzinfo=UTC), "the clock is set back an hour"),
    ],
)
def test_daylight_saving_is_undone(step: int, day: datetime, words: str) -> None:
    """Local times of one hour are missing, or there twice; no time passed but what passed."""
    zone = ZoneInfo("Europe/Berlin")
    moments = [day + timedelta(minutes=step * k) for k in range(-60, 60 * 6 // step)]
    rows = [
        f"{moment.astimezone(zone).replace(tzinfo=None).isoformat()},{60 * (k + 1)}"
        for k, moment in enumerate(moments)
    ]
    trace = parse_trace([HEADER, *rows])
    np.testing.assert_allclose(trace.rates, np.arange(len(moments)) + 1.0)
    (repair,) = trace.repairs
    assert words in repair
    with_zone = [
        f"{moment.astimezone(zone).isoformat()},{60 * (k + 1)}" for k, moment in enumerate(moments)
    ]
    trace = parse_trace([HEADER, *with_zone])
    np.testing.assert_allclose(trace.rates, np.arange(len(moments)) + 1.0)
    assert trace.repairs == ()
    assert trace.start == moments[0]


def test_an_hour_that_is_missing_at_noon_is_a_gap() -> None:
    day = datetime(2024, 3, 31, 10, tzinfo=UTC)
    moments = [day + timedelta(minutes=k) for k in [*range(120), *range(180, 300)]]
    rows = [f"{moment.replace(tzinfo=None).isoformat()},60" for moment in moments]
    trace = parse_trace([HEADER, *rows])
    assert np.isnan(trace.rates).sum() == 60
    assert "1 gap of 1 h from bin 121 on" in trace.repairs[0]


def test_one_row_an_hour_out_of_order_is_no_clock_set_back() -> None:
    minutes = [*range(58, 120), 57, *range(120, 180)]
    rows = [f"2024-10-27T{m // 60:02}:{m % 60:02},{60 * m}" for m in minutes]
    trace = parse_trace([HEADER, *rows])
    np.testing.assert_allclose(trace.rates, np.arange(57, 180))
    assert "sorted by time" in trace.repairs[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,1", "1,1", "1,3"], "line 4: the time of line 3 again, with another rate"),
        (["0,1", "1,1", "2.5,1"], "line 4: 1.5 min after the row before, the bin has 1 min"),
        (["0,1", "1,-2"], r"line 3: requests = -2, must be in \[0, 6e\+10\]: a counter must"),
        (["0,1", "1,inf"], "line 3: requests = inf, must be in"),
        (["0,1", "1,1e11"], "line 3: requests = 1e11, must be in"),
        (["0,1", "1,many"], "line 3: requests = 'many', must be a number"),
        (["0,1", "soon,2"], "line 3: minute = 'soon', must be an ISO time or a number"),
        (["0,1", "nan,2"], "line 3: minute = nan, must be finite"),
        (["0,1", "1"], "line 3: 1 columns, must be 2"),
        (["0,1", "2024-01-01,1"], "line 3: minute is a local time, on line 2 it is a number"),
        (["0,1", "1,1", "1e12,1"], "line 4: .* d after the row before; 3 rows of 1 min"),
        (["0,1", "1e-7,1"], "less than a millisecond apart"),
        (["0,0", "1,0", "2,"], "all 3 rates are 0 or missing, at least one must be above 0"),
        (["0,", "1,"], "all 2 rates are 0 or missing"),
        (["0,1"], "1 rows, at least 2 are needed"),
        ([], "0 rows, at least 2 are needed"),
        (
            [f"{k},1" for k in range(0, 40, 2)] + [f"{k},1" for k in range(41, 90, 3)],
            "bins of 2 min and 3 min in one recording, the longest must be a multiple",
        ),
    ],
)
def test_what_has_several_readings_is_refused(rows: list[str], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        parse_trace([HEADER, *rows])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the file is empty, must have a header and rows: minute,requests"),
        (["Time,Value", "1,1"], "line 1: columns must be minute,requests, or have one column of"),
        (["minute|requests", "1|1"], "line 1: columns must be minute,requests"),
        (["minute;requests", "1;1,5", "2;1"], "line 2: requests = '1,5', must be a number"),
        (["time,timestamp,rate"], "one column of times called minute, second, timestamp"),
        (["time,rate,requests"], "one column of requests called requests, requests_per_minute"),
        (["time,rate", "5,1"], "line 2: time = 5, must be a Unix time in seconds or milliseconds"),
        (
            ["timestamp,requests", "1700000000,1", "1700000300,1"],
            "requests beside timestamp in bins of 300 s may be per minute or per bin",
        ),
    ],
)
def test_files_that_are_not_understood_are_refused(lines: list[str], message: str) -> None:
    with pytest.raises(TraceError, match=message):
        parse_trace(lines)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b"minute,requests\n0,\x00\n1,1\n", b""])
def test_messages_name_the_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"^load\.csv: "):
        read_trace(path)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(0, 50), st.floats(0, 1e6), st.sampled_from(["", "2024-01-01"])),
            st.one_of(st.integers(-1, 50), st.floats(), st.sampled_from(["", "x"])),
        ),
        max_size=60,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_file_is_read_or_refused(rows: list[tuple[object, object]]) -> None:
    try:
        trace = parse_trace([HEADER, *(f"{time},{value}" for time, value in rows)])
    except TraceError:
        return
    known = np.isfinite(trace.rates)
    assert (trace.rates[known] >= 0).all()
    assert trace.rates[known].any()
    assert trace.step > 0
    assert known.all() or any("missing" in repair for repair in trace.repairs)
    assert np.isfinite(trace.filled).all()


def test_short_gaps_are_filled_by_lines_and_long_ones_from_the_days_around() -> None:
    day = 50 + 40 * np.sin(np.arange(288) / 288 * 2 * np.pi)
    rates = np.tile(day, 4)
    broken = rates.copy()
    broken[20:25] = np.nan
    broken[300:500] = np.nan
    filled = fill(broken, 300.0)
    np.testing.assert_allclose(filled[300:500], rates[300:500])
    np.testing.assert_allclose(filled[20:25], np.linspace(rates[19], rates[25], 7)[1:-1])


def test_a_gap_that_no_day_covers_is_a_line() -> None:
    rates = np.array([1.0] + [np.nan] * 30 + [32.0])
    np.testing.assert_allclose(fill(rates, 300.0), np.arange(32) + 1.0)


@pytest.mark.skipif(not TRACES.is_dir(), reason=f"no recorded traces in {TRACES.name}")
@pytest.mark.parametrize(
    ("name", "step", "mean"), [("nasa_http_jul95", 60, 48), ("muni_eportal_a", 300, 20)]
)
def test_recorded_traces_are_read(name: str, step: float, mean: float) -> None:
    trace = read_trace(TRACES / f"{name}.csv.gz")
    assert trace.step == step
    assert trace.rates.mean() * 60 == pytest.approx(mean, rel=0.02)
    assert trace.repairs == ()

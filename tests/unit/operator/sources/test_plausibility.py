"""Whether the load fell, or what tells of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_operator.sources.history import Gap, History
from headstart_operator.sources.plausibility import (
    Companion,
    Replicas,
    Vanished,
    companion_of,
    fallen,
    go_on,
    recovering,
    vanishing,
)
from headstart_policy.profile import Objective, Profile

NAN = float("nan")
LOST = Vanished(since=1000.0, rate=100.0, series=10.0, rate_left=40.0, series_left=3.0)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            'sum(rate(http_requests_total{app="checkout"}[1m]))',
            Companion('count(http_requests_total{app="checkout"})', 60),
        ),
        ("rate(a:b_total [1m30s])", Companion("count(a:b_total)", 90)),
        (
            "sum by (x) (increase({__name__=~'nginx.+', le='}'}[500ms])) / 60",
            Companion("count({__name__=~'nginx.+', le='}'})", 0.5),
        ),
        ('sum(rate(a{path="/x[5m]"}[2m]))', Companion('count(a{path="/x[5m]"})', 120)),
        ("sum(rate(a[1m])) + sum(rate(b[1m]))", None),
        ("max_over_time(sum(rate(a[1m]))[5m:1m])", None),
        ("sum(rate(a[1m] offset 5m))", None),
        ("sum(rate(a[1m] @ 1700000000))", None),
        ("service:requests:rate1m", None),
        ("sum(rate(", None),
        ("", None),
    ],
)
def test_the_companion_of_a_query(query: str, expected: Companion | None) -> None:
    assert companion_of(query, None) == expected


def test_a_targets_query_is_taken_as_it_is() -> None:
    assert companion_of("service:requests:rate1m", "count(up)") == Companion("count(up)", 0)
    assert companion_of("sum(rate(a[1m]))", "count(up)") == Companion("count(up)", 60)


@given(st.text(max_size=60))
def test_no_query_breaks_it(query: str) -> None:
    companion_of(query, None)


def test_it_looks_as_far_back_as_the_rate_reaches() -> None:
    assert Companion("", 90).look(15) == 7
    assert Companion("", 0).look(15) == 5


@pytest.mark.parametrize(
    ("rates", "reach", "falls"),
    [
        ([100, 100, 74], 60, True),
        ([100, 100, 76], 60, False),
        ([NAN, 100, 40], 60, True),
        ([100, 40, NAN], 60, True),
        ([NAN, NAN, NAN], 60, False),
        ([10, 100, 100], 60, False),
        ([0, 0, 0], 60, False),
        ([], 60, False),
        # 60 requests a minute are some 8 more or fewer by chance; that 31 are missing is none.
        ([1, 1, 0.5], 60, False),
        ([1, 1, 0.48], 60, True),
        ([1, 1, 0.5], 0, True),
    ],
)
def test_a_fall_that_is_worth_a_look(rates: list[float], reach: float, *, falls: bool) -> None:
    assert fallen(np.array(rates), reach) is falls


@given(
    rates=st.lists(st.floats(0, 1000), min_size=5, max_size=5),
    series=st.integers(1, 100),
    replicas=st.floats(0.01, 1),
)
def test_no_load_makes_targets_vanish_that_are_there(
    rates: list[float], series: int, replicas: float
) -> None:
    assert vanishing(0.0, 15.0, np.array(rates), np.full(5, float(series)), replicas) is None


@pytest.mark.parametrize(
    ("name", "rates", "series", "replicas", "since"),
    [
        ("most targets go at once", [100, 100, 70, 40], [10, 10, 3, 3], 1, 20),
        ("all of them go", [100, 75, 50, 25], [10, NAN, NAN, NAN], 1, 10),
        ("the last of a decaying rate", [100, 100, 75, NAN], [10, 10, NAN, NAN], 1, 20),
        ("a division by 0", [100, 100, 100, NAN], [10, 10, 10, 10], 1, None),
        ("a service that sleeps", [2, 1, 0, NAN], [3, 3, 3, NAN], 0, None),
        ("one by one", [100, 90, 70, 50], [10, 9, 6, 4], 1, 20),
        ("the load falls", [100, 100, 30, 30], [10, 10, 10, 10], 1, None),
        ("the load falls and one target ends", [100, 100, 30, 30], [10, 10, 9, 9], 1, None),
        ("replicas follow a load", [100, 30, 30, 30], [10, 10, 3, 3], 0.3, None),
        ("replicas followed a little", [100, 80, 60, 20], [10, 2, 2, 2], 0.8, 10),
        ("nobody counts", [100, 100, 30, 30], [NAN] * 4, 1, None),
        ("a count of nothing", [100, 100, 30, 30], [0, 0, 0, 0], 1, None),
        ("few of many series for most of the rate", [100, 100, 10, 10], [10, 10, 7, 7], 1, None),
        ("targets go, the rest takes over", [100, 60, 100, 100], [10, 5, 5, 5], 1, None),
    ],
)
def test_a_fall_is_judged_by_what_contributed(
    name: str, rates: list[float], series: list[float], replicas: float, since: float | None
) -> None:
    found = vanishing(0.0, 10.0, np.array(rates, float), np.array(series, float), replicas)
    assert (found.since if found else None) == since, name


def test_what_vanished_is_told() -> None:
    assert LOST.message.startswith(
        "7 of 10 series vanished while the rate fell from 100 to 40 requests/s"
    )
    assert Vanished.from_json(list(LOST)) == LOST
    assert Vanished.from_json(None) is None
    for broken in ([1.0], [NAN] * 6, "x"):
        with pytest.raises((TypeError, ValueError)):
            Vanished.from_json(broken)


@pytest.mark.parametrize(
    ("name", "now", "rate", "series", "expected"),
    [
        ("still away", 1015, 40, 3, LOST),
        ("all gone", 1015, NAN, NAN, LOST),
        ("back, but the rate still rises", 1015, 60, 10, LOST._replace(back=1015)),
        ("more arrives than did before", 1015, 101, 3, None),
        ("away for long", 1600, 40, 3, None),
    ],
)
def test_a_loss_goes_on_until_it_is_over(
    name: str, now: float, rate: float, series: float, expected: Vanished | None
) -> None:
    assert go_on(LOST, now, rate, series, reach=60, settle=600) == expected, name


def test_targets_that_are_back_count_when_the_rate_has_them() -> None:
    back = LOST._replace(back=1015.0)
    assert go_on(back, 1060, 90, 10, reach=60, settle=600) == back
    assert go_on(back, 1075, 90, 10, reach=60, settle=600) is None
    assert go_on(back, 1030, 50, 4, reach=60, settle=600) == LOST


def test_replicas_that_explain_series() -> None:
    lately = Replicas()
    assert lately.share == 1
    for now, replicas in ((0, 10), (15, 10), (30, 4)):
        lately = lately.see(now, replicas, reach=60)
    assert lately.share == 0.4
    assert len(lately.seen) == 2
    assert lately.see(209, 4, reach=60).share == 0.4
    assert lately.see(211, 4, reach=60).share == 1


@pytest.mark.parametrize(
    ("rates", "recovers"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1], False),
        ([1, NAN, NAN, NAN, NAN, NAN, 1], True),
        ([1, NAN, NAN, NAN, NAN, NAN, 1, 1, 1], False),
        ([1, NAN, NAN, NAN, NAN, 1], False),
        ([NAN, NAN, NAN, NAN, NAN, NAN, NAN, 1], False),
        ([1, NAN, NAN, NAN, NAN, NAN, NAN, NAN], False),
    ],
)
def test_after_a_loss_the_rate_recovers_for_a_while(rates: list[float], *, recovers: bool) -> None:
    assert recovering(np.array(rates), 3) is recovers


def test_a_hole_in_the_history_does_not_read_as_a_low_rate() -> None:
    profile = Profile(5.0, 60.0, 15.0, Objective(0.995, 3.0, 0.9, 200.0), ())
    history = History(profile)
    length = len(history.recent.rates)
    history.extend(Gap(15.0, 1, length), np.full(length, 40.0))
    # Targets vanished three samples ago.
    history.recent.rates[-3:] = 10.0
    history.forget_since((length - 2) * 15.0)
    # Two of them had been decided on: a record must say so, once.
    history.forget_since((length - 2) * 15.0)
    assert history.revision == 1
    recent = history.windows(length * 15.0).recent
    known = recent[np.isfinite(recent)]
    np.testing.assert_allclose(known, 40.0)
    assert history.newest(length * 15.0) == (40.0, 45.0)

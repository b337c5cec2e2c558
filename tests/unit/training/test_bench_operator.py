"""`headstart bench operator` where it cannot run, and the table that it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner
from rich.console import Console

from headstart_training.commands import bench_operator
from tests.load.figures import Figures

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FIGURES = Figures(
    policies=1000,
    pods_per_policy=3,
    interval_seconds=15,
    seconds=90.4,
    ticks=6005,
    tick_lag_p50_seconds=0.12,
    tick_lag_p99_seconds=0.6,
    worst_tick_seconds=1.25,
    all_due_tick_seconds=6.43,
    rss_mib=314.1,
    cpu_cores=0.314,
    cpu_milliseconds_per_tick=4.73,
    requests_per_tick=1.44,
    kubernetes_requests_per_tick={"GET": 0.09, "PATCH": 0.3, "POST": 0.05},
    prometheus_requests_per_tick=1.0,
    patch_p99_seconds=0.05,
    query_p99_seconds=float("nan"),
    kubernetes_errors={"404": 61},
    restart_seconds=19.5,
    history_days=8,
    backfill_seconds=130.0,
    backfill_queries_per_second=110.0,
    backfill_query_p99_seconds=0.02,
    backfill_tick_lag_p99_seconds=0.31,
)


def test_outside_of_a_checkout_it_says_where_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_operator, "CHECKOUT", tmp_path)
    result = CliRunner().invoke(bench_operator.operator, ["--policies", "1"])
    assert result.exit_code == 1
    assert "run it in a checkout" in result.output


def test_the_table_names_what_was_measured() -> None:
    shown = Console(width=120, record=True, quiet=False, file=None)
    with shown.capture() as captured:
        shown.print(bench_operator.table(FIGURES))
    text = captured.get()
    assert "1,000 policies of 3 pods each 15 s" in text
    assert "0.600 s" in text
    assert "61 x 404" in text
    assert "until the seasons are read, 8 days" in text


def test_what_is_unknown_is_null() -> None:
    document = FIGURES.to_json()
    assert document["query_p99_seconds"] is None
    assert document["tick_lag_p99_seconds"] == 0.6

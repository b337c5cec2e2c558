"""What is judged was never learned from, nor what moves with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from headstart_training.commands.bench_unseen import unseen
from headstart_training.leave_out import folds

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("together", "count", "expected"),
    [
        ([], 2, [["a", "c", "e"], ["b", "d"]]),
        ([], 9, [["a"], ["b"], ["c"], ["d"], ["e"]]),
        (["ad"], 2, [["a", "d", "c"], ["b", "e"]]),
        (["ae", "bd"], 3, [["a", "e"], ["b", "d"], ["c"]]),
    ],
)
def test_each_is_left_out_once_and_the_correlated_together(
    together: list[str], count: int, expected: list[list[str]]
) -> None:
    found = folds(NAMES, [frozenset(names) for names in together], count)
    assert found == expected
    assert sorted(name for part in found for name in part) == NAMES


@pytest.mark.parametrize(
    ("together", "count", "message"),
    [
        (["ax"], 2, "together names \\['x'\\]"),
        (["abcde"], 2, "folds = 1, must be at least 2"),
    ],
)
def test_what_would_leave_nothing_to_learn_from_is_refused(
    together: list[str], count: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        folds(NAMES, [frozenset(names) for names in together], count)


def test_nothing_is_kept_together_where_none_is_left_out(tmp_path: Path) -> None:
    options = ["--traces", str(tmp_path), "--seen", "--together", "a,b"]
    result = CliRunner().invoke(unseen, options)
    assert result.exit_code == 2  # click's, for wrong usage
    assert "--seen leaves none out" in result.output


def test_a_recording_too_short_to_be_judged_by_is_refused_before_anything_is_learned(
    tmp_path: Path,
) -> None:
    minutes = "".join(f"{1_700_000_000 + 60 * k},{100 + k % 7}\n" for k in range(1500))
    for name in ("one", "other"):
        (tmp_path / f"{name}.csv").write_text(f"timestamp,rate\n{minutes}")
    result = CliRunner().invoke(unseen, ["--traces", str(tmp_path), "--folds", "2"])
    assert result.exit_code == 1
    assert "one: 1.04 days of history, at least 2 are needed" in result.output

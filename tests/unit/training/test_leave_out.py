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

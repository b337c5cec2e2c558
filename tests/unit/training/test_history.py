"""What is refused before a Prometheus is asked; the rest meets a real one in tests/integration."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from headstart_training.loads.pages import Pages, Series, default_folder
from headstart_training.loads.prometheus import window
from headstart_training.loads.session import Access


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"address": "prometheus:9090"}, "must be like http://prometheus:9090"),
        ({"address": "http://me:secret@prometheus"}, "address has a user and password in it"),
        ({"token": "a", "basic": ("b", "c")}, "must be one of them"),
        ({"ca_file": Path("/nowhere/ca.crt")}, "ca_file = /nowhere/ca.crt, must be a file"),
        ({"timeout": 0.0}, "timeout must be above 0 s, is 0"),
    ],
)
def test_access_that_cannot_work_is_refused(numbers: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        Access(**{"address": "http://prometheus:9090", **numbers})  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def test_secrets_are_not_shown() -> None:
    access = Access("http://prometheus:9090", token="secret")  # noqa: S106 - a test's own
    assert "secret" not in repr(access)


def test_a_window_is_the_days_before_its_end() -> None:
    end = datetime(2026, 1, 15, 0, 0, 30, tzinfo=UTC)
    found = window(end, 14, 60)
    assert found.points == 14 * 1440
    assert found.time(found.points - 1) == datetime(2026, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "step", "message"),
    [(14, 0, "step must be at least 1 s, is 0"), (0.001, 60, "is 1 points, must be at least 2")],
)
def test_an_impossible_window_is_refused(days: float, step: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        window(datetime(2026, 1, 15, tzinfo=UTC), days, step)


def test_nothing_is_kept_without_a_folder() -> None:
    pages = Pages(None, "query")
    pages.write(0, 1, [Series({}, np.zeros(1))])
    assert pages.read(0, 1) is None


def test_pages_lie_where_the_platform_keeps_caches() -> None:
    assert default_folder().parts[-2:] == ("headstart", "prometheus")

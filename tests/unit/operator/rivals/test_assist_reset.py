"""`headstart assist-reset` puts back what has expired, says what it does, and fails aloud."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from headstart_operator.kube import Api, ApiError
from headstart_operator.rivals import assist_reset
from headstart_operator.rivals.assist import ANNOTATION
from tests.unit.operator.rivals.test_assistant import NOTE, FakeApi

if TYPE_CHECKING:
    from click.testing import Result


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """Provide a cluster with one HPA whose floor was raised, in 2026."""
    api = FakeApi()
    monkeypatch.setattr(Api, "connect", lambda: api)
    return api


def at(monkeypatch: pytest.MonkeyPatch, now: float, *flags: str) -> Result:
    """Call it at some time."""
    monkeypatch.setattr(time, "time", lambda: now)
    return CliRunner().invoke(assist_reset.assist_reset, flags)


def test_what_is_still_good_stays(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    result = at(monkeypatch, NOTE.until - 1)
    assert result.exit_code == 0
    assert "minReplicas = 6 is good until 2026-01-01T00:05:00Z" in result.output
    assert api.floor == 6


@pytest.mark.parametrize(("early", "flags"), [(0, ()), (200, ("--all",))])
def test_what_has_expired_falls(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, early: float, flags: tuple[str, ...]
) -> None:
    result = at(monkeypatch, NOTE.until - early, *flags)
    assert result.output == "shop HorizontalPodAutoscaler/checkout: minReplicas 6 -> 2\n"
    assert api.floor == 2
    assert ANNOTATION not in api.hpa["metadata"]["annotations"]
    assert at(monkeypatch, NOTE.until).output == ""


def test_what_cannot_be_put_back_is_an_error(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    api.failure = ApiError(403, "forbidden")
    result = at(monkeypatch, NOTE.until)
    assert result.exit_code == 1
    assert "cannot be patched: forbidden" in result.output
    assert "1 could not be put back or listed: run it again" in result.output


def test_a_namespace_that_cannot_be_listed_is_an_error_and_the_others_are_done(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = api.get

    def get(path: str, **query: str) -> dict[str, object]:
        if "/namespaces/gone/" in path:
            raise ApiError(403, "forbidden")
        return listed(path, **query)

    monkeypatch.setattr(api, "get", get)
    result = at(monkeypatch, NOTE.until, "--namespace=gone", "--namespace=shop")
    assert result.exit_code == 1
    assert "in gone cannot be listed: forbidden" in result.output
    assert api.floor == 2

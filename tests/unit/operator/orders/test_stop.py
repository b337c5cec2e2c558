"""The stop switch: what it says stands until the API server says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from headstart_operator.kube import Api, ApiError
from headstart_operator.orders.stop import LOOK_EVERY, StopSwitch

SET = {"data": {"reason": "database is down", "by": "ana"}}


class OneConfigMap(Api):
    """Answers with what the test says."""

    answer: dict[str, Any] | ApiError = ApiError(404, "not found")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, path: str, *, accept: str = "", **query: str) -> dict[str, Any]:
        """Answer."""
        del accept, query
        self.asked.append(path)
        if isinstance(self.answer, ApiError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answers", "stopped"),
    [
        ([ApiError(404, "")], False),
        ([{}], True),
        ([SET], True),
        ([SET, ApiError(404, "")], False),
        # What cannot be read has not changed.
        ([SET, ApiError(0, "away")], True),
        ([SET, ApiError(500, "etcd")], True),
        ([SET, ApiError(403, "no")], True),
        # Until there is an answer nothing is scaled: a restart must not start what is stopped.
        ([], True),
        ([ApiError(0, "away")], True),
        ([ApiError(0, "away"), ApiError(404, "")], False),
        ([ApiError(403, "no")], False),
    ],
)
def test_the_last_answer_stands(answers: list[Any], *, stopped: bool) -> None:
    api = OneConfigMap()
    switch = StopSwitch(api, "headstart", "headstart-stop")
    for answer in answers:
        api.answer = answer
        switch.look()
    assert (switch.stopped is not None) is stopped


def test_it_says_who_and_why() -> None:
    api = OneConfigMap()
    api.answer = SET
    switch = StopSwitch(api, "headstart", "halt")
    switch.look()
    assert api.asked == ["/api/v1/namespaces/headstart/configmaps/halt"]
    assert switch.stopped is not None
    assert switch.stopped.reason == "Stopped"
    assert switch.stopped.message == (
        "ConfigMap headstart/halt stops all scaling, set by ana: database is down. "
        "Delete it to go on."
    )


def test_a_refusal_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    api = OneConfigMap()
    api.answer = ApiError(403, "may not")
    switch = StopSwitch(api, "headstart", "halt")
    switch.look()
    switch.look()
    assert len(caplog.records) == 1


def test_it_looks_every_two_seconds_and_not_at_all_without_a_namespace() -> None:
    switch = StopSwitch(OneConfigMap(), "headstart", "halt")
    assert [switch.due(LOOK_EVERY * t) for t in (0, 0.5, 1, 1.9, 2)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    # A clock that was set back must not stop it from looking.
    assert switch.due(-1000.0)
    nowhere = StopSwitch(OneConfigMap(), None, "halt")
    assert not nowhere.due(0.0)
    nowhere.look()
    assert nowhere.stopped is None

"""Orders of people end by themselves and name their author."""

from __future__ import annotations

import pytest

from headstart_policy.pins import Block, Pause

NOW = 1_767_225_600.0


@pytest.mark.parametrize(("now", "lasts"), [(NOW - 1, True), (NOW, False), (NOW + 1, False)])
def test_an_order_ends(now: float, *, lasts: bool) -> None:
    assert Pause(NOW, "load test", "ana").lasts(now) is lasts


def test_the_message_says_who_until_when_and_why() -> None:
    assert Pause(NOW, "load test", "ana").message == "by ana until 2026-01-01T00:00:00Z: load test"


def test_a_pin_blocks_everything() -> None:
    with pytest.raises(ValueError, match=r"replicas = 3 needs paused.block = All, is Up"):
        Pause(NOW, "x", "ana", Block.UP, 3)

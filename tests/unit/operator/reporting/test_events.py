"""What happens again is one event that counts."""

from __future__ import annotations

from headstart_operator.reporting.events import (
    FORGOTTEN,
    LONGEST_MESSAGE,
    MOST,
    NORMAL,
    QUIET,
    WARNING,
    Chronicle,
    Subject,
)

SUBJECT = Subject("shop", "checkout", "1234")


def test_the_first_is_told_at_once() -> None:
    event = Chronicle(SUBJECT).tell(WARNING, "NoSeries", "no series", 1e9, "pod")
    assert event is not None
    assert event["metadata"] == {"name": "checkout.de0b6b3a7640000", "namespace": "shop"}
    assert (event["count"], event["firstTimestamp"]) == (1, "2001-09-09T01:46:40Z")
    assert event["involvedObject"]["uid"] == "1234"


def test_a_flapping_condition_is_counted_and_told_now_and_then() -> None:
    """Every 10 s for 10 minutes: 60 times, told at the start and after each quiet while."""
    chronicle = Chronicle(SUBJECT)
    told = [
        chronicle.tell(WARNING, "NoSeries", f"for the {k}th time", 1e9 + 10 * k, "pod")
        for k in range(61)
    ]
    events = [event for event in told if event]
    assert [event["count"] for event in events] == [1, QUIET / 10 + 1, 2 * QUIET / 10 + 1]
    assert len({event["metadata"]["name"] for event in events}) == 1
    assert events[-1]["message"] == "for the 60th time"


def test_different_things_are_different_events() -> None:
    chronicle = Chronicle(SUBJECT)
    assert chronicle.tell(NORMAL, "Scaled", "2 -> 3", 1e9, "pod", same="2 -> 3")
    assert chronicle.tell(NORMAL, "Scaled", "3 -> 4", 1e9 + 1, "pod", same="3 -> 4")
    assert chronicle.tell(WARNING, "Scaled", "3 -> 4", 1e9 + 2, "pod", same="3 -> 4")
    assert chronicle.tell(NORMAL, "Scaled", "2 -> 3", 1e9 + 3, "pod", same="2 -> 3") is None


def test_what_the_api_server_has_forgotten_is_new() -> None:
    chronicle = Chronicle(SUBJECT)
    first = chronicle.tell(WARNING, "NoSeries", "none", 1e9, "pod")
    again = chronicle.tell(WARNING, "NoSeries", "none", 1e9 + FORGOTTEN, "pod")
    assert first is not None
    assert again is not None
    assert again["count"] == 1
    assert again["metadata"]["name"] != first["metadata"]["name"]


def test_memory_is_bounded_and_messages_are_cut() -> None:
    chronicle = Chronicle(SUBJECT)
    for k in range(3 * MOST):
        event = chronicle.tell(NORMAL, "Scaled", "x" * 5000, 1e9, "pod", same=str(k))
        assert event is not None
        assert len(event["message"]) == LONGEST_MESSAGE
    assert len(chronicle._told) == MOST

"""Known events take place when their calendar says so, also where clocks change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from headstart_operator.orders.known_events import Calendar, check_schedule, check_time_zone
from headstart_operator.resource import KnownEvent, Spec, SpecError
from tests.unit.operator.test_resource import MINIMAL


def an_event(**changes: Any) -> KnownEvent:
    """Describe an event of an hour that needs twice the load."""
    return KnownEvent.model_validate(
        {"name": "sale", "duration": "1h", "expectedFactor": 2, **changes}
    )


def at(text: str) -> float:
    """Read an instant."""
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("schedule", "zone", "by", "start"),
    [
        # The instant itself counts; a second before it the day before does.
        ("0 8 * * *", "UTC", "2026-06-01T08:00:00Z", "2026-06-01T08:00:00Z"),
        ("0 8 * * *", "UTC", "2026-06-01T07:59:59.9Z", "2026-05-31T08:00:00Z"),
        # Eight in the morning is another hour of UTC in winter and in summer.
        ("0 8 * * *", "Europe/Berlin", "2026-01-10T07:30:00Z", "2026-01-10T07:00:00Z"),
        ("0 8 * * *", "Europe/Berlin", "2026-07-10T06:30:00Z", "2026-07-10T06:00:00Z"),
        # On 29 March 2026 Berlin has no 02:30: it runs when the gap ends, as Debian's cron does.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z"),
        # On 25 October it has two of them: the first counts, and only that.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z"),
        # New York's clocks change on other days.
        ("0 9 * * MON-FRI", "America/New_York", "2026-03-09T14:00:00Z", "2026-03-09T13:00:00Z"),
        ("0 9 * * MON-FRI", "America/New_York", "2026-03-08T14:00:00Z", "2026-03-06T14:00:00Z"),
        # Half an hour off, and only a quarter of it.
        ("0 8 * * *", "Asia/Kathmandu", "2026-06-01T03:00:00Z", "2026-06-01T02:15:00Z"),
        # Once a year, and every four.
        ("0 0 24 12 *", "UTC", "2026-06-01T00:00:00Z", "2025-12-24T00:00:00Z"),
        ("0 0 29 2 *", "UTC", "2026-06-01T00:00:00Z", "2024-02-29T00:00:00Z"),
    ],
)
def test_the_latest_start_of_a_schedule(schedule: str, zone: str, by: str, start: str) -> None:
    event = an_event(schedule=schedule, timeZone=zone)
    (found,) = Calendar().occurrences([event], at(by))
    assert datetime.fromtimestamp(found.start).astimezone() == datetime.fromisoformat(start)
    assert found.end == found.start + 3600
    assert (found.name, found.factor, found.replicas) == ("sale", 2.0, None)


def test_an_instant_has_one_occurrence_and_none_before_it() -> None:
    event = an_event(start="2026-11-27T06:00:00+01:00")
    calendar = Calendar()
    assert calendar.occurrences([event], at("2026-11-27T04:59:59Z")) == []
    (found,) = calendar.occurrences([event], at("2026-11-27T05:00:00Z"))
    assert found.start == at("2026-11-27T05:00:00Z")


def test_what_is_remembered_is_what_is_looked_up() -> None:
    """A calendar asked again and again, also by a clock that jumps, answers as a fresh one."""
    event = an_event(schedule="*/20 7-9 * * *", timeZone="Europe/Berlin")
    calendar = Calendar()
    times = [at("2026-03-28T20:00:00Z") + 420.0 * k for k in range(400)]
    for time in [*times, *reversed(times), times[7]]:
        assert calendar.occurrences([event], time) == Calendar().occurrences([event], time)


def test_a_schedule_without_any_day_never_takes_place() -> None:
    event = an_event(schedule="0 0 31 2-2 1-1")
    found = Calendar().occurrences([event], at("2026-06-01T00:00:00Z"))
    assert all(one.start < at("2026-06-01T00:00:00Z") for one in found)


@pytest.mark.parametrize(
    "schedule", ["", "0 8 * *", "0 0 8 * * *", "61 8 * * *", "0 8 31 2 *", "@daily", "a b c d e"]
)
def test_a_bad_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="must be a cron schedule of 5 fields"):
        check_schedule(schedule)


@pytest.mark.parametrize(
    "zone", ["", "Europe/Nowhere", "../etc/passwd", "/etc/localtime", "CET+1h"]
)
def test_a_bad_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="must be a time zone of the IANA's database"):
        check_time_zone(zone)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "0 25 * * *"}, r"spec\.events\.0\.schedule: .*'0 25 \* \* \*'"),
        (
            {"schedule": "0 8 * * *", "timeZone": "Mars/Base"},
            r"spec\.events\.0\.timeZone: .*'Mars/Base'",
        ),
        ({"start": "tomorrow"}, r"spec\.events\.0\.start: .*'tomorrow'"),
    ],
)
def test_a_spec_names_the_key_that_is_wrong(change: dict[str, str], message: str) -> None:
    event = {"name": "sale", "duration": "1h", "minReplicas": 3, **change}
    with pytest.raises(SpecError, match=message):
        Spec.parse({**MINIMAL, "events": [event]})

"""When the events of ``spec.events`` take place: instants, or cron schedules in a time zone.

cronsim follows Debian's cron where clocks change: a job at a fixed hour that daylight saving skips
runs right after the gap, one that it repeats runs once.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from headstart_policy.known_events import Occurrence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_operator.resource import KnownEvent

# Minute, hour, day of month, month, day of week. cronsim would take seconds, too; Kubernetes'
# CronJobs do not.
FIELDS = 5


def check_schedule(schedule: str) -> str:
    """Return a schedule that cron understands.

    Raises
    ------
    ValueError
        It does not.
    """
    what = f"must be a cron schedule of {FIELDS} fields such as '0 8 * * MON-FRI'"
    if len(schedule.split()) != FIELDS:
        raise ValueError(f"{what}; it is {schedule!r}")
    try:
        CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{what}; it is {schedule!r}: {error}") from error
    return schedule


def check_time_zone(name: str) -> str:
    """Return the name of a time zone that the IANA's database has.

    Raises
    ------
    ValueError
        It has not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"must be a time zone of the IANA's database such as Europe/Berlin; it is {name!r}"
        ) from error
    return name


class _Around(NamedTuple):
    """The last start at or before an instant, and the first one after it; infinite: none."""

    last: float
    following: float

    def holds(self, time: float) -> bool:
        """Whether it is still the last one at ``time``."""
        return self.last <= time < self.following


class Calendar:
    """Looks occurrences up; it remembers each until the next one comes, as cron rarely fires."""

    def __init__(self) -> None:
        self._around: dict[KnownEvent, _Around] = {}

    def occurrences(self, events: Sequence[KnownEvent], by: float) -> list[Occurrence]:
        """List the latest occurrence of each event that begins ``by`` then, s since the epoch.

        An earlier one of the same event ends earlier, so it would add nothing.
        """
        self._around = {event: self._look(event, by) for event in events}
        return [
            Occurrence(
                event.name,
                around.last,
                around.last + event.duration,
                event.expected_factor,
                event.min_replicas,
            )
            for event, around in self._around.items()
            if math.isfinite(around.last)
        ]

    def _look(self, event: KnownEvent, by: float) -> _Around:
        known = self._around.get(event)
        return known if known is not None and known.holds(by) else _around(event, by)


def _around(event: KnownEvent, time: float) -> _Around:
    if event.schedule is None:
        start = math.inf if event.start is None else event.start
        return _Around(start, math.inf) if start <= time else _Around(-math.inf, start)
    zone = ZoneInfo(event.time_zone or "UTC")
    # Both directions leave out the instant itself, to the second.
    moment = datetime.fromtimestamp(math.floor(time), zone)
    after = datetime.fromtimestamp(math.floor(time) + 1, zone)
    last = next(CronSim(event.schedule, after, reverse=True), None)
    following = next(CronSim(event.schedule, moment), None)
    return _Around(
        last.timestamp() if last else -math.inf,
        following.timestamp() if following else math.inf,
    )

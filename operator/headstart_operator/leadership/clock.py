"""Whether the wall clock can be believed: by a clock that nobody sets, and by the API server's.

A decision is for an instant of the wall clock, since Prometheus' samples are. A clock that is an
hour behind reads the rates of an hour ago and takes them for new ones: at the daily peak it would
let the policy remove what serves it. A clock that is ahead finds no rates, which holds; but set
right again, all has been decided for already, an hour long. Neither names itself, so both are
looked for.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

# A wall clock that moves so many seconds apart from the other one was set. NTP slews by half a
# second in a thousand.
JUMP = 5.0
# An answer's date is of whole seconds, and it was some time on its way, s.
LEAST_SKEW = 5.0


class ServerClock:
    """The API server's time, from the dates of its answers and a clock that nobody sets."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def note(self, date: str | None, steady: float) -> None:
        """Take in an answer's ``Date``, received at ``steady`` s; one without tells nothing."""
        try:
            told = parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError):
            return
        self._ahead = told - steady

    def skew(self, wall: float, steady: float) -> float:
        """Say how far the wall clock is ahead of the server's, s; 0 while nothing is known."""
        return 0.0 if self._ahead is None else wall - steady - self._ahead


class Jumps:
    """Notices that the wall clock was set."""

    def __init__(self, wall: float, steady: float) -> None:
        self._ahead = wall - steady

    def since(self, wall: float, steady: float) -> float:
        """Say by how much it was set since the last look, s; 0 where it was not."""
        before, self._ahead = self._ahead, wall - steady
        by = self._ahead - before
        return by if abs(by) > JUMP else 0.0


def tolerance(fresh: float) -> float:
    """Say which skew is harmless, s, where a rate of ``fresh`` seconds ago still is a new one."""
    return max(LEAST_SKEW, fresh)

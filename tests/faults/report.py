"""The outcomes as a table for people and as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.faults.catalogue import Fault
    from tests.faults.trial import Outcome


def as_data(fault: Fault, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Sum up the tries of one fault."""
    times = [o.recovered for o in outcomes]
    known = [t for t in times if t is not None]
    return {
        "fault": fault.name,
        "tries": len(outcomes),
        "decisions_lost": sum(len(o.lost) for o in outcomes),
        "wrong_scalings": sum(len(o.wrong) for o in outcomes),
        "recovery_seconds": [None if t is None else round(t, 1) for t in times],
        "worst_recovery_seconds": round(max(known), 1) if len(known) == len(times) else None,
        "counted_from": fault.counted,
        "details": [text for o in outcomes for text in (*o.lost, *o.wrong)],
    }


def is_good(row: Mapping[str, Any], within: float) -> bool:
    """Whether nothing was lost, nothing set wrongly, and all was right in time."""
    worst = row["worst_recovery_seconds"]
    in_time = worst is not None and worst <= within
    return in_time and not row["decisions_lost"] and not row["wrong_scalings"]


def table(rows: Sequence[Mapping[str, Any]], within: float) -> Table:
    """Lay out the rows of :func:`as_data`."""
    made = Table("fault", title="Faults", title_justify="left")
    for heading in ("tries", "decisions lost", "wrong scalings", "recovered in"):
        made.add_column(heading, justify="right")
    made.add_column("counted from")
    for row in rows:
        times = ", ".join("never" if t is None else f"{t:.1f} s" for t in row["recovery_seconds"])
        made.add_row(
            row["fault"],
            str(row["tries"]),
            str(row["decisions_lost"]),
            str(row["wrong_scalings"]),
            times,
            row["counted_from"],
            style=None if is_good(row, within) else "red",
        )
    return made

"""One try of one fault: struck, mended, timed and judged."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, wait_until
from tests.faults.rig import AWAY, now

if TYPE_CHECKING:
    from tests.faults.catalogue import Fault
    from tests.faults.rig import Rig

# What did not happen within so many seconds is lost.
WITHIN = 30.0
# A write that comes late would come by then, s.
AFTER = 1.0


@dataclass(frozen=True)
class Outcome:
    """What came of a try.

    Attributes
    ----------
    recovered
        Seconds until every service had the replicas that its load needs; ``None``: not in time.
    lost
        Services that did not get them, in words.
    wrong
        What was set wrongly, in words.
    """

    recovered: float | None
    lost: tuple[str, ...]
    wrong: tuple[str, ...]


def attempt(rig: Rig, fault: Fault) -> Outcome:
    """Try a fault once, from the low load to the low load."""
    rig.settle()
    began = now()
    with fault.strike(rig) as since:
        recovered = _recovery(rig, since)
        asked = rig.asked_for()
        lost = tuple(f"{name}: {n}, not {rig.goal}" for name, n in asked.items() if n != rig.goal)
        time.sleep(AFTER)
        wrong = tuple(rig.evidence.wrong(began, rig.goal))
    return Outcome(recovered, lost, wrong)


def _recovery(rig: Rig, since: float) -> float | None:
    try:
        wait_until(
            "recovery", rig.is_right, timeout=since + WITHIN - now(), every=0.1, ignoring=AWAY
        )
    except ClusterError:
        return None
    return now() - since

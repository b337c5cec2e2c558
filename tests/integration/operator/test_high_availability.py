"""Two replicas, of which one leads: killed, frozen past its lease, handed over, in a storm.

A short choice of what ``make faults`` does, on an election in a hurry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster import wait_until
from tests.faults import catalogue
from tests.faults.catalogue import Fault
from tests.faults.rig import AWAY_ALL, Rig
from tests.faults.trial import attempt

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = ("--lease-duration=4s", "--renew-deadline=3s", "--retry-period=1s")
# Fault, and within how many seconds all must be right: lease, retry, history, decision.
CHOICE = {
    "killed": (catalogue.leader_killed, 12.0),
    "handed-over": (catalogue.leader_ended, 8.0),
    "frozen": (catalogue.leader_frozen, 12.0),
    "storm": (catalogue.storm(500, seconds=4.0), 12.0),
}


@pytest.fixture(scope="module")
def rig(programs: None) -> Iterator[Rig]:  # noqa: ARG001
    with Rig(services=2, flags=FLAGS) as rig:
        yield rig


@pytest.mark.parametrize("name", CHOICE)
def test_nothing_is_lost_or_set_wrongly_and_all_is_right_again(rig: Rig, name: str) -> None:
    strike, within = CHOICE[name]
    outcome = attempt(rig, Fault(name, "", strike))
    assert outcome.wrong == ()
    assert outcome.lost == ()
    assert outcome.recovered is not None
    assert outcome.recovered < within


def test_a_follower_is_ready_and_tells_nothing_of_policies(rig: Rig) -> None:
    wait_until("a leader", lambda: rig.leader.metric("headstart_leading"), ignoring=AWAY_ALL)
    leader, follower = rig.leader, rig.follower
    assert follower.get("/readyz").is_success
    assert follower.metric("headstart_leading") == 0
    assert 'policy="service-0"' not in follower.get("/metrics").text
    assert 'policy="service-0"' in leader.get("/metrics").text

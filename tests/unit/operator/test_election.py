"""The lock that the library elects on: who may take a lease, by whose clock, and how it ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner
from kubernetes import client
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection

from headstart_operator import election_flags
from headstart_operator.election import Election, Lock, Rules, RulesError, _Over
from headstart_operator.fence import Fence
from tests.cluster import wait_until
from tests.unit.operator.leases import Leases
from tests.unit.operator.test_fence import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = Rules("headstart", "ops")


class Candidate:
    """One replica's election, step by step, on a clock of the test."""

    def __init__(self, server: Leases, clock: Clock, name: str) -> None:
        """Stand, with this name."""
        self.fence = Fence(RULES.renew_deadline, clock)
        self.terms = 0
        self.lock = Lock(
            client.ApiClient(server.configuration), RULES, name, self.fence, self._elected, clock
        )
        config = Config(
            self.lock,
            lease_duration=int(RULES.duration),
            renew_deadline=RULES.renew_deadline,
            retry_period=RULES.retry_period,
            onstarted_leading=lambda: None,
            onstopped_leading=lambda: None,
        )
        self._election = LeaderElection(config)

    def _elected(self) -> None:
        self.terms += 1

    def attempt(self) -> bool:
        """Try once to take or renew the lease; whether it is held."""
        return bool(self._election.try_acquire_or_renew())


@pytest.fixture
def server() -> Iterator[Leases]:
    with Leases() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def one(server: Leases, clock: Clock) -> Candidate:
    return Candidate(server, clock, "one")


@pytest.fixture
def two(server: Leases, clock: Clock) -> Candidate:
    return Candidate(server, clock, "two")


def test_the_first_leads_and_the_second_waits_until_it_is_silent(
    server: Leases, clock: Clock, one: Candidate, two: Candidate
) -> None:
    assert one.attempt()
    assert not two.attempt()
    clock.now += 9
    assert one.attempt()
    assert not two.attempt()
    clock.now += RULES.duration - 0.1
    assert not two.attempt()
    clock.now += 0.2
    assert one.fence.remaining() < 0
    assert two.attempt()
    assert server.holder == "two"
    assert (one.terms, two.terms) == (1, 1)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_the_wall_clock_has_no_say(
    server: Leases,
    clock: Clock,
    one: Candidate,
    two: Candidate,
    jump: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Set forward, a follower would take a lease that is held; set back, it never would."""
    wall = [1e9]
    monkeypatch.setattr("time.time", lambda: wall[0])
    assert one.attempt()
    assert not two.attempt()
    wall[0] += jump
    clock.now += 2
    assert not two.attempt()
    assert one.attempt()
    assert server.holder == "one"
    assert not two.attempt()
    clock.now += RULES.duration + 1
    assert two.attempt()


def test_a_leader_that_finds_another_in_its_place_stops_at_once(
    clock: Clock, one: Candidate, two: Candidate
) -> None:
    assert one.attempt()
    assert not two.attempt()
    clock.now += RULES.duration
    assert two.attempt()
    with pytest.raises(_Over):
        one.attempt()


def test_a_leader_that_did_not_renew_in_time_does_not_try_for_ever(
    server: Leases, clock: Clock, one: Candidate
) -> None:
    """The library's deadline is one of the wall clock: set back an hour, it lasts an hour."""
    assert one.attempt()
    server.away = True
    clock.now += RULES.renew_deadline / 2
    assert not one.attempt()
    clock.now += RULES.renew_deadline / 2
    with pytest.raises(_Over):
        one.attempt()


def test_an_answer_that_never_came_is_no_end_of_the_election(
    server: Leases, one: Candidate
) -> None:
    server.away = True
    assert not one.attempt()
    server.away = False
    assert one.attempt()


def test_a_lease_that_was_handed_back_is_taken_at_once(
    server: Leases, one: Candidate, two: Candidate
) -> None:
    assert one.attempt()
    assert not two.attempt()
    assert one.lock.release()
    with pytest.raises(_Over):
        one.attempt()
    assert two.attempt()
    assert server.lease is not None
    assert server.lease["spec"]["leaseTransitions"] == 1


def test_only_ones_own_lease_is_handed_back(
    server: Leases, clock: Clock, one: Candidate, two: Candidate
) -> None:
    assert one.attempt()
    assert not two.attempt()
    assert not two.lock.release()
    third = Candidate(server, clock, "three")
    assert not third.attempt()
    clock.now += RULES.duration
    assert third.attempt()
    assert not one.lock.release()
    assert server.holder == "three"


def test_a_leader_that_lost_its_api_server_stands_again_and_goes_on(server: Leases) -> None:
    rules = Rules("headstart", "ops", duration=3, renew_deadline=2, retry_period=1)
    fence = Fence(rules.renew_deadline)
    told: list[str] = []
    broken: list[BaseException] = []
    election = Election(server.configuration, rules, "one", fence)
    election.start(lambda: told.append("lead"), lambda: told.append("follow"), broken.append)
    wait_until("it to lead", lambda: told == ["lead"])
    server.away = True
    wait_until("it to step down", lambda: told == ["lead", "follow"])
    assert fence.remaining() < 0
    server.away = False
    wait_until("it to lead again", lambda: told == ["lead", "follow", "lead"])
    assert fence.remaining() > 0
    election.release(within=1)
    assert server.holder == ""
    wait_until("its end", lambda: told[-1] == "follow")
    wait_until("no thread", lambda: not any(t.name == "election" for t in threading.enumerate()))
    assert broken == []


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ({"duration": 10.0}, r"--lease-duration = 10 s, must be more than --renew-deadline = 10 s"),
        ({"retry_period": 9.0}, r"--renew-deadline = 10 s, must be more than 1.2 x"),
        ({"retry_period": 0.5}, r"must be at least 1 s"),
        ({"duration": 15.5}, r"whole seconds"),
    ],
)
def test_times_that_contradict_each_other_are_refused(
    times: dict[str, float], message: str
) -> None:
    with pytest.raises(RulesError, match=message):
        Rules("headstart", "ops", **times)


def test_the_flags_say_what_is_missing_or_contradicts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    monkeypatch.setattr(election_flags, "_NAMESPACE", tmp_path / "none")

    @click.command()
    @election_flags.election_flags
    def command(**flags: Any) -> None:
        click.echo(election_flags.rules(**flags))

    def told(*arguments: str) -> str:
        return CliRunner().invoke(command, arguments).output

    assert told() == "\n"
    assert "needs the namespace of its Lease: set POD_NAMESPACE" in told("--leader-elect")
    monkeypatch.setenv("POD_NAMESPACE", "ops")
    assert told("--leader-elect") == f"{RULES}\n"
    assert "must be more than" in told("--leader-elect", "--lease-duration", "10s")
    assert "must be a duration such as 15s" in told("--leader-elect", "--retry-period", "soon")

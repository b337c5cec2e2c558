"""The lock that the library elects on: who may take a lease, by whose clock, and how it ends."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from kubernetes import client
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection

from headstart_operator.leadership import election_flags
from headstart_operator.leadership.election import Election, Lock, Rules, RulesError, _Over
from headstart_operator.leadership.fence import Fence
from tests.cluster import wait_until
from tests.unit.operator.leadership.test_fence import Clock
from tests.unit.operator.leases import InProcess, Leases

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


def test_a_slow_renewal_counts_from_when_it_was_sent(clock: Clock, one: Candidate) -> None:
    """The other counts from when it was carried out: from the answer on would be too long."""
    leases = one.lock.api_instance = InProcess()

    def four_seconds() -> None:
        clock.now += 4

    leases.after = four_seconds
    assert one.attempt()
    assert one.fence.remaining() == RULES.renew_deadline - 4


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["attempt", "attempt", "slow", "deaf", "away", "wait", "end", "jump"]),
        st.integers(0, 1),
        st.floats(0.0, 1.0),
    ),
    min_size=10,
    max_size=30,
)


class Rivals:
    """Two candidates whose fences are looked at whenever time passes."""

    def __init__(self, nowhere: Leases, wall: list[float]) -> None:
        """Stand, both."""
        self.server, self.clock, self.wall = InProcess(), Clock(), wall
        self._nowhere = nowhere
        self._under_way = False
        self.candidates = [self._candidate(name) for name in ("one", "two")]

    def _candidate(self, name: str) -> Candidate:
        candidate = Candidate(self._nowhere, self.clock, name)
        candidate.lock.api_instance = self.server
        return candidate

    def take(self, step: str, who: int, share: float) -> None:
        """Let something happen."""
        other = functools.partial(self.meanwhile, 1 - who, share * RULES.renew_deadline)
        hook = other if step == "slow" else lambda: None
        self.server.before = self.server.after = hook
        self.server.deaf, self.server.away = step == "deaf", step == "away"
        if step == "wait":
            self.pass_by(share * RULES.duration)
        elif step == "jump":
            self.wall[0] += 3600.0 if who else -3600.0
        elif step == "end":
            self.candidates[who].fence.end()
            self.candidates[who].lock.release()
            self.stand_again(who)
        else:
            self.attempt(who)
        self.pass_by(0.0)

    def meanwhile(self, who: int, seconds: float) -> None:
        """Let the other try while a request is under way."""
        if self._under_way:
            return
        self._under_way = True
        self.attempt(who)
        self.pass_by(seconds)
        self.attempt(who)
        self._under_way = False

    def attempt(self, who: int) -> None:
        """Try once; one whose time has ended stands again."""
        try:
            self.candidates[who].attempt()
        except _Over:
            self.candidates[who].fence.close()
            self.stand_again(who)

    def stand_again(self, who: int) -> None:
        """Stand under a new name."""
        name = f"{who} at {self.clock.now}"
        self.candidates[who] = self._candidate(name)

    def pass_by(self, seconds: float) -> None:
        """Let time pass; at no moment may both write."""
        for _ in range(4):
            self.clock.now += seconds / 4
            self.wall[0] += seconds / 4
            assert sum(c.fence.remaining() > 0 for c in self.candidates) <= 1


def test_two_replicas_never_may_write_at_once(
    server: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is slow, lost, away or set; looked at while requests are under way as well."""
    wall = [1e9]
    monkeypatch.setattr("time.time", lambda: wall[0])

    # What fails is not made shorter: that would take minutes.
    @settings(max_examples=200, deadline=None, phases=(Phase.explicit, Phase.generate))
    @given(STEPS)
    def play(steps: list[tuple[str, int, float]]) -> None:
        rivals = Rivals(server, wall)
        for step in steps:
            rivals.take(*step)

    play()


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

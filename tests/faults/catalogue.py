"""The faults. Each strikes while the load of every service jumps, and tells when it has ended.

A strike is a context manager: on entering, the fault is made and, but for what a dead process is,
mended; it yields the instant from which recovery counts (s, :func:`tests.faults.rig.now`); on
leaving, what is still dead is started again.
"""

from __future__ import annotations

import random
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from tests.cluster import wait_until
from tests.faults.gate import Storm
from tests.faults.rig import AWAY, AWAY_ALL, HIGH, LOW, now, replicas_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.faults.replica import Replica
    from tests.faults.rig import Rig

_dice = random.Random(19)  # noqa: S311 - the same moments each time.


@dataclass(frozen=True)
class Fault:
    """One way in which the world breaks.

    Attributes
    ----------
    name
        In the table and on the command line.
    counted
        From when the time to recover counts, in words.
    strike
        Makes it.
    """

    name: str
    counted: str
    strike: Callable[[Rig], AbstractContextManager[float]]


def _wait(seconds: float) -> None:
    """Let the fault last: the one thing that a deadline cannot replace."""
    time.sleep(seconds)


@contextmanager
def _back(replica: Replica) -> Iterator[None]:
    """Start a replica that died, when all has been seen."""
    try:
        yield
    finally:
        if not replica.alive:
            replica.start()
            replica.wait_ready()


@contextmanager
def leader_killed(rig: Rig) -> Iterator[float]:
    """SIGKILL, at a random moment after the load has jumped."""
    leader = rig.leader
    rig.rise()
    _wait(_dice.uniform(0.0, 1.5))
    leader.kill()
    since = now()
    with _back(leader):
        yield since


@contextmanager
def leader_ended(rig: Rig) -> Iterator[float]:
    """SIGTERM, as in a rolling update: the lease is handed over."""
    leader = rig.leader
    rig.rise()
    since = now()
    leader.stop()
    with _back(leader):
        yield since


@contextmanager
def leader_frozen(rig: Rig) -> Iterator[float]:
    """SIGSTOP at a random moment of deciding, past the lease; then it goes on where it was."""
    leader = rig.leader
    rig.rise()
    _wait(_dice.uniform(0.0, 3.0))
    leader.freeze()
    since = now()
    wait_until("another leader", lambda: rig.leader is not leader, timeout=60, ignoring=AWAY_ALL)
    wait_until("it to decide", rig.is_right, timeout=60, ignoring=AWAY)
    leader.thaw()
    # What it had under way, it would send now.
    wait_until("it to follow", lambda: leader.metric("headstart_leading") == 0, ignoring=AWAY_ALL)
    yield since


@contextmanager
def api_server_restarted(rig: Rig) -> Iterator[float]:
    """SIGKILL, and started again a moment later."""
    server = rig.cluster.process("kube-apiserver")
    server.stop(grace=0)
    rig.rise()
    _wait(_dice.uniform(1.0, 4.0))
    since = now()
    rig.cluster.restart("kube-apiserver")
    ready = (httpx.TransportError,)
    wait_until("the API server", rig.api.is_ready, timeout=60, ignoring=ready)
    yield since


@contextmanager
def api_server_long_away(rig: Rig) -> Iterator[float]:
    """Away for longer than a lease lasts: nobody leads meanwhile."""
    server = rig.cluster.process("kube-apiserver")
    server.signal(signal.SIGSTOP)
    rig.rise()
    _wait(20.0)
    server.signal(signal.SIGCONT)
    yield now()


@contextmanager
def etcd_slow(rig: Rig) -> Iterator[float]:
    """Stopped for seconds, again and again: requests hang and come late."""
    etcd = rig.cluster.process("etcd")
    for rate in (LOW, HIGH, HIGH):
        etcd.signal(signal.SIGSTOP)
        rig.rise(rate)
        _wait(_dice.uniform(1.0, 4.0))
        etcd.signal(signal.SIGCONT)
        _wait(_dice.uniform(0.1, 0.5))
    yield now()


@contextmanager
def watches_cut(rig: Rig) -> Iterator[float]:
    """Each connection broken twice a second, while the policies change."""
    rig.rise()
    for number in range(10):
        for replica in rig.replicas:
            replica.gate.cut()
        if number == 5:
            rig.set_least(replicas_for(HIGH) + 2)
        _wait(0.5)
    yield now()
    rig.set_least(1)


def storm(status: int, seconds: float = 5.0) -> Callable[[Rig], AbstractContextManager[float]]:
    """Answer two of three requests with ``status`` for so many seconds."""

    @contextmanager
    def strike(rig: Rig) -> Iterator[float]:
        for replica in rig.replicas:
            replica.gate.storm = Storm(status, 0.67)
        rig.rise()
        _wait(seconds)
        for replica in rig.replicas:
            replica.gate.storm = None
        yield now()

    return strike


def clock_jump(seconds: float) -> Callable[[Rig], AbstractContextManager[float]]:
    """Set the leader's wall clock for some seconds, and back, as a broken NTP does."""

    @contextmanager
    def strike(rig: Rig) -> Iterator[float]:
        leader = rig.leader
        leader.jump(seconds)
        rig.rise()
        _wait(5.0)
        leader.jump(0.0)
        yield now()

    return strike


@contextmanager
def dead_at_peak(rig: Rig) -> Iterator[float]:
    """Both replicas killed at the peak: what runs goes on running, and is picked up again."""
    rig.rise()
    wait_until("the peak's replicas", rig.is_right, ignoring=AWAY)
    for replica in rig.replicas:
        replica.kill()
    rig.rise(1.5 * HIGH)
    _wait(5.0)
    assert set(rig.asked_for().values()) == {replicas_for(HIGH)}
    for replica in rig.replicas:
        replica.start()
    since = now()
    yield since
    for replica in rig.replicas:
        with suppress(httpx.TransportError):
            replica.wait_ready()


@contextmanager
def started_without_an_api_server(rig: Rig) -> Iterator[float]:
    """Both replicas end while the API server is away, and are started before it is back."""
    server = rig.cluster.process("kube-apiserver")
    for replica in rig.replicas:
        replica.kill()
    server.stop(grace=0)
    rig.rise()
    for replica in rig.replicas:
        replica.start()
    _wait(5.0)
    assert all(replica.alive for replica in rig.replicas)
    since = now()
    rig.cluster.restart("kube-apiserver")
    ready = (httpx.TransportError,)
    wait_until("the API server", rig.api.is_ready, timeout=60, ignoring=ready)
    yield since
    for replica in rig.replicas:
        replica.wait_ready()


@contextmanager
def pods_evicted(rig: Rig) -> Iterator[float]:
    """Every pod of every service is evicted at the peak."""
    rig.rise()
    wait_until("the peak's replicas", rig.is_right, ignoring=AWAY)
    rig.evict_all()
    rig.rise(1.5 * HIGH)
    yield now()


CATALOGUE = (
    Fault("leader killed (SIGKILL)", "the kill", leader_killed),
    Fault("leader stopped (SIGTERM)", "the signal", leader_ended),
    Fault("leader frozen past its lease", "the SIGSTOP", leader_frozen),
    Fault("API server restarted", "its start", api_server_restarted),
    Fault("API server hangs for 20 s", "its return", api_server_long_away),
    Fault("etcd slow", "the last stop", etcd_slow),
    Fault("watches cut", "the last cut", watches_cut),
    Fault("storm of 409", "its end", storm(409)),
    Fault("storm of 429", "its end", storm(429)),
    Fault("storm of 500", "its end", storm(500)),
    Fault("clock an hour ahead", "its setting right", clock_jump(3600.0)),
    Fault("clock an hour behind", "its setting right", clock_jump(-3600.0)),
    Fault("operator dead at peak", "its start", dead_at_peak),
    Fault("started without an API server", "its start", started_without_an_api_server),
    Fault("all pods evicted", "the eviction", pods_evicted),
)

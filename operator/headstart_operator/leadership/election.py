"""Which of several replicas leads: the kubernetes client's election on a Lease, by a better clock.

The library elects (``kubernetes.leaderelection``); what is ours is the lock that it works on. The
library counts a lease's age by the wall clock, which people and NTP set; the lock counts by a
clock that nobody sets and that counts suspension, and has the last word: it refuses to take a lease
that another holds too early, and calls one free that has expired. It also tells the fence of each
confirmed renewal, gives up after half of the renew deadline where the library would wait for ever,
and hands the lease back at the end, which the library cannot.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection.electionconfig import Config
from kubernetes.leaderelection.leaderelection import LeaderElection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from headstart_operator.leadership.fence import boottime

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_operator.leadership.fence import Fence

# The library waits for so many retry periods at most between two tries.
JITTER = 1.2

_log = logging.getLogger(__name__)


class RulesError(ValueError):
    """The times of an election contradict each other."""


@dataclass(frozen=True)
class Rules:
    """A lease, and the times of its election.

    Attributes
    ----------
    name, namespace
        Of the Lease.
    duration
        A lease that was not renewed for so long may be taken by another, s.
    renew_deadline
        A leader that did not renew for so long stops leading, s.
    retry_period
        Between two tries to take or renew it, s.
    """

    name: str = "headstart"
    namespace: str = "default"
    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        """Check the times.

        Raises
        ------
        RulesError
            Two leaders would be possible, or none would stay.
        """
        if self.duration <= self.renew_deadline:
            raise RulesError(
                f"--lease-duration = {self.duration:g} s, must be more than --renew-deadline = "
                f"{self.renew_deadline:g} s: else another leads before this one has stopped"
            )
        if self.renew_deadline <= JITTER * self.retry_period:
            raise RulesError(
                f"--renew-deadline = {self.renew_deadline:g} s, must be more than {JITTER:g} x "
                f"--retry-period = {JITTER * self.retry_period:g} s: else one late answer ends a "
                "leader's time"
            )
        if self.retry_period < 1 or self.duration != int(self.duration):
            raise RulesError(
                f"--retry-period = {self.retry_period:g} s and --lease-duration = "
                f"{self.duration:g} s, must be at least 1 s and whole seconds, as a Lease has them"
            )


class _Over(Exception):  # noqa: N818 - the only way out of the library's loops; no error.
    """The time of this candidate has ended."""


class _Leases:
    """The three calls that the library's lock makes, each with an end, and with one error."""

    def __init__(self, api: client.ApiClient, timeout: float) -> None:
        self._api = client.CoordinationV1Api(api)
        self._timeout = timeout

    def read_namespaced_lease(self, name: str, namespace: str) -> client.V1Lease:
        return self._ask(self._api.read_namespaced_lease, name, namespace)

    def create_namespaced_lease(self, namespace: str, body: client.V1Lease) -> client.V1Lease:
        return self._ask(self._api.create_namespaced_lease, namespace, body)

    def replace_namespaced_lease(
        self, name: str, namespace: str, body: client.V1Lease
    ) -> client.V1Lease:
        return self._ask(self._api.replace_namespaced_lease, name, namespace, body)

    def _ask(self, call: Callable[..., client.V1Lease], *arguments: Any) -> client.V1Lease:
        try:
            return call(*arguments, _request_timeout=self._timeout)
        except urllib3.exceptions.HTTPError as error:
            # The library knows refusals only; what is no answer would end its thread.
            _log.warning("the lease cannot be had: %s", error)
            raise ApiException(status=0, reason=str(error)) from error
        except ApiException as error:
            # There is none yet, or another was quicker: no news.
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                _log.warning("the lease cannot be had: %s %s", error.status, error.reason)
            raise


class Lock(LeaseLock):
    """The library's lock on a Lease, which knows the time better than the library.

    Parameters
    ----------
    api
        A connection that does not repeat requests by itself.
    rules, identity
        Of this candidate.
    fence
        Told of each confirmed renewal.
    elected
        Called once, when the lease is ours and the fence is open.
    clock
        Counts suspension, s; the fence's.
    """

    def __init__(
        self,
        api: client.ApiClient,
        rules: Rules,
        identity: str,
        fence: Fence,
        elected: Callable[[], object],
        clock: Callable[[], float] = boottime,
    ) -> None:
        super().__init__(rules.name, rules.namespace, identity)
        # An answer after the deadline is of no use, and one try must leave time for another.
        self.api_instance: Any = _Leases(api, rules.renew_deadline / 2)
        self.lease_reference: Any
        self._rules = rules
        self._fence = fence
        self._elected = elected
        self._clock = clock
        self._mutex = threading.Lock()
        self._ended = False
        self._led = False
        self._taken = False
        self._version = ""
        self._since = 0.0

    def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """Read the lease; ``(True, None)`` means that it is free."""
        self._go_on()
        found, record = super().get(name, namespace)
        if not found:
            return found, record
        version = str(self.lease_reference.metadata.resource_version)
        if version != self._version:
            # After the answer: whoever renewed it has done so before.
            self._version, self._since = version, self._clock()
        other = record.holder_identity not in {None, self.identity}
        lasts = max(self._rules.duration, float(record.lease_duration or 0))
        self._taken = other and self._clock() - self._since < lasts
        if other and self._led:
            _log.warning("%s holds the lease of this replica", record.holder_identity)
            raise _Over
        return True, record if self._taken or not other else None

    def create(self, name: str, namespace: str, election_record: Any) -> bool:
        """Create the lease; whether we hold it."""
        return self._confirmed(lambda: super(Lock, self).create(name, namespace, election_record))

    def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        """Take or renew the lease; whether we hold it.

        The library asks for it where by its wall clock the lease of another has expired.
        """
        if self._taken:
            return False
        if not self._led:
            spec = self.lease_reference.spec
            spec.lease_transitions = (spec.lease_transitions or 0) + 1
        return self._confirmed(lambda: super(Lock, self).update(name, namespace, updated_record))

    def release(self) -> bool:
        """End this candidacy, and hand the lease back; whether another may take it at once."""
        with self._mutex:
            self._ended = True
            if not self._led:
                return False
            found, record = super().get(self.name, self.namespace)
            if not found or record.holder_identity != self.identity:
                return False
            now = datetime.now(UTC)
            spec = self.lease_reference.spec
            spec.holder_identity, spec.lease_duration_seconds = "", 1
            spec.acquire_time, spec.renew_time = now, now
            try:
                self.api_instance.replace_namespaced_lease(
                    self.name, self.namespace, self.lease_reference
                )
            except ApiException as error:
                _log.warning("the lease cannot be handed back: %s", error.reason)
                return False
            return True

    def _confirmed(self, write: Callable[[], bool]) -> bool:
        with self._mutex:
            self._go_on()
            asked = self._clock()
            if not write():
                return False
            self._fence.renewed(asked)
            if not self._led:
                self._led = True
                self._elected()
            return True

    def _go_on(self) -> None:
        """End the library's loops, which else go by the wall clock: set back, they go on for ever.

        Raises
        ------
        _Over
            This candidate has handed the lease back, or led and did not renew in time.
        """
        if self._ended or (self._led and self._fence.remaining() <= 0):
            raise _Over


class Election:
    """Candidacy of this process, term after term, in a thread of its own.

    A leader that could not renew steps down and stands again: with the lease still in its name it
    goes on as soon as the API server answers, where a process that ended and started again under
    a new name would have to wait for its own lease to expire.

    Parameters
    ----------
    configuration
        How the API server is reached.
    rules, identity, fence
        As for :class:`Lock`. The identity must be another one after each start.
    """

    def __init__(
        self,
        configuration: client.Configuration,
        rules: Rules,
        identity: str,
        fence: Fence,
    ) -> None:
        self._api = client.ApiClient(configuration)
        self._rules = rules
        self._identity = identity
        self._fence = fence
        self._ended = threading.Event()
        self._lock: Lock | None = None

    def start(
        self,
        lead: Callable[[], object],
        follow: Callable[[], object],
        fail: Callable[[BaseException], object],
    ) -> None:
        """Stand for election until :meth:`release`; each is called in the election's thread.

        Parameters
        ----------
        lead, follow
            A term has begun, has ended; when it ends the fence is closed already.
        fail
            The election itself failed, by a bug: nobody would lead and nobody would know.
        """

        def run() -> None:
            try:
                while not self._ended.is_set():
                    self._stand(lead, follow)
                    self._ended.wait(self._rules.retry_period)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the process must end.
                fail(error)

        threading.Thread(target=run, name="election", daemon=True).start()

    def release(self, within: float) -> None:
        """Stop standing; let another lead at once, if all that we wrote has been answered."""
        self._ended.set()
        self._fence.end()
        if self._lock is None:
            return
        if not self._fence.drained(within):
            _log.warning("a write is still under way: the lease is left to expire")
        elif self._lock.release():
            _log.info("the lease is handed back")

    def _stand(self, lead: Callable[[], object], follow: Callable[[], object]) -> None:
        """Live through one term, from candidate to former leader."""
        led = False

        def elected() -> None:
            nonlocal led
            led = True
            _log.info("leading: %s holds the lease", self._identity)
            lead()

        lock = self._lock = Lock(self._api, self._rules, self._identity, self._fence, elected)
        config = Config(
            lock,
            lease_duration=int(self._rules.duration),
            renew_deadline=self._rules.renew_deadline,
            retry_period=self._rules.retry_period,
            # It would be called in a thread of its own, and perhaps after the term has ended.
            onstarted_leading=lambda: None,
            onstopped_leading=lambda: None,
        )
        try:
            LeaderElection(config).run()
        except _Over:
            pass
        finally:
            self._fence.close()
            if led:
                _log.warning("no longer leading")
                follow()

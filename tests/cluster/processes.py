"""Processes that end with the harness, whatever ends it, and leave a log to read."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tenacity import retry, retry_if_exception_type, stop_after_attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

_LAUNCH = Path(__file__).with_name("launch.py")
_TAIL_LINES = 25
_POLL_SECONDS = 0.05


class ClusterError(RuntimeError):
    """Part of the local control plane did not do what was asked; the message says which."""


class PortLostError(ClusterError):
    """Another program took a port between the moment it was picked and its use."""


# Picking a free port and listening on it are two steps, and another program can come between.
retry_lost_port = retry(
    retry=retry_if_exception_type(PortLostError), stop=stop_after_attempt(5), reraise=True
)


def free_port() -> int:
    """Pick a TCP port of 127.0.0.1 that nobody listens on; start under ``retry_lost_port``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until(
    what: str,
    check: Callable[[], T | None],
    *,
    timeout: float = 30.0,
    every: float = _POLL_SECONDS,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Poll ``check`` until it returns something true, and return that.

    Parameters
    ----------
    what
        What is waited for, as the error message shall name it.
    check
        Called at least once; an exception in ``ignoring`` counts as "not yet".
    timeout, every
        Deadline and pause between two polls, in seconds.
    ignoring
        Exceptions that waiting cures; any other one is raised at once.

    Raises
    ------
    ClusterError
        When the deadline passes first; it shows what ``check`` gave last.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            if result := check():
                return result
            last = result
        except ignoring as error:
            last = error
        if time.monotonic() >= deadline:
            raise ClusterError(f"waited {timeout:g} s for {what}; the last answer was {last!r}")
        time.sleep(every)


class Process:
    """One program in the background: its output in a file, its life tied to this process.

    It is the leader of its own process group, so a Ctrl-C on the terminal reaches this process
    alone, which then stops its children in order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[Path, Path] | None = None,
    ) -> None:
        """Start ``command``; ``env`` replaces the environment, ``mounts`` maps target to source.

        Mounts are seen by the program alone; ``can_mount`` says whether they are possible.
        """
        self.name = name
        self.log = log
        binds = [
            word for to, source in (mounts or {}).items() for word in ("--bind", str(source), to)
        ]
        launch = [sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), *binds, "--", *command]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._popen = _on_spawner(
                lambda: subprocess.Popen(
                    launch,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=env,
                    start_new_session=True,
                )
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, the negative signal number after a signal, None while it runs."""
        return self._popen.poll()

    def output(self) -> str:
        """Everything that it has written so far."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        """Last lines of its output, indented, for an error message."""
        lines = self.output().splitlines()[-_TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"

    def wait(self, timeout: float) -> int:
        """Wait at most ``timeout`` seconds for its end and return the exit status.

        Raises
        ------
        ClusterError
            When it still runs then.
        """
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            message = f"{self.name} still runs after {timeout:g} s. Its log ends:\n{self.tail()}"
            raise ClusterError(message) from None

    def wait_ready(
        self,
        check: Callable[[], object],
        *,
        timeout: float = 30.0,
        ignoring: tuple[type[Exception], ...] = (),
    ) -> None:
        """Wait at most ``timeout`` seconds until ``check`` is true.

        Raises
        ------
        PortLostError
            When the program ended because a port of its was taken.
        ClusterError
            When it ended for another reason, or is not ready in time.
        """

        def ready_or_dead() -> bool:
            return self.returncode is not None or bool(check())

        try:
            wait_until(
                f"{self.name} to be ready", ready_or_dead, timeout=timeout, ignoring=ignoring
            )
        except ClusterError as error:
            raise ClusterError(f"{error}. Its log ends:\n{self.tail()}") from None
        if self.returncode is not None:
            lost = "address already in use" in self.output().lower()
            kind = PortLostError if lost else ClusterError
            raise kind(f"{self.name} ended with {self.returncode}. Its log ends:\n{self.tail()}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and its children; nothing happens when it has ended."""
        with suppress(ProcessLookupError):  # Another thread may see its end in between.
            if self.returncode is None:
                os.killpg(self.pid, number)

    def stop(self, grace: float = 5.0) -> int:
        """End it: SIGTERM, then after ``grace`` seconds SIGKILL; return the exit status."""
        if grace > 0:
            self.signal(signal.SIGTERM)
            try:
                return self._popen.wait(grace)
            except subprocess.TimeoutExpired:
                pass
        self.signal(signal.SIGKILL)
        return self._popen.wait()


def can_mount(target: Path) -> bool:
    """Whether a process may be given its own view of ``target``."""
    launch = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid())]
    command = [*launch, "--bind", "/", str(target), "--", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


# The kernel sends the signal that launch.py asks for when the *thread* that forked ends, not the
# process. So all children are forked by one thread that lives as long as the process does.
_orders: queue.SimpleQueue[
    tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]
] = queue.SimpleQueue()
_spawner: threading.Thread | None = None
_spawner_lock = threading.Lock()


def _on_spawner(order: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    global _spawner  # noqa: PLW0603 - one thread per process, made on first use.
    with _spawner_lock:
        if _spawner is None:
            _spawner = threading.Thread(target=_obey, name="spawner", daemon=True)
            _spawner.start()
    answer: Future[subprocess.Popen[bytes]] = Future()
    _orders.put((order, answer))
    return answer.result()


def _obey() -> None:
    while True:
        order, answer = _orders.get()
        try:
            answer.set_result(order())
        except BaseException as error:  # noqa: BLE001 - it belongs to the thread that asked.
            answer.set_exception(error)

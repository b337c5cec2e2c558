"""Whatever ends the harness, its processes end too."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from tests.cluster import ClusterError, wait_until
from tests.cluster.processes import PortLostError, Process
from tests.integration.cluster.children import child, mentioning, read_line, wait_until_gone

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]

# Prints the folder of a cluster once it is up, then waits to be ended.
CLUSTER = """
import signal
from tests.cluster import Cluster
with Cluster() as cluster:
    print(cluster.folder, flush=True)
    signal.pause()
"""
# Prints the folder of a cluster while it starts: its etcd runs, its API server does not yet.
STARTING_CLUSTER = """
from tests.cluster import Cluster
def wait(self, stack, etcd):
    print(self.folder, flush=True)
    import signal
    signal.pause()
Cluster._start_apiserver = wait
with Cluster():
    pass
"""


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("script", [CLUSTER, STARTING_CLUSTER], ids=["running", "starting"])
def test_no_process_outlives_a_harness_that_is_ended(script: str, number: signal.Signals) -> None:
    with child(script) as harness:
        folder = read_line(harness)
        assert mentioning(folder)
        harness.send_signal(number)
        harness.wait(30)
        wait_until_gone(folder)
    # A Ctrl-C unwinds, so the folder goes as well; the other two leave it to the next run's sweep.
    assert number != signal.SIGINT or not Path(folder).exists()


@pytest.mark.usefixtures("programs")
def test_nothing_outlives_an_error_in_the_block() -> None:
    script = CLUSTER.replace("signal.pause()", "raise ValueError('the test failed')")
    with child(script) as harness:
        folder = read_line(harness)
        assert harness.wait(30) == 1
        assert not mentioning(folder)
        assert not Path(folder).exists()


def test_a_process_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """The kernel's parent-death signal comes when the forking thread ends, not the process."""
    started = []
    thread = threading.Thread(
        target=lambda: started.append(Process("sleeper", SLEEPER, log=tmp_path / "log"))
    )
    thread.start()
    thread.join()
    (process,) = started
    process.wait_ready(lambda: "up" in process.output())
    with pytest.raises(ClusterError, match="sleeper still runs"):
        process.wait(0.5)
    assert process.stop() == -signal.SIGTERM


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    command = [sys.executable, "-c", f"{stubborn} {SLEEPER[-1]}"]
    process = Process("stubborn", command, log=tmp_path / "log")
    process.wait_ready(lambda: "up" in process.output())
    assert process.stop(grace=0.2) == -signal.SIGKILL


def test_the_end_of_a_log_explains_a_failed_start(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such flag')"]
    process = Process("picky", command, log=tmp_path / "log")
    with pytest.raises(ClusterError, match=r"(?s)picky ended with 1\..*no such flag"):
        process.wait_ready(lambda: False)


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    process = Process("ghost", ["/nonexistent/ghost"], log=tmp_path / "log")
    with pytest.raises(ClusterError, match="cannot start /nonexistent/ghost"):
        process.wait_ready(lambda: False)


def test_a_lost_port_is_told_from_other_failures(tmp_path: Path) -> None:
    """So that a start is tried again on another port, and only then."""
    script = (
        "import socket\n"
        "a, b = socket.socket(), socket.socket()\n"
        "a.bind(('127.0.0.1', 0)); a.listen(); b.bind(a.getsockname())"
    )
    process = Process("late", [sys.executable, "-c", script], log=tmp_path / "log")
    with pytest.raises(PortLostError, match=r"(?i)address already in use"):
        process.wait_ready(lambda: False)


def test_waiting_says_what_for_and_what_came_instead() -> None:
    with pytest.raises(ClusterError, match=r"waited 0.1 s for a miracle; the last answer was \[\]"):
        wait_until("a miracle", list, timeout=0.1)


def test_the_next_run_removes_the_folder_of_a_killed_one() -> None:
    script = """
import signal
from tests.cluster.workplace import Workplace
workplace = Workplace("test")
print(workplace.path, flush=True)
signal.pause()
"""
    with child(script) as first, child(script) as second:
        alive, dead = Path(read_line(first)), Path(read_line(second))
        second.kill()
        second.wait()
        with child(script) as third:
            read_line(third)
            assert alive.exists()
            assert not dead.exists()
            third.kill()
    assert alive.parent == Path(tempfile.gettempdir())

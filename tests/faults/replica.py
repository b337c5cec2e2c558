"""One replica of the operator: a process with its own gate to the API server and its own clock."""

from __future__ import annotations

import os
import signal
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.cluster import free_port
from tests.cluster.processes import Process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.gate import Gate

HEADSTART = Path(sys.executable).parent / "headstart"
_CLOCK = Path(__file__).with_name("clock")


class Replica:
    """`headstart operator` under a name, which is its pod's and its gate's."""

    def __init__(
        self, gate: Gate, kubeconfig: Path, namespace: str, folder: Path, flags: Sequence[str]
    ) -> None:
        """Describe it; nothing runs yet."""
        self.name = gate.name
        self.gate = gate
        self.log = folder / f"{self.name}.log"
        self._clock = folder / f"{self.name}.clock"
        self.jump(0.0)
        self._port = free_port()
        self._command: list[str | Path] = [
            HEADSTART,
            "operator",
            f"--namespace={namespace}",
            f"--listen=127.0.0.1:{self._port}",
            "--leader-elect",
            *flags,
        ]
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(_CLOCK),
            "FAULTS_CLOCK": str(self._clock),
            "KUBECONFIG": str(kubeconfig),
            "POD_NAME": self.name,
            "POD_NAMESPACE": namespace,
        }
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The running process."""
        assert self._process is not None
        return self._process

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    def start(self) -> None:
        """Start it, or start it again; no waiting."""
        self._process = Process(self.name, self._command, log=self.log, env=self._environment)

    def wait_ready(self) -> None:
        """Wait until it watches."""
        self.process.wait_ready(
            lambda: self.get("/readyz").is_success, ignoring=(httpx.TransportError,), timeout=60
        )

    def stop(self) -> int:
        """End it with SIGTERM and return its exit status."""
        return self.process.stop()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.stop(grace=0)

    def freeze(self) -> None:
        """Let it stand still."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.signal(signal.SIGCONT)

    def jump(self, seconds: float) -> None:
        """Set its wall clock so far ahead of the true one, or behind."""
        if self._clock.exists():
            with self._clock.open("r+b") as file:
                file.write(struct.pack("d", seconds))
        else:
            self._clock.write_bytes(struct.pack("d", seconds))

    def get(self, path: str) -> httpx.Response:
        """Ask its HTTP server."""
        return httpx.get(f"http://127.0.0.1:{self._port}{path}", trust_env=False, timeout=2)

    def metric(self, name: str) -> float | None:
        """Read a metric that has no labels."""
        for line in self.get("/metrics").text.splitlines():
            head, _, value = line.rpartition(" ")
            if head == name:
                return float(value)
        return None

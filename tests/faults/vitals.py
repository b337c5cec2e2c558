"""What a process holds, over time: memory, threads, open files; and whether it grows."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.faults.replica import Replica

# Of the samples, those in which caches fill and the first connections open do not count.
WARM_UP = 1 / 3
# What may be gained from then to the end, by a line through the samples: memory in MiB for each
# hour's worth, and never less than noise; threads and files come and go by a few.
NOISE: Mapping[str, float] = {"rss_mib": 6.0, "threads": 3.0, "files": 6.0}
_KIB = 1024


@dataclass(frozen=True)
class Trend:
    """A line through the samples of one quantity.

    Attributes
    ----------
    least, most, last
        Of all samples after the warm-up.
    gained
        By the line, from the end of the warm-up to the last sample.
    allowed
        What is noise.
    """

    least: float
    most: float
    last: float
    gained: float
    allowed: float

    @classmethod
    def of(cls, times: Sequence[float], values: Sequence[float], allowed: float) -> Trend:
        """Fit it by the median of the slopes (Theil and Sen): a fault's spike must not tilt it."""
        t, v = np.asarray(times), np.asarray(values)
        kept = t >= t[0] + WARM_UP * (t[-1] - t[0])
        t, v = t[kept], v[kept]
        first, second = np.triu_indices(len(t), k=1)
        slope = float(np.median((v[second] - v[first]) / (t[second] - t[first])))
        return cls(
            least=float(v.min()),
            most=float(v.max()),
            last=float(v[-1]),
            gained=slope * float(t[-1] - t[0]),
            allowed=allowed,
        )

    @property
    def flat(self) -> bool:
        """Whether nothing leaks."""
        return self.gained <= self.allowed


@dataclass
class Vitals:
    """Samples a process each few seconds, in a thread; use it as a context manager."""

    replica: Replica
    every: float = 5.0
    times: list[float] = field(default_factory=list)
    samples: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NOISE})

    def __enter__(self) -> Self:
        """Begin."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def trends(self) -> dict[str, Trend]:
        """Fit a line to each quantity."""
        return {
            name: Trend.of(self.times, values, NOISE[name]) for name, values in self.samples.items()
        }

    def _run(self) -> None:
        while not self._stop.wait(self.every):
            try:
                held = _held(self.replica.process.pid)
            except OSError:
                continue
            self.times.append(time.monotonic())
            for name, value in held.items():
                self.samples[name].append(value)


def _held(pid: int) -> dict[str, float]:
    process = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return {
        "rss_mib": int(status["VmRSS"].split()[0]) / _KIB,
        "threads": int(status["Threads"]),
        "files": len(list((process / "fd").iterdir())),
    }

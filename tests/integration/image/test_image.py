"""The image is small, not root, and knows nothing of torch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.binaries import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[3]
UV: Final = Path(sys.prefix) / "bin" / "uv"
# Where this machine says which certificates and which package index to trust: none is in the image.
OURS: Final = [path for path in map(Path, ["/etc/ssl/certs", "/etc/pip.conf"]) if path.exists()]
# What the operator's environment may not hold: torch and what builds.
UNWANTED: Final = ["torch", "gymnasium", "matplotlib", "hatchling", "pip", "setuptools"]
IMPORT_ALL: Final = """
import importlib, importlib.util, pkgutil, sys, headstart_operator
for module in pkgutil.walk_packages(headstart_operator.__path__, "headstart_operator."):
    importlib.import_module(module.name)
print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])
"""


def _run(*command: str | Path, timeout: float = 300) -> str:
    """Run a command and return what it said; when it fails, show that."""
    answer = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert answer.returncode == 0, f"{command}: {answer.stdout}"
    return answer.stdout


def _instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(head, rest) for head, _, rest in (line.partition(" ") for line in lines) if head]


def test_last_user_is_a_number_and_not_root() -> None:
    """A kubelet with runAsNonRoot refuses names, and zero."""
    users = [rest for head, rest in _instructions() if head == "USER"]
    assert users
    assert all(int(part) > 0 for part in users[-1].split(":"))


def test_last_stage_builds_nothing() -> None:
    """It copies what the first stage made."""
    heads = [head for head, _ in _instructions()]
    last = heads[len(heads) - heads[::-1].index("FROM") :]
    assert "RUN" not in last


def test_every_package_of_the_wheel_is_copied() -> None:
    """And what is copied is let through by .dockerignore."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {
        package.split("/")[0]
        for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    }
    copied = {
        word
        for head, rest in _instructions()
        if head == "COPY" and not rest.startswith("--from")
        for word in rest.split()[:-1]
    }
    assert folders <= copied
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert {word.split("/")[0] for word in copied} == let_through
    assert all((ROOT / word).exists() for word in copied)


def test_operator_needs_only_its_own_requirements(tmp_path: Path) -> None:
    """The wheel, built and installed as the Dockerfile does it, imports without torch."""
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    wheels = tmp_path / "wheels"
    build = ROOT / "requirements" / "build.txt"
    _run(
        *(UV, "build", "--wheel", "--quiet", f"--out-dir={wheels}", "--require-hashes"),
        *(f"--build-constraints={build}", ROOT),
    )
    _run(UV, "venv", "--quiet", f"--python={sys.executable}", environment)
    install = (UV, "pip", "install", "--quiet", f"--python={python}")
    _run(*install, "--require-hashes", "-r", ROOT / "requirements" / "operator.txt")
    _run(*install, "--no-deps", *wheels.glob("*.whl"))

    assert _run(python, "-I", "-c", IMPORT_ALL, *UNWANTED).splitlines()[-1] == "[]"
    assert "--prometheus-address" in _run(environment / "bin" / "headstart", "operator", "--help")
    _run(UV, "pip", "check", f"--python={python}")


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Command with a storage of its own, which goes at the end: it grows to gigabytes."""
    missing = [name for name in ("buildah", "debootstrap") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        reason = f"{' and '.join(missing)} not installed" if missing else "not root"
        pytest.skip(f"THE IMAGE IS NOT BUILT AND NOT TESTED: {reason}")
    storage = tmp_path_factory.mktemp("buildah")
    command = ["buildah", f"--root={storage}/root", f"--runroot={storage}/run"]
    command += ["--storage-driver=vfs"]
    yield command
    shutil.rmtree(storage)


@pytest.fixture(scope="module")
def base(buildah: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Image with Python, made of Debian packages: no registry of images is needed."""
    packages = "python3,python3-venv,python3-pip,ca-certificates"
    archive = cache_folder() / f"image-base-{packages.replace(',', '-')}.tar"
    if not archive.exists():
        folder = tmp_path_factory.mktemp("base")
        root, unfinished = folder / "root", archive.with_suffix(f".{os.getpid()}")
        archive.parent.mkdir(parents=True, exist_ok=True)
        debootstrap = ("debootstrap", "--variant=minbase", f"--include={packages}", "stable")
        _run(*debootstrap, root, timeout=900)
        _run("tar", "--create", "--file", unfinished, "--directory", root, ".")
        unfinished.rename(archive)
        shutil.rmtree(folder)
    container = _run(*buildah, "from", "scratch").strip()
    _run(*buildah, "add", "--quiet", container, archive, "/")
    _run(*buildah, "commit", "--quiet", "--rm", container, "localhost/base")
    return "localhost/base"


def test_image_runs_the_operator(buildah: list[str], base: str) -> None:
    """From the Dockerfile to `headstart operator`, as the user that the image names."""
    volumes = [f"--volume={path}:{path}:ro" for path in OURS]
    _run(
        *(*buildah, "bud", "--quiet", "--isolation=chroot", f"--build-arg=BASE={base}", *volumes),
        *("--tag=localhost/operator", ROOT),
        timeout=900,
    )
    container = _run(*buildah, "from", "localhost/operator").strip()

    def inside(*command: str) -> str:
        return _run(*buildah, "run", "--isolation=chroot", container, "--", *command)

    assert inside("id", "--user").strip() == "65532"
    assert "--prometheus-address" in inside("headstart", "operator", "--help")
    python = "/opt/headstart/bin/python"
    assert inside(python, "-I", "-c", IMPORT_ALL, *UNWANTED).splitlines()[-1] == "[]"
    # Nothing in it may be changed by the one who runs it, and nothing of the first stage is left.
    inside("sh", "-c", "test ! -w /opt/headstart && test ! -e /build && test ! -e /src")
    settings = _run(*buildah, "inspect", "--format={{.OCIv1.Config.Entrypoint}}", container)
    assert settings.strip() == "[headstart]"

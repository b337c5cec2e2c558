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

import httpx
import pytest

from tests.cluster import free_port
from tests.cluster.binaries import cache_folder
from tests.cluster.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster

ROOT: Final = Path(__file__).parents[3]
UV: Final = Path(sys.prefix) / "bin" / "uv"
# Where this machine says which certificates and which package index to trust: none is in the image.
OURS: Final = [path for path in map(Path, ["/etc/ssl/certs", "/etc/pip.conf"]) if path.exists()]
# What the operator's environment may not hold: torch and what builds.
UNWANTED: Final = ["torch", "gymnasium", "matplotlib", "hatchling", "pip", "setuptools"]
# What a person asks on a machine of their own has an extra of its own.
IMPORT_ALL: Final = """
import importlib, importlib.util, pkgutil, sys, headstart_operator
for module in pkgutil.walk_packages(headstart_operator.__path__, "headstart_operator."):
    if not module.name.startswith("headstart_operator.explain"):
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


@pytest.fixture(scope="module")
def container(buildah: list[str], base: str) -> str:
    """Container of the image that the Dockerfile makes."""
    volumes = [f"--volume={path}:{path}:ro" for path in OURS]
    _run(
        *(*buildah, "bud", "--quiet", "--isolation=chroot", f"--build-arg=BASE={base}", *volumes),
        *("--tag=localhost/operator", ROOT),
        timeout=900,
    )
    return _run(*buildah, "from", "localhost/operator").strip()


def test_image_runs_the_operator(buildah: list[str], container: str) -> None:
    """From the Dockerfile to `headstart operator`, as the user that the image names."""

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


# What a kubelet does for the chart's securityContext: the root file system read-only, /tmp in
# memory, the image's user, no capability, no way to one. buildah has no such flag.
CONFINED: Final = """
mount --bind "$1" "$1"
mount -t tmpfs tmpfs "$1/tmp"
mount --bind "$2" "$1/mnt"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount -o remount,ro,bind "$1"
root=$1
shift 2
exec chroot "$root" /usr/bin/env -i PATH=/opt/headstart/bin:/usr/bin:/bin \\
    setpriv --reuid=65532 --regid=65532 --clear-groups --no-new-privs --bounding-set=-all \\
    --inh-caps=-all "$@"
"""


@pytest.fixture
def confined(buildah: list[str], container: str, tmp_path: Path) -> Iterator[list[str | Path]]:
    """Command that runs another in the container as the chart's pod would; /mnt is ``tmp_path``."""
    root = Path(_run(*buildah, "mount", container).strip())
    tmp_path.chmod(0o755)
    yield ["unshare", "--mount", "--pid", "--fork", "--kill-child", *_shell(root, tmp_path)]
    _run(*buildah, "umount", container)


def _shell(root: Path, mounted: Path) -> list[str | Path]:
    return ["sh", "-euc", CONFINED, "sh", root, mounted]


def test_operator_serves_with_a_read_only_root(
    confined: list[str | Path], cluster: Cluster, tmp_path: Path
) -> None:
    """And says that it is well, with nothing that it could write to and nothing that it may do."""
    assert "Read-only file system" in _run(*confined, "sh", "-c", "touch /opt/x 2>&1 || true")
    capabilities = _run(*confined, "grep", "^Cap", "/proc/self/status")
    assert set(re.findall(r"[0-9a-f]{16}", capabilities)) == {"0" * 16}
    cluster.apply((ROOT / "manifests/crd/scalingpolicies.headstart.dev.yaml").read_text())
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(cluster.kubeconfig.read_text())
    port = free_port()
    operator = Process(
        "confined operator",
        [
            *confined,
            *("env", "KUBECONFIG=/mnt/kubeconfig", "headstart", "operator"),
            *(f"--listen=127.0.0.1:{port}", "--namespace=default"),
        ],
        log=tmp_path / "log",
    )
    try:
        url = f"http://127.0.0.1:{port}"
        operator.wait_ready(
            lambda: httpx.get(f"{url}/readyz", trust_env=False).is_success,
            ignoring=(httpx.TransportError,),
        )
        assert httpx.get(f"{url}/healthz", trust_env=False).is_success
    finally:
        operator.stop()

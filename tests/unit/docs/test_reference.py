"""The reference says what the schema says."""

from __future__ import annotations

import runpy
from pathlib import Path

import yaml

DOCS = Path(__file__).parents[3] / "docs"


def test_the_reference_is_up_to_date() -> None:
    """`make docs` writes it anew."""
    module = runpy.run_path(str(DOCS / "reference.py"))
    assert module["PAGE"].read_text() == module["page"](yaml.safe_load(module["CRD"].read_text()))

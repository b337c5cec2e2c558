"""The notebook runs from its first cell to its last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "docs" / "notebooks" / "seed-game.ipynb"


def read() -> Any:
    """Notebook as it is kept."""
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]  # Its own.


def test_the_notebook_is_kept_without_outputs() -> None:
    """What it shows follows from the code; pictures would make every change a large one."""
    cells = read().cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


# The kernel's client and server: sockets without encryption on this machine's loopback.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a fiftieth of the training: every picture and every table is made."""
    monkeypatch.setenv("HEADSTART_NOTEBOOK_EFFORT", "0.02")
    notebook = read()
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 8
    printed = "".join(output.get("text", "") for output in outputs)
    assert "hindsight" in printed
    assert "clairvoyant" in printed

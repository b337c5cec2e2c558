"""``python -m tests.integration.chart.generate`` writes what is made from the chart's values."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.cluster import binaries
from tests.cluster.recipes import HELM_DOCS
from tests.integration.chart.charts import CHART
from tests.integration.chart.values_schema import schema

if TYPE_CHECKING:
    from pathlib import Path


def files() -> dict[Path, str]:
    """Return what each generated file must hold."""
    values = (CHART / "values.yaml").read_text()
    return {CHART / "values.schema.json": schema(values), CHART / "README.md": _readme()}


def _readme() -> str:
    (program,) = binaries.ensure([HELM_DOCS]).values()
    command = [str(program), "--dry-run", "--log-level=warning", f"--chart-search-root={CHART}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return said.rstrip() + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)

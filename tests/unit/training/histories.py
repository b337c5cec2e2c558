"""Small recordings to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def write_history(
    path: Path, days: int = 3, per_second: float = 60.0, bin_minutes: int = 5
) -> Path:
    """Write quiet days of one shape and a little noise as a CSV file."""
    minutes = np.arange(0, days * 1440, bin_minutes)
    noise = np.random.default_rng(0).normal(1.0, 0.02, len(minutes))
    requests = 60 * per_second * (1 + 0.5 * np.sin(2 * np.pi * minutes / 1440)) * noise
    rows = (f"{minute},{count:.1f}" for minute, count in zip(minutes, requests, strict=True))
    path.write_text("minute,requests\n" + "\n".join(rows) + "\n")
    return path

"""Pages of history on disk, so that a broken download goes on and a repeated one is free.

A page is a stretch of a range query at fixed instants: its first index is a multiple of its
length, whoever asks and whenever. So tomorrow's download finds today's pages.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile

import numpy as np
import platformdirs

if TYPE_CHECKING:
    from headstart_policy.types import Floats


class Series(NamedTuple):
    """One series of a query."""

    labels: dict[str, str]
    values: Floats
    """Value at each instant, NaN where there is none, shape (T,)."""


def default_folder() -> Path:
    """Where the platform keeps what may be deleted at any time."""
    return platformdirs.user_cache_path("headstart") / "prometheus"


class Pages:
    """The pages of one query at one Prometheus.

    Parameters
    ----------
    folder
        Of all pages; ``None``: nothing is kept.
    key
        What makes the query another one: address, query, step.
    """

    def __init__(self, folder: Path | None, *key: object) -> None:
        digest = hashlib.sha256(json.dumps([str(part) for part in key]).encode()).hexdigest()
        self._folder = None if folder is None else folder / digest[:32]

    def read(self, first: int, length: int) -> list[Series] | None:
        """Find a page; ``None`` where there is none that can be read."""
        if self._folder is None:
            return None
        try:
            # numpy leaves a file open that it cannot make sense of; we do not.
            with self._file(first, length).open("rb") as file, np.load(file) as stored:
                labels = json.loads(str(stored["labels"]))
                values = stored["values"]
        except (OSError, ValueError, KeyError, BadZipFile, EOFError):
            # Not there, or broken off while it was written by hand: fetched again.
            return None
        if values.shape != (len(labels), length):
            return None
        return [Series(*row) for row in zip(labels, values, strict=True)]

    def write(self, first: int, length: int, series: list[Series]) -> None:
        """Keep a page, whole or not at all; readable by its owner alone."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        values = np.array([one.values for one in series]).reshape(len(series), length)
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            labels = np.array(json.dumps([one.labels for one in series]))
            np.savez_compressed(file, labels=labels, values=values)
        Path(file.name).replace(self._file(first, length))

    def _file(self, first: int, length: int) -> Path:
        return Path(os.fspath(self._folder or "")) / f"{first}-{length}.npz"

"""Files that commands read and write: what is no good is refused by name, before the work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy


class OutputFile(click.Path):
    """A file to be written at the end, in a folder that is there."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False, writable=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Refuse a file whose folder nobody can write to; as :class:`click.Path` otherwise."""
        file = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = file.absolute().parent
        if not folder.is_dir():
            self.fail(f"Folder '{folder}' does not exist: make it first.", param, ctx)
        if not os.access(folder, os.W_OK):
            self.fail(f"Folder '{folder}' is not writable.", param, ctx)
        return file


OUTPUT_FILE = OutputFile()


def read_policy(file: Path) -> tuple[Policy, bytes]:
    """Read a policy file, as it decides and as it is shipped.

    Raises
    ------
    ValueError
        It is none that this version serves; the message begins with the file's name.
    """
    from headstart_policy.artifact import ArtifactError, parse  # noqa: PLC0415  # When it runs.

    content = file.read_bytes()
    try:
        return parse(content), content
    except ArtifactError as error:
        raise ValueError(f"{file}: {error}") from error


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json FILE``."""
    return click.option("--json", "json_file", type=OUTPUT_FILE, help="Write the figures too.")(
        command
    )

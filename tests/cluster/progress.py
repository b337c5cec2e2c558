"""What a person sees while the control plane is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

from contextlib import contextmanager

_console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """Print one line for the person who waits."""
    _console.print(line, markup=False)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show ``title`` with the time elapsed; the value takes what happens at the moment.

    On anything but a terminal it is one plain line.
    """
    if not _console.is_terminal:
        say(title)
        yield lambda _: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
    )
    with Progress(*columns, console=_console) as progress:
        task = progress.add_task(escape(title), total=None, detail="")
        yield lambda detail: progress.update(task, detail=escape(detail))

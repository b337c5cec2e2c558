"""Curves of a training run for TensorBoard, where somebody asks for them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Write = Callable[[int, Mapping[str, float]], None]

FOLDER = "tensorboard"


@contextmanager
def board(folder: Path, *, wanted: bool = True) -> Iterator[Write]:
    """Yield what to call with a step and its figures; they go to ``folder/tensorboard``.

    A resumed run goes on in a file beside the first one, which TensorBoard shows as one curve.
    Where no board is wanted, nothing is written and TensorBoard is not imported.
    """
    if not wanted:
        yield lambda _step, _figures: None
        return
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # Seconds, if at all.

    with SummaryWriter(str(folder / FOLDER)) as writer:

        def write(step: int, figures: Mapping[str, float]) -> None:
            for name, figure in figures.items():
                writer.add_scalar(name, figure, step)

        yield write

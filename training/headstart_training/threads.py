"""Work on all cores, by threads: numpy and compiled kernels let go of the interpreter's lock.

Threads of our own, not numba's: its default threading layer ends the process when two Python
threads use it at once, and GNU's OpenMP does after a fork.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# Below so many cells of work a thread costs more than it saves.
_WORTH_A_THREAD = 200_000
# Rows are unequal: more blocks than threads, so that none waits long for another.
_BLOCKS_PER_THREAD = 4


def over_rows(rows: int, cells: float, work: Callable[[int, int], Any]) -> None:
    """Call ``work(start, stop)`` for blocks of rows, on all cores where it is worth it.

    Parameters
    ----------
    rows
        Rows in all.
    cells
        Work in all, in units of some nanoseconds.
    work
        A compiled function; the blocks do not overlap.
    """
    threads = min(rows, cores(), int(cells / _WORTH_A_THREAD))
    if threads <= 1:
        work(0, rows)
        return
    blocks = min(rows, threads * _BLOCKS_PER_THREAD)
    edges = [rows * k // blocks for k in range(blocks + 1)]
    with ThreadPoolExecutor(threads) as pool:
        # Reading the results raises what a block raised.
        list(pool.map(work, edges[:-1], edges[1:]))


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

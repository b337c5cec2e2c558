"""How kernels are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def compiled(function: F) -> F:
    """Compile to machine code at the first call, once per machine; divide as numpy does.

    It lets go of the interpreter's lock, so that threads run side by side. Where neither the
    package's folder nor the user's cache can be written, as in a container with a read-only root,
    it is compiled by every process.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return cast("F", njit(cache=True, **options)(function))
    except RuntimeError:
        return cast("F", njit(**options)(function))


def inlined(function: F) -> F:
    """Compile as part of whoever calls it, so that the compiler sees one loop and no calls."""
    return cast("F", njit(inline="always", error_model="numpy")(function))

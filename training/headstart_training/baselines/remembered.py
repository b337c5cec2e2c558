"""Work on a world that many candidates share, done once."""

from __future__ import annotations

from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_training.simulator import World

Settings = TypeVarTuple("Settings")
R = TypeVar("R")

# Candidates come model by model, a few at a time; what is kept is a path or two for each.
_KEPT = 16


class _Itself:
    """A world that equals itself alone: its arrays have no hash."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __hash__(self) -> int:
        return id(self.world)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.world is self.world


def remembered(function: Callable[[World, *Settings], R]) -> Callable[[World, *Settings], R]:
    """Keep the last results of a function of a world and hashable settings; do not change them."""

    @lru_cache(maxsize=_KEPT)
    def kept(itself: _Itself, *settings: Any) -> R:
        return function(itself.world, *settings)

    @wraps(function)
    def call(world: World, *settings: *Settings) -> R:
        return kept(_Itself(world), *settings)

    return call

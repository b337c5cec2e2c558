"""People's orders that end by themselves: hold the replicas, pin them, or block one direction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Block(StrEnum):
    """Which changes of replicas are held back."""

    ALL = "All"
    UP = "Up"
    DOWN = "Down"


@dataclass(frozen=True)
class Pause:
    """``spec.paused``: an order that has an end, a reason and an author.

    Attributes
    ----------
    until
        When it ends, s since the epoch.
    reason, by
        Why, and who says so: whoever is paged at night must not have to guess.
    block
        Which changes are held back.
    replicas
        A pin: they are set to this, and stay; ``None``: they stay what they are.

    Raises
    ------
    ValueError
        A pin blocks one direction alone: it could not be reached from the other side.
    """

    until: float
    reason: str
    by: str
    block: Block = Block.ALL
    replicas: int | None = None

    def __post_init__(self) -> None:
        """Refuse an order that contradicts itself."""
        if self.replicas is not None and self.block is not Block.ALL:
            raise ValueError(
                f"paused.replicas = {self.replicas} needs paused.block = All, is {self.block}"
            )

    def lasts(self, now: float) -> bool:
        """Whether it is in force at ``now``, s since the epoch; at ``until`` it is not any more."""
        return now < self.until

    @property
    def message(self) -> str:
        """Author, reason and end, in words."""
        # Whole seconds: the schema takes no fractions.
        end = datetime.fromtimestamp(self.until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"by {self.by} until {end}: {self.reason}"

"""What stands between asking for replicas and their start, besides one constant lead time.

Without frictions what is ready is a moving minimum of what was asked for, and a whole path is
priced at once. With them it is not: these are the knobs that tell how much that matters, and that
a policy can be trained or tested under.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

# No limit: more replicas than any service has, and a sum of two still is a number.
NO_LIMIT = 2**40


@dataclass(frozen=True)
class Frictions:
    """Of N services; shape (N,) where nothing else is said.

    Attributes
    ----------
    most_up, most_down
        Replicas added and removed in a step, at most; at least 1.
    per_node
        Replicas that a node holds: growth that finds no seat waits for a node, and nodes that are
        not needed leave. 0: nodes are always there.
    node_steps
        Whole steps from needing a node to having it, at least 0.
    lead_spread
        Standard deviation of the replicas' lead times over their mean, at least 0.
    luck
        Uniform draws in [0, 1) that tell the lead times of each step's replicas, shape (N, T).

    Raises
    ------
    ValueError
        A number is out of its bounds.
    """

    most_up: Ints
    most_down: Ints
    per_node: Ints
    node_steps: Ints
    lead_spread: Floats
    luck: Floats

    def __post_init__(self) -> None:
        """Refuse what would stand still or run backwards."""
        for name, least in (
            ("most_up", 1),
            ("most_down", 1),
            ("per_node", 0),
            ("node_steps", 0),
            ("lead_spread", 0),
            ("luck", 0),
        ):
            value = getattr(self, name)
            if len(value) != len(self.most_up):
                raise ValueError(f"{name} must have {len(self.most_up)} rows, has {len(value)}")
            if value.size and value.min() < least:
                raise ValueError(f"{name} = {value.min()}, must be at least {least}")

    @classmethod
    def none(cls, services: int, steps: int) -> Frictions:
        """Nothing stands in the way: to be replaced in part."""
        count = np.full(services, NO_LIMIT)
        return cls(
            most_up=count,
            most_down=count,
            per_node=np.zeros(services, dtype=np.int64),
            node_steps=np.zeros(services, dtype=np.int64),
            lead_spread=np.zeros(services),
            luck=np.zeros((services, steps)),
        )

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        lead_steps: Ints,
        demand: Floats,
        steps: int,
        *,
        share: float = 0.5,
        longest_node_wait: float = 1.0,
        largest_spread: float = 0.5,
    ) -> Frictions:
        """Draw them for N services, each friction for a share of them.

        Parameters
        ----------
        rng
            Where the randomness comes from.
        lead_steps, demand
            Mean lead times in steps, and the replicas that the mean load needs, shape (N,).
        steps
            T.
        share
            Of services that have a friction; each friction is drawn alone.
        longest_node_wait
            In lead times.
        largest_spread
            Of lead times, over their mean.
        """
        count = len(lead_steps)

        def has() -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
            return rng.random(count) < share

        # A ramp that takes one to a hundred steps through the mean fleet.
        ramp = np.ceil(demand / 10 ** rng.uniform(0.0, 2.0, count)).astype(np.int64)
        return cls(
            most_up=np.where(has(), np.maximum(ramp, 1), NO_LIMIT),
            most_down=np.where(has(), np.maximum(ramp, 1), NO_LIMIT),
            per_node=np.where(has(), rng.integers(1, 31, count), 0),
            node_steps=np.ceil(lead_steps * rng.uniform(0.0, longest_node_wait, count)).astype(
                np.int64
            ),
            lead_spread=np.where(has(), rng.uniform(0.0, largest_spread, count), 0.0),
            luck=rng.random((count, steps)),
        )

    def take(self, rows: Ints) -> Frictions:
        """Pick services by index, in the order given."""
        return Frictions(**{name: value[rows] for name, value in vars(self).items()})

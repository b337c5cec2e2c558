"""Contests: whole paths are priced as they are played."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from headstart_training.contest import Moment, Result, play, settle
from headstart_training.scenarios import draw

if TYPE_CHECKING:
    from headstart_policy.observation import Observation
    from headstart_policy.types import Ints


class Path:
    """Ask for what was written down."""

    def __init__(self, desired: Ints) -> None:
        self._desired, self._t = desired, -1

    def decide(self, observation: Observation, moment: Moment) -> Ints:  # noqa: ARG002
        """Replicas to ask for, shape (N,)."""
        self._t += 1
        asked: Ints = self._desired[:, self._t]
        return asked


@pytest.mark.parametrize("expected", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_settling_a_path_is_playing_it(seed: int, *, expected: bool) -> None:
    rng = np.random.default_rng(seed)
    world = draw(rng, 12, 80, expected=expected)
    demand = np.ceil(world.rates / world.profiles.capacity[:, None]).astype(np.int64)
    desired = demand + rng.integers(0, 4, demand.shape)
    played, settled = play(world, Path(desired)), settle(world, desired)
    for name in vars(Result(*[None] * 6)):  # type: ignore[arg-type]  # Only the names matter.
        np.testing.assert_allclose(getattr(settled, name), getattr(played, name), rtol=1e-12)


def test_a_path_of_another_shape_is_refused() -> None:
    world = draw(np.random.default_rng(0), 3, 10, expected=True)
    with pytest.raises(ValueError, match=r"must have shape \(3, 10\), has \(3, 9\)"):
        settle(world, np.ones((3, 9), dtype=np.int64))

"""Those whom the learned policy has to beat on the seed's game."""

from typing import Any

import numpy as np
import pytest

from headstart_training.baselines.seed_hpa import SeedHPA
from headstart_training.baselines.simple import DoNothing, RandomIntegers

NOTHING = np.zeros((1, 25), np.float32)


def info(load: int, active: int, warming: int) -> dict[str, Any]:
    """What one game says."""
    return {
        "load": np.array([load]),
        "active_machines": np.array([active]),
        "warming_machines": np.array([warming]),
    }


@pytest.mark.parametrize(
    ("load", "active", "warming", "action"),
    [
        (2100, 10, 0, (0, 0)),  # 2100 / (0.7 * 300) = 10
        (2101, 10, 0, (1, 0)),
        (2101, 10, 1, (0, 0)),
        (4200, 10, 3, (7, 0)),
        (2100, 14, 2, (0, 6)),
        (0, 4, 0, (0, 4)),
    ],
)
def test_naive_hpa_orders_the_difference(
    load: int, active: int, warming: int, action: tuple[int, int]
) -> None:
    """Machines that warm up are counted."""
    hpa = SeedHPA(0.7)
    hpa.start(1)
    assert hpa.act(NOTHING, info(0, active, warming)).tolist() == [[0, 0]]
    assert hpa.act(NOTHING, info(load, active, warming)).tolist() == [list(action)]


def test_stabilised_hpa_keeps_the_largest_want_of_five_minutes() -> None:
    """The load falls at once; the fleet follows in the fifth minute after."""
    hpa = SeedHPA(0.6, window=5)
    hpa.start(1)
    hpa.act(NOTHING, info(0, 20, 0))
    offs = [hpa.act(NOTHING, info(load, 20, 0))[0, 1] for load in (3600, *[1800] * 6)]
    assert offs == [0, 0, 0, 0, 0, 10, 10]


def test_start_forgets_the_wants_of_other_games() -> None:
    """And does nothing in the first step again."""
    hpa = SeedHPA(0.6, window=5)
    for _ in range(2):
        hpa.start(1)
        assert hpa.act(NOTHING, info(90_000, 20, 0)).tolist() == [[0, 0]]
        assert hpa.act(NOTHING, info(3600, 20, 0)).tolist() == [[0, 0]]
        hpa.act(NOTHING, info(90_000, 20, 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 0.0}, r"target must be in \(0, 1\], is 0.0"),
        ({"target": 1.1}, r"target must be in \(0, 1\], is 1.1"),
        ({"target": 0.5, "window": 0}, "window must be at least 1 minute, is 0"),
    ],
)
def test_bad_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    """With the key, the bound and the value."""
    with pytest.raises(ValueError, match=message):
        SeedHPA(**arguments)


def test_random_player_draws_all_whole_actions_alike() -> None:
    """0 to 10, both ends included; seeded."""
    draws = []
    for _ in range(2):
        player = RandomIntegers(seed=4)
        player.start(11_000)
        draws.append(player.act(NOTHING, {}))
    np.testing.assert_array_equal(draws[0], draws[1])
    counts = np.bincount(draws[0].astype(int).ravel(), minlength=11)
    assert len(counts) == 11
    assert counts == pytest.approx(np.full(11, 2000), abs=5 * np.sqrt(2000))


def test_doing_nothing_is_an_action_for_each_game() -> None:
    """Whatever changes nothing there."""
    player = DoNothing((1.5,))
    player.start(3)
    assert player.act(NOTHING, {}).tolist() == [[1.5]] * 3

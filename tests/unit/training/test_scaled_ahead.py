"""The criterion of having scaled ahead, by example."""

from __future__ import annotations

import pytest

from headstart_training.scaled_ahead import Rise, rises, scaled_ahead

LEAD = 4.0
FLAT = [10.0] * 6
RAMP = [*FLAT, 11.0, 12.0, 13.0, 13.0, 13.0]


@pytest.mark.parametrize(
    ("demand", "desired", "expected"),
    [
        pytest.param(FLAT, [10] * 6, [], id="no rise"),
        pytest.param([10.0, 12.9] * 3, [10] * 6, [], id="too small"),
        pytest.param(
            RAMP, [10] * 6 + [13] * 5, [Rise(5, 8, 13.0, led=True)], id="two steps before: led"
        ),
        pytest.param(
            RAMP, [10] * 7 + [13] * 4, [Rise(5, 8, 13.0, led=False)], id="one step before: late"
        ),
        pytest.param(
            RAMP, [10] * 6 + [12] * 5, [Rise(5, 8, 13.0, led=False)], id="one replica short"
        ),
        pytest.param(
            RAMP,
            [10] * 6 + [13, 12, 13, 13, 13],
            [Rise(5, 8, 13.0, led=False)],
            id="asked for and taken back",
        ),
        pytest.param(
            [10.0, *(10.0 + 0.25 * k for k in range(14))],
            [20] * 15,
            [],
            id="three replicas, but in more than two lead times",
        ),
        pytest.param(
            [10.0] * 3 + [16.0] * 3 + [19.0] * 3,
            [16] * 6 + [20] * 3,
            [Rise(2, 3, 16.0, led=True), Rise(5, 6, 19.0, led=False)],
            id="two rises, each from where the last one ended",
        ),
        pytest.param([10.0, 14.0, 14.0], [20] * 3, [], id="too early to tell"),
        pytest.param(
            [14.0, 10.0, 10.0, 13.5], [14] * 4, [Rise(2, 3, 13.5, led=True)], id="after a dip"
        ),
    ],
)
def test_rises(demand: list[float], desired: list[int], expected: list[Rise]) -> None:
    assert rises(demand, desired, LEAD) == expected


@pytest.mark.parametrize(("led", "of", "verdict"), [(0, 0, False), (1, 2, False), (2, 3, True)])
def test_most_rises_must_be_led(led: int, of: int, verdict: bool) -> None:  # noqa: FBT001
    found = [Rise(0, 1, 1.0, led=k < led) for k in range(of)]
    assert scaled_ahead(found) is verdict


def test_paths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="demand has 2 steps, desired has 1"):
        rises([1.0, 2.0], [1], LEAD)
    with pytest.raises(ValueError, match="lead_steps = 0, must be above 0"):
        rises([1.0], [1], 0)

"""If a larger load would have made another winner, nobody has won."""

from __future__ import annotations

import pytest

from headstart_training.backtest.saturation import Saturation


@pytest.mark.parametrize(
    ("winners", "conclusive"),
    [
        ({1.0: "headstart"}, True),
        ({1.0: "headstart", 1.2: "headstart", 2.0: "headstart"}, True),
        ({1.0: "headstart", 1.2: "headstart", 2.0: "hpa_tuned"}, False),
        ({1.0: "hpa_tuned", 1.2: "headstart", 2.0: "headstart"}, False),
    ],
)
def test_the_winner_must_stay(winners: dict[float, str], conclusive: bool) -> None:  # noqa: FBT001
    found = Saturation(60.0, winners, {})
    assert found.conclusive is conclusive
    assert found.to_json()["winners"] == {f"{k:g}": name for k, name in winners.items()}

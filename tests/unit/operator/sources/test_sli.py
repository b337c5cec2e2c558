"""The sli: asked now and then, believed when it is a share, and never in a decision's way."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headstart_operator.accounts.scoring_status import budget
from headstart_operator.sources import pool, sli
from headstart_operator.sources.prometheus import Answer, RateError, Reason
from headstart_operator.sources.sli import Violations
from headstart_policy import artifact
from tests.unit.operator.test_controller import FakeSource, Stage
from tests.unit.policy.build import a_policy

if TYPE_CHECKING:
    from pathlib import Path

    from headstart_operator.sources.history import Gap

SPEC: dict[str, Any] = {
    "interval": "15s",
    "objective": {"errorBudget": {"slo": "99", "window": "1h"}, "sli": {"query": "good"}},
}


class Source(FakeSource):
    """A Prometheus that knows the share of good requests too."""

    good: float | RateError = 1.0
    asked = 0

    async def rates(self, query: str, gap: Gap, within: float) -> Answer:
        """Answer with a constant."""
        if query != "good":
            return await super().rates(query, gap, within)
        Source.asked += 1
        if isinstance(self.good, RateError):
            raise self.good
        return Answer(np.array([self.good]), None)


def after(
    ticks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: float | RateError
) -> Any:
    """Decide so often while so many requests are good; return what was scored."""
    monkeypatch.setattr(pool, "Source", Source)
    monkeypatch.setattr(artifact, "builtin", lambda _: a_policy())
    monkeypatch.setattr(Source, "good", good)
    monkeypatch.setattr(Source, "asked", 0)

    async def play() -> Any:
        stage = Stage(tmp_path)
        stage.upsert(**SPEC)
        try:
            for _ in range(ticks):
                await stage.tick()
                await asyncio.gather(*stage.controller._rehearsals.values())
            return stage.service.memory.scoring
        finally:
            await stage.controller.close(1.0)

    return asyncio.run(play())


def test_it_is_asked_once_in_four_intervals_and_not_by_all_at_once() -> None:
    whose = [
        [k for k in range(8) if sli.due(15.0 * k, 15.0, 3.5, uid) is not None]
        for uid in map(str, range(50))
    ]
    assert {tuple(np.diff(times).tolist()) for times in whose} == {(4,)}
    assert len({times[0] for times in whose}) == 4
    gap = sli.due(15.0 * whose[0][0], 15.0, 3.5, "0")
    assert gap is not None
    assert gap.phase == 3.5


@pytest.mark.parametrize(
    ("value", "share"),
    [(0.0, 0.0), (0.995, 0.995), (1.0, 1.0), (1.005, 1.0), (1.5, math.nan), (99.5, math.nan)],
)
def test_what_is_no_share_is_not_believed(value: float, share: float) -> None:
    assert sli.share_of(value) == pytest.approx(share, nan_ok=True)
    assert math.isnan(sli.share_of(-0.1))
    assert math.isnan(sli.share_of(math.nan))


def test_bad_minutes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scoring = after(24, tmp_path, monkeypatch, 0.9)
    assert Source.asked == 6
    assert scoring.violations.measured == scoring.violations.seconds > 0
    assert scoring.budget.remaining < 0
    shown = budget(scoring)
    assert shown is not None
    assert float(shown["remainingRatio"]) < 0


@pytest.mark.parametrize("good", [math.nan, RateError(Reason.TIMEOUT, "too slow")])
def test_no_answer_is_neither_good_nor_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: float | RateError
) -> None:
    scoring = after(12, tmp_path, monkeypatch, good)
    assert scoring.violations.seconds == 0
    assert scoring.budget.total == 0
    assert scoring.accounts.seconds[0] > 0


def test_the_history_is_asked_for_a_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scoring = after(6, tmp_path, monkeypatch, 1.0)
    assert scoring.budget.rehearsed_at is not None
    assert scoring.budget.price.least < 1.0 < scoring.budget.price.most


def test_counts_survive_a_restart() -> None:
    counts = Violations(since=1.0).add(60.0, 5.0, 10.0).mark(99.0, 7.0)
    assert Violations.from_json(json.loads(json.dumps(counts.to_json()))) == counts
    for broken in ({"since": None}, {"measured": -1.0}, {"counted": "NaN"}):
        with pytest.raises((TypeError, ValueError)):
            Violations.from_json({**counts.to_json(), **broken})

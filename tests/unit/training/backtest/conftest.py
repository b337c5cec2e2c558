"""One judgement for all tests that only look at it."""

from __future__ import annotations

import pytest

from headstart_policy.artifact import builtin
from headstart_training.backtest.judgement import Judgement, judge
from headstart_training.backtest.setting import Setting
from tests.unit.training.backtest.recordings import service


@pytest.fixture(scope="package")
def judgement() -> Judgement:
    """Six days of a service at five minutes, judged as they come."""
    return judge(service(6), Setting(), builtin())

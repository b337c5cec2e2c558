"""What discovery refuses to look for; what it finds is tested on a real Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from headstart_training.loads.discovery import Quality, Workload
from headstart_training.loads.prometheus import Window, window_of
from headstart_training.loads.regular import Trace


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("shop", "checkout", "DaemonSet"),
            "kind = DaemonSet, must be one of Deployment, Stateful",
        ),
        (("shop", 'a"} or vector(1)'), "must be a name in Kubernetes"),
        (("", "checkout"), "namespace = '', must be a name in Kubernetes"),
    ],
)
def test_workloads_that_cannot_be_are_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Workload(*names)


@pytest.mark.parametrize("bounds", [{}, {"at_most": 1.0, "at_least": 0.0}])
def test_a_quality_has_one_bound(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="exactly one must be given"):
        Quality("latency", **bounds)


def test_a_bound_is_kept_or_not_or_unknown() -> None:
    values = np.array([0.1, 0.3, np.nan])
    np.testing.assert_array_equal(Quality("p99", at_most=0.2).held(values), [1, 0, np.nan])
    np.testing.assert_array_equal(Quality("sli", at_least=0.2).held(values), [0, 1, np.nan])


def test_the_time_of_a_trace_is_that_of_its_bins_ends() -> None:
    trace = Trace(np.ones(3), 60.0, datetime(1970, 1, 1, 0, 10, tzinfo=UTC))
    assert window_of(trace) == Window(11, 13, 60)


@pytest.mark.parametrize("start", [None, datetime(2026, 1, 1)])  # noqa: DTZ001 - that is the point
def test_a_trace_without_a_calendar_has_no_time(start: datetime | None) -> None:
    with pytest.raises(ValueError, match="no calendar with a zone"):
        window_of(Trace(np.ones(3), 60.0, start))

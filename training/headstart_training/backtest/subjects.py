"""What a backtest is about: a recording, what is assumed of the service, and where that is from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from headstart_training.backtest.services import Actual, Service, average, from_trace
from headstart_training.loads.discovery import Found, Quality, Workload, discover
from headstart_training.loads.prometheus import Prometheus
from headstart_training.loads.traces import read_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from headstart_policy.types import Floats
    from headstart_training.backtest.setting import Setting
    from headstart_training.loads.prometheus import PrometheusHistory
    from headstart_training.loads.traces import Trace


class Subject(NamedTuple):
    """One service to judge by."""

    service: Service
    setting: Setting


def from_csv(path: Path, name: str, setting: Setting) -> Subject:
    """Read a CSV file; all that it tells is the rate.

    Raises
    ------
    ValueError
        The file has no single sensible reading, or is too short to judge by.
    OSError
        It cannot be read.
    """
    return Subject(from_trace(name, read_trace(path)), setting)


def from_prometheus(
    history: PrometheusHistory,
    name: str,
    setting: Setting,
    *,
    given: Collection[str] = (),
    workload: Workload | None = None,
    quality: Quality | None = None,
    heard: Callable[[int, int], object] = lambda _done, _all: None,
    looked: Callable[[str], object] = lambda _what: None,
) -> Subject:
    """Download a service's rate, and all that can be found of its workload.

    Parameters
    ----------
    history
        Where, which query, and which time.
    name
        What to call it.
    setting
        What to assume where nothing is found.
    given
        Fields of ``setting`` that the user gave: what is found does not replace them.
    workload
        Whose replicas and starts to look for; ``None``: the rate is all.
    quality
        Says when the SLO held, for the capacity.
    heard
        Called with the points of the rate that are there and will be.
    looked
        Called with what is looked for next.

    Raises
    ------
    ValueError
        The history is too short to judge by.
    PrometheusError
        There is no usable answer.
    """
    trace = history.read(heard)
    service = from_trace(name, trace)
    if workload is None:
        return Subject(service, setting)
    found = discover(Prometheus(history.access, history.cache), workload, trace, quality, looked)
    return Subject(_with_actual(service, trace, found), _with_found(setting, found, given))


def _with_actual(service: Service, trace: Trace, found: Found) -> Service:
    """Add what really ran, averaged as the rate is."""
    notes = (*service.notes, *found.notes)
    if found.capacity:
        notes += (f"capacity: {found.capacity.words}",)
    if found.lead_time:
        started = found.lead_time
        notes += (
            (
                f"lead time: of {started.starts} starts of pods half took {started.median:.0f} s or"
                f" less, nine in ten {started.p90:.0f} s or less"
            ),
        )
    if found.replicas is None or found.ready is None:
        return replace(service, notes=notes)
    several = round(service.interval / trace.step)

    def averaged(values: Floats) -> Floats:
        return average(values, several)

    actual = Actual(averaged(found.replicas), averaged(found.ready))
    return replace(service, notes=notes, actual=actual)


def _with_found(setting: Setting, found: Found, given: Collection[str]) -> Setting:
    """Assume what was found where nobody said otherwise."""
    if found.capacity and "capacity" not in given:
        setting = replace(setting, capacity=found.capacity.estimate)
    if found.lead_time and "lead_time" not in given:
        # With the median in the plan half of the replicas would be late.
        setting = replace(setting, lead_time=max(found.lead_time.p90, 1.0))
    return setting

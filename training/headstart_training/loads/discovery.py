"""What a Prometheus knows of a workload beside its rate, from kube-state-metrics.

Replicas asked for and ready, pods' starts, and with them a lead time and a proposal of a capacity.
What is not there is said, never guessed.

Source: https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics/workload
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from headstart_training.loads.capacity import Capacity, propose
from headstart_training.loads.prometheus import Window, window_of
from headstart_training.loads.session import PrometheusError
from headstart_training.loads.starts import FEWEST, LeadTime, lead_time
from headstart_training.loads.waves import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.types import Floats
    from headstart_training.loads.prometheus import Prometheus
    from headstart_training.loads.regular import Trace

# The letters of generated names: no vowels, so that they spell nothing (k8s.io/apimachinery,
# util/rand). It tells checkout's pods from those of a DaemonSet checkout-worker.
_GENERATED = "[bcdfghjklmnpqrstvwxz2456789]"


class _Kind(NamedTuple):
    """How kube-state-metrics speaks of a kind of workload."""

    label: str
    replicas: str
    ready: str
    pods: str
    """What follows the workload's name in those of its pods, a regular expression."""


_KINDS = {
    "Deployment": _Kind(
        "deployment",
        "kube_deployment_spec_replicas",
        "kube_deployment_status_replicas_ready",
        f"-{_GENERATED}{{1,10}}-{_GENERATED}{{5}}",
    ),
    "StatefulSet": _Kind(
        "statefulset",
        "kube_statefulset_replicas",
        "kube_statefulset_status_replicas_ready",
        "-[0-9]+",
    ),
}
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True)
class Workload:
    """A workload by name.

    Raises
    ------
    ValueError
        A kind that is not known here, or what is no name in Kubernetes.
    """

    namespace: str
    name: str
    kind: str = "Deployment"

    def __post_init__(self) -> None:
        """Refuse what cannot be there."""
        if self.kind not in _KINDS:
            raise ValueError(f"kind = {self.kind}, must be one of {', '.join(_KINDS)}")
        for key in ("namespace", "name"):
            if not _NAME.fullmatch(getattr(self, key)):
                raise ValueError(f"{key} = {getattr(self, key)!r}, must be a name in Kubernetes")


@dataclass(frozen=True)
class Quality:
    """A query that says whether the SLO held, and its bound.

    Raises
    ------
    ValueError
        Not exactly one bound.
    """

    query: str
    at_most: float | None = None
    """For latencies [s] and shares of errors."""
    at_least: float | None = None
    """For shares of good requests."""

    def __post_init__(self) -> None:
        """Refuse two bounds, or none."""
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(
                f"at_most = {self.at_most}, at_least = {self.at_least}: exactly one must be given"
            )

    def held(self, values: Floats) -> Floats:
        """Whether the bound is kept, 1 or 0, NaN where the query says nothing."""
        most = np.inf if self.at_most is None else self.at_most
        least = -np.inf if self.at_least is None else self.at_least
        kept = (least <= values) & (values <= most)
        return np.where(np.isnan(values), np.nan, kept)


class Found(NamedTuple):
    """What is known of a workload beside its rate, for each bin of its trace."""

    replicas: Floats | None
    """Asked for, NaN where unknown, shape (T,); ``None``: nowhere known."""
    ready: Floats | None
    """Ready, likewise."""
    lead_time: LeadTime | None
    capacity: Capacity | None
    notes: tuple[str, ...]
    """What was not found and what to do about it, in words."""


def discover(
    prometheus: Prometheus,
    workload: Workload,
    trace: Trace,
    quality: Quality | None = None,
    heard: Callable[[str], object] = lambda _what: None,
) -> Found:
    """Look for all that is known of a workload.

    Parameters
    ----------
    prometheus
        Where to look.
    workload
        Whose trace it is.
    trace
        Its rate; gives the time to look at.
    quality
        Says when the SLO held, for the capacity.
    heard
        Called with what is looked for next.

    Raises
    ------
    PrometheusError
        It does not answer, or the quality's query does not give one series.
    ValueError
        The trace has no calendar.
    """
    kind, window = _KINDS[workload.kind], window_of(trace)
    notes: list[str] = []
    heard("replicas")
    replicas = _gauge(prometheus, kind.replicas, workload, window, notes)
    heard("ready replicas")
    ready = _gauge(prometheus, kind.ready, workload, window, notes)
    heard("starts of pods")
    started = _starts(prometheus, workload, window, notes)
    held = None
    if quality:
        heard("service level")
        held = quality.held(_one_series(prometheus, quality.query, window))
    capacity = None if ready is None else propose(trace.rates, ready, held)
    if ready is not None and capacity is None:
        notes.append("no capacity is proposed: rate and ready replicas overlap for under an hour")
    return Found(replicas, ready, started, capacity, tuple(notes))


def _gauge(
    prometheus: Prometheus, metric: str, workload: Workload, window: Window, notes: list[str]
) -> Floats | None:
    """Read a number of the workload; two exporters that both tell it are one."""
    label = _KINDS[workload.kind].label
    selector = f"namespace={_quote(workload.namespace)},{label}={_quote(workload.name)}"
    series = prometheus.matrix(f"max({metric}{{{selector}}})", window)
    if not series:
        notes.append(f"{metric}{{{selector}}} has no series: is kube-state-metrics scraped?")
        return None
    return series[0].values


def _starts(
    prometheus: Prometheus, workload: Workload, window: Window, notes: list[str]
) -> LeadTime | None:
    """Measure starts of pods that were created in the window.

    A pod's ready time is that of the last change, so the earliest that was seen counts; and
    kube-state-metrics 2.8.0 told one for pods that were not ready (its pull request 1971), so it
    counts only while the pod is. Before 2.8.0 there was none: then it is when the pod was first
    seen ready, on the minute.
    """
    pods = re.escape(workload.name).replace("\\-", "-") + _KINDS[workload.kind].pods
    selector = f"namespace={_quote(workload.namespace)},pod=~{_quote(pods)}"
    is_ready = f'(kube_pod_status_ready{{{selector},condition="true"}} == 1)'
    told = f"kube_pod_status_ready_time{{{selector}}} and on (namespace, pod, uid) {is_ready}"
    created = _earliest(prometheus, f"kube_pod_created{{{selector}}}", window)
    begin = window.first * window.step
    created = {pod: at for pod, at in created.items() if at >= begin}
    for expression, precision in ((told, ""), (f"timestamp{is_ready}", ", to the minute")):
        ready = _earliest(prometheus, expression, window)
        both = np.array([(at, ready[pod]) for pod, at in created.items() if pod in ready])
        if both.size and (found := lead_time(*both.T)):
            if precision:
                notes.append(f"lead times are from when a pod was first seen ready{precision}")
            return found
    notes.append(
        f"the lead time is unknown: {len(created)} pods {pods} were created and seen, at least "
        f"{FEWEST} that became ready are needed"
    )
    return None


def _earliest(
    prometheus: Prometheus, expression: str, window: Window
) -> dict[tuple[str, str], float]:
    """Find the least value that each pod had, asked for a day at a time."""
    # Whole days that cover the window; the last may end after now, which is no matter.
    first = int(window.first * window.step // DAY) + 1
    last = -int(-window.last * window.step // DAY)
    query = f"min by (pod, uid) (min_over_time(({expression})[1d:1m]))"
    series = prometheus.matrix(query, Window(first, max(first, last), int(DAY)))
    return {
        (one.labels["pod"], one.labels.get("uid", "")): float(np.nanmin(one.values))
        for one in series
    }


def _one_series(prometheus: Prometheus, query: str, window: Window) -> Floats:
    series = prometheus.matrix(query, window)
    if len(series) != 1:
        raise PrometheusError(f"{query} returned {len(series)} series, must be 1: aggregate it")
    return series[0].values


def _quote(value: str) -> str:
    """Write a PromQL string; it escapes as JSON does."""
    return json.dumps(value)

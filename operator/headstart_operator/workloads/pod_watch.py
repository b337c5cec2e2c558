"""Pods by the selector of their workload, from a watch."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.workloads.pods import Pod, lives, parse
from headstart_operator.workloads.watch import Kind, Name, Watches

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from headstart_operator.kube import Api, Document

# Pods that have ended are of no workload any more, and a cluster with jobs has many.
LIVING = "status.phase!=Succeeded,status.phase!=Failed"
_EQUALITY = re.compile(r"([^=!,()\s]+)==?([^=!,()\s]*)")


class _Labelled(NamedTuple):
    """A pod, and its labels as ``key=value``."""

    pod: Pod
    labels: tuple[str, ...]


class PodWatch:
    """The pods of all namespaces that the operator serves."""

    def __init__(self, api: Api, namespaces: tuple[str, ...]) -> None:
        kind = Kind("/api/v1", "pods", _keep, _index, fields=LIVING)
        self._watches = Watches(api, kind, namespaces)

    def find(self, namespace: str, selector: str) -> list[Pod] | None:
        """Return the pods of a selector that live; ``None``: ask the API server.

        It is asked while the watch is not to be trusted, and where the selector is more than a
        list of equalities, which those of nearly all workloads are.
        """
        labels = equalities(selector)
        if not labels:
            return None
        found = self._watches.of(namespace).find((namespace, label) for label in labels)
        return None if found is None else [labelled.pod for labelled in found]

    def stop(self) -> None:
        """End the watches."""
        self._watches.stop()


def equalities(selector: str) -> list[str] | None:
    """Split a selector into ``key=value`` pairs; ``None``: it says something else too."""
    pairs = [_EQUALITY.fullmatch(part) for part in selector.split(",")]
    return None if None in pairs else [f"{p[1]}={p[2]}" for p in pairs if p]


def _keep(document: Document) -> _Labelled | None:
    if not lives(document):
        return None
    labels = document["metadata"].get("labels") or {}
    # Pods of one workload share their labels' text.
    return _Labelled(parse(document), tuple(sys.intern(f"{k}={v}") for k, v in labels.items()))


def _index(name: Name, labelled: _Labelled) -> Iterable[Hashable]:
    return ((name.namespace, label) for label in labelled.labels)

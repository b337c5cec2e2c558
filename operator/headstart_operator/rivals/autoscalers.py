"""Autoscalers that others set on the workloads: HPAs and KEDA's ScaledObjects.

They are listed rather than watched: an HPA's status changes with each of its syncs, so that a watch
would bring each of them as often as a list does, and a list every few seconds has no stream that
can be cut unnoticed.
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from headstart_operator.kube import ApiError
from headstart_operator.rivals.managers import advice, last_setter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from headstart_operator.kube import Api, Document
    from headstart_operator.resource import TargetRef
    from headstart_operator.rivals.managers import Setter

HPA, SCALED_OBJECT = "HorizontalPodAutoscaler", "ScaledObject"
HPAS = ("/apis/autoscaling/v2", "horizontalpodautoscalers")
SCALED_OBJECTS = ("/apis/keda.sh/v1alpha1", "scaledobjects")
# KEDA puts it on the HPA that it makes of a ScaledObject.
OWNER_LABEL = "scaledobject.keda.sh/name"
# https://keda.sh/docs/2.21/concepts/scaling-deployments/#pausing-autoscaling
PAUSED, PAUSED_AT = "autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"
KEDA_LEAST, KEDA_MOST = 0, 100

# What is older than this is read anew beside the ticks, and they wait for what is older than that,
# s: whoever creates an HPA has it respected ten seconds later at the latest.
STALE = 5.0
OLDEST = 10.0

# The place that is all namespaces.
EVERYWHERE = ""
_UNKNOWN = "HorizontalPodAutoscalers were not listed yet"

_log = logging.getLogger(__name__)


class Target(NamedTuple):
    """A workload; of its version of the API, autoscalers and policies may differ."""

    namespace: str
    group: str
    kind: str
    name: str


@dataclass(frozen=True)
class Autoscaler:
    """An HPA or a ScaledObject.

    Attributes
    ----------
    kind, name, uid
        Its own.
    target
        What it scales.
    least, most
        Its bounds, replicas.
    asleep
        It changes nothing within its bounds: an HPA that may scale in neither direction, or a
        ScaledObject that is paused and pins no replicas.
    scaled_object
        The ScaledObject that an HPA belongs to; empty: to none.
    annotations
        Its own; ``None``: it has none, which a JSON patch has to know.
    setter, advice
        Who set an HPA's ``minReplicas`` last, as far as managedFields tell, and what would end it.
    """

    kind: str
    name: str
    uid: str
    target: Target
    least: int
    most: int
    asleep: bool = False
    scaled_object: str = ""
    annotations: Mapping[str, str] | None = None
    setter: Setter | None = field(default=None, compare=False)
    advice: str = field(default="", compare=False)

    @property
    def path(self) -> str:
        """Of the object at the API server."""
        group, plural = HPAS if self.kind == HPA else SCALED_OBJECTS
        return f"{group}/namespaces/{self.target.namespace}/{plural}/{self.name}"

    def __str__(self) -> str:
        """Name it as kubectl does."""
        return f"{self.kind}/{self.name}"


_ByTarget = dict[Target, dict[str, Autoscaler]]
# What each place, a namespace or everywhere, has, or why that cannot be told.
Reading = dict[str, list[Autoscaler] | ApiError]


class Found(NamedTuple):
    """The autoscalers of one workload, and why they may not be all."""

    autoscalers: tuple[Autoscaler, ...] = ()
    problem: str | None = None

    @property
    def acting(self) -> Autoscaler | None:
        """The one that answers for the workload: a ScaledObject before the HPA that it made."""
        awake = (a for a in self.autoscalers if not a.asleep)
        return max(awake, key=lambda a: (a.kind == SCALED_OBJECT, a.name), default=None)

    @property
    def hpa(self) -> Autoscaler | None:
        """The only HPA; ``None`` where there is none, or are several."""
        hpas = [a for a in self.autoscalers if a.kind == HPA]
        return hpas[0] if len(hpas) == 1 else None


def target_of(namespace: str, ref: TargetRef) -> Target:
    """Name a policy's target as autoscalers do."""
    return Target(namespace, _group(ref.api_version), ref.kind, ref.name)


def parse_hpa(document: Document) -> Autoscaler:
    """Read an HPA of autoscaling/v2."""
    metadata, spec = document["metadata"], document["spec"]
    behavior = spec.get("behavior") or {}
    setter = last_setter(metadata.get("managedFields") or [], "minReplicas")
    rules = [behavior.get(key) or {} for key in ("scaleUp", "scaleDown")]
    return Autoscaler(
        kind=HPA,
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        target=_target(metadata["namespace"], spec["scaleTargetRef"]),
        least=int(spec.get("minReplicas", 1)),
        most=int(spec["maxReplicas"]),
        asleep=all(rule.get("selectPolicy") == "Disabled" for rule in rules),
        scaled_object=(metadata.get("labels") or {}).get(OWNER_LABEL, ""),
        annotations=metadata.get("annotations"),
        setter=setter,
        advice=advice(setter, metadata, "autoscaling", HPA, "/spec/minReplicas"),
    )


def parse_scaled_object(document: Document) -> Autoscaler:
    """Read a ScaledObject of keda.sh/v1alpha1, whose schema leaves most of it out."""
    metadata, spec = document["metadata"], document["spec"]
    annotations = metadata.get("annotations") or {}
    paused = annotations.get(PAUSED, "false").lower() == "true"
    return Autoscaler(
        kind=SCALED_OBJECT,
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        target=_target(metadata["namespace"], spec["scaleTargetRef"]),
        least=int(spec.get("minReplicaCount", KEDA_LEAST)),
        most=int(spec.get("maxReplicaCount", KEDA_MOST)),
        asleep=paused and PAUSED_AT not in annotations,
        annotations=metadata.get("annotations"),
    )


class Rivals:
    """All autoscalers of the watched namespaces, at most :data:`OLDEST` seconds old.

    Used by one event loop's thread alone.
    """

    def __init__(
        self,
        api: Api,
        namespaces: Sequence[str],
        blocking: Callable[..., Awaitable[Reading]],
    ) -> None:
        """List those of ``namespaces`` (none means all); ``blocking`` runs a call in a thread."""
        self._api = api
        self._places = tuple(namespaces) or (EVERYWHERE,)
        self._blocking = blocking
        self._found: dict[str, _ByTarget] = {place: {} for place in self._places}
        self._problems: dict[str, str] = dict.fromkeys(self._places, _UNKNOWN)
        self._read_at = self._tried_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    async def of(self, target: Target, now: float) -> Found:
        """Tell the autoscalers of a workload; raises nothing."""
        await self.refresh(now)
        place = self._place(target)
        found = self._found.get(place, {}).get(target, {})
        return Found(tuple(found.values()), self._problems.get(place))

    async def refresh(self, now: float) -> None:
        """See to it that what is known is not too old; raises nothing."""
        # The clock may have been set back.
        if abs(now - self._tried_at) >= STALE and self._reading is None:
            self._tried_at = now
            self._reading = asyncio.create_task(self._read(now))
        if abs(now - self._read_at) >= OLDEST and self._reading is not None:
            # One whose policy is deleted meanwhile must not end it for the others.
            await asyncio.shield(self._reading)

    def expire(self) -> None:
        """Take what is known for too old: a write has shown it."""
        self._read_at = self._tried_at = -math.inf

    def all(self) -> list[Autoscaler]:
        """Tell all of them, as they were read last."""
        return [
            autoscaler
            for place in self._found.values()
            for found in place.values()
            for autoscaler in found.values()
        ]

    def replace(self, autoscaler: Autoscaler) -> None:
        """Take in one that has just been written: what was listed is older."""
        place = self._found.setdefault(self._place(autoscaler.target), {})
        place.setdefault(autoscaler.target, {})[str(autoscaler)] = autoscaler

    def _place(self, target: Target) -> str:
        return EVERYWHERE if self._places == (EVERYWHERE,) else target.namespace

    async def _read(self, now: float) -> None:
        try:
            reading = await self._blocking(read_places, self._api, self._places)
        finally:
            self._reading = None
        for place, listed in reading.items():
            if isinstance(listed, ApiError):
                self._fail(place, listed)
            else:
                self._problems.pop(place, None)
                self._found[place] = _by_target(listed)
        if not all(isinstance(listed, ApiError) for listed in reading.values()):
            self._read_at = now

    def _fail(self, place: str, error: ApiError) -> None:
        """Note why a place cannot be listed; the autoscalers known there stay known.

        An API server that is away has not deleted them. But whoever may not list knows nothing.
        """
        forbidden = error.status == HTTPStatus.FORBIDDEN
        if not forbidden and place not in self._problems:
            return
        hint = "; grant it, as the chart's roles do" if forbidden else ""
        problem = f"HorizontalPodAutoscalers cannot be listed: {error}{hint}"
        if problem != self._problems.get(place):
            _log.warning("%s", problem)
        self._problems[place] = problem


def read_places(api: Api, places: Sequence[str]) -> Reading:
    """List the autoscalers of each place; blocks.

    One namespace that is gone, with its roles, must not blind the operator in the others.
    """
    reading: Reading = {}
    for place in places:
        try:
            reading[place] = list_autoscalers(api, [place] if place else [])
        except ApiError as error:
            reading[place] = error
    return reading


def list_autoscalers(api: Api, namespaces: Sequence[str] = ()) -> list[Autoscaler]:
    """List the autoscalers of some namespaces, or of all; blocks.

    Raises
    ------
    ApiError
        HPAs cannot be listed. A cluster without KEDA has no ScaledObjects; where they may not be
        listed, KEDA's HPAs still tell by a label whose they are.
    """
    return [
        autoscaler
        for place in [f"/namespaces/{name}" for name in namespaces] or [""]
        for autoscaler in (
            *_parsed(_list(api, HPAS, place), parse_hpa),
            *_parsed(_optional(api, SCALED_OBJECTS, place), parse_scaled_object),
        )
    ]


def _list(api: Api, kind: tuple[str, str], place: str) -> list[Document]:
    group, plural = kind
    # Version 0 is answered from the API server's own cache, without a look into etcd.
    items: list[Document] = api.get(f"{group}{place}/{plural}", resourceVersion="0").get(
        "items", []
    )
    return items


def _optional(api: Api, kind: tuple[str, str], place: str) -> list[Document]:
    try:
        return _list(api, kind, place)
    except ApiError as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            return []
        raise


def _parsed(
    documents: Iterable[Document], parse: Callable[[Document], Autoscaler]
) -> Iterable[Autoscaler]:
    for document in documents:
        try:
            yield parse(document)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # One that nobody can read must not hide the others.
            _log.debug("%s: %s", (document.get("metadata") or {}).get("name"), error)


def _by_target(autoscalers: Iterable[Autoscaler]) -> _ByTarget:
    found: _ByTarget = {}
    for autoscaler in autoscalers:
        found.setdefault(autoscaler.target, {})[str(autoscaler)] = autoscaler
    return found


def _target(namespace: str, ref: Mapping[str, Any]) -> Target:
    group = _group(ref.get("apiVersion") or "apps/v1")
    return Target(namespace, group, ref.get("kind") or "Deployment", ref["name"])


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]

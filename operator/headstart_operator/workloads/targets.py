"""The scale subresource of a workload. Every call blocks: call it from a thread."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.kube import JSON_PATCH, METADATA_ONLY, Api, ApiError
from headstart_operator.rivals.managers import SOMEONE, Setter, advice, last_setter
from headstart_operator.workloads.watch import Kind, Name, Watches

if TYPE_CHECKING:
    from headstart_operator.kube import Document
    from headstart_operator.resource import TargetRef


# A scale is read anew after so many seconds, whatever its watch says.
READ_EVERY = 300.0


class TargetError(Exception):
    """The workload cannot be read or scaled.

    Attributes
    ----------
    reason
        In one word, a reason of the condition Ready.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TargetChangedError(Exception):
    """Someone changed the replicas between our reading and our writing."""


@dataclass(frozen=True)
class Scale:
    """A workload's scale.

    Attributes
    ----------
    path
        Of the workload (not of its scale) at the API server.
    uid
        A re-created workload has another.
    replicas
        ``spec.replicas``.
    selector
        Of its pods, as a query.
    """

    path: str
    uid: str
    replicas: int
    selector: str


class Generation(NamedTuple):
    """Which object, and which version of its spec."""

    uid: str
    number: int


class _Known(NamedTuple):
    """A scale that was read, when, and of which generation it is at least."""

    scale: Scale
    generation: Generation
    read_at: float


class Targets:
    """Workloads of any kind that has a scale subresource."""

    def __init__(self, api: Api, namespaces: tuple[str, ...] = ()) -> None:
        """Scale workloads of these namespaces; none means all."""
        self._api = api
        self._namespaces = namespaces
        # Group, version and kind -> plural. Plurals do not change while a kind exists.
        self._plurals: dict[tuple[str, str], str] = {}
        # Group and plural -> the generations of its objects.
        self._generations: dict[tuple[str, str], Watches[Generation]] = {}
        self._known: dict[str, _Known] = {}
        self._swept = 0.0

    def known(self, namespace: str, ref: TargetRef, now: float) -> Scale | None:
        """Return a scale that was read, where a watch vouches that it has not changed since.

        Every change of a spec is a new generation of its object. Without a word of the watch, or
        some minutes after it was read (a custom resource's selector is in its status), ``None``:
        :meth:`read` it. Does not block.
        """
        plural = self._plurals.get((ref.api_version, ref.kind))
        if plural is None:
            return None
        group = _group(ref)
        known = self._known.get(_path(group, namespace, plural, ref.name))
        if known is None or not 0 <= now - known.read_at < READ_EVERY:
            return None
        generation = self._generation(group, plural, namespace, ref.name)
        return known.scale if generation == known.generation else None

    def read(self, namespace: str, ref: TargetRef, now: float = 0.0) -> Scale:
        """Read a workload's scale; ``now`` is for how long it stays known, s since the epoch.

        Raises
        ------
        TargetError
            There is none, it has no scale, it may not be read, or the API server is away.
        """
        what = f"{ref.kind} {namespace}/{ref.name}"
        try:
            group = _group(ref)
            plural = self._plural(group, ref)
            path = _path(group, namespace, plural, ref.name)
            # Before it is read: what changes after that is a generation that we do not know.
            generation = self._generation(group, plural, namespace, ref.name)
            scale = self._api.get(f"{path}/scale")
        except ApiError as error:
            raise _target_error(error, what) from error
        found = Scale(
            path=path,
            uid=scale["metadata"].get("uid", ""),
            # The API server leaves a zero out.
            replicas=int(scale.get("spec", {}).get("replicas", 0)),
            selector=scale.get("status", {}).get("selector", ""),
        )
        self._sweep(now)
        if generation is not None and generation.uid == found.uid:
            self._known[path] = _Known(found, generation, now)
        return found

    def stop(self) -> None:
        """End the watches."""
        for watches in self._generations.values():
            watches.stop()

    def _generation(self, group: str, plural: str, namespace: str, name: str) -> Generation | None:
        watches = self._generations.get((group, plural))
        if watches is None:
            kind = Kind(group, plural, _generation_of, metadata_only=True)
            watches = self._generations.setdefault(
                (group, plural), Watches(self._api, kind, self._namespaces)
            )
        return watches.of(namespace).get(Name(namespace, name))

    def _sweep(self, now: float) -> None:
        """Forget the scales of workloads that nobody asks for any more."""
        if now - self._swept > READ_EVERY:
            self._swept = now
            for path, known in list(self._known.items()):
                if now - known.read_at > READ_EVERY:
                    self._known.pop(path, None)

    def write(self, scale: Scale, replicas: int) -> None:
        """Set the replicas, unless someone else has just changed them.

        A resourceVersion would be the usual guard; but a workload whose pods become ready changes
        each second, and the guard would fail on every one of these.

        Raises
        ------
        TargetChangedError
            Someone else has.
        TargetError
            Refused, or the API server is away.
        """
        if scale.replicas:
            unchanged = {"op": "test", "path": "/spec/replicas", "value": scale.replicas}
        else:
            unchanged = {"op": "test", "path": "/spec", "value": {}}
        change = {"op": "add", "path": "/spec/replicas", "value": replicas}
        try:
            self._api.patch(f"{scale.path}/scale", [unchanged, change], JSON_PATCH)
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT or self._failed_test(error, scale):
                raise TargetChangedError(str(error)) from error
            raise _target_error(error, scale.path) from error
        finally:
            # The watch may still vouch for what was before.
            self._known.pop(scale.path, None)

    def _failed_test(self, error: ApiError, scale: Scale) -> bool:
        """Whether a write failed since the replicas are others than they were.

        A ValidatingAdmissionPolicy that refuses so many answers as a failed test does, with 422.
        """
        if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            return False
        try:
            document = self._api.get(f"{scale.path}/scale")
        except ApiError:
            return True
        return int(document["spec"].get("replicas", 0)) != scale.replicas

    def who_set(self, scale: Scale, ref: TargetRef) -> tuple[Setter, str]:
        """Say who set the replicas last, as far as managedFields tell, and what would end it."""
        try:
            metadata = self._api.get(scale.path, accept=METADATA_ONLY)["metadata"]
        except ApiError:
            return SOMEONE, ""
        setter = last_setter(metadata.get("managedFields") or [], "replicas")
        group = ref.api_version.rpartition("/")[0]
        return setter, advice(setter, metadata, group, ref.kind, "/spec/replicas")

    def _plural(self, group: str, ref: TargetRef) -> str:
        key = (ref.api_version, ref.kind)
        if key not in self._plurals:
            resources = self._api.get(group)["resources"]
            names = {r["name"]: r["kind"] for r in resources}
            plural = next((n for n, kind in names.items() if kind == ref.kind and "/" not in n), "")
            if f"{plural}/scale" not in names:
                problem = "has no scale subresource" if plural else "is unknown to this cluster"
                raise TargetError("TargetNotScalable", f"{ref.api_version} {ref.kind} {problem}")
            self._plurals[key] = plural
        return self._plurals[key]


def _group(ref: TargetRef) -> str:
    return f"/apis/{ref.api_version}" if "/" in ref.api_version else "/api/v1"


def _path(group: str, namespace: str, plural: str, name: str) -> str:
    return f"{group}/namespaces/{namespace}/{plural}/{name}"


def _generation_of(document: Document) -> Generation | None:
    metadata = document["metadata"]
    # A kind that counts no generations tells nothing by them.
    number = metadata.get("generation")
    return None if number is None else Generation(metadata["uid"], int(number))


def _target_error(error: ApiError, what: str) -> TargetError:
    if error.status == HTTPStatus.NOT_FOUND:
        return TargetError("TargetNotFound", f"{what} does not exist")
    if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return TargetError(
            "TargetForbidden",
            f"{what} may not be scaled: {error}; grant it, in the chart by scalableKinds",
        )
    if error.unreachable:
        return TargetError("ApiServerUnreachable", str(error))
    return TargetError("TargetRefused", f"{what}: {error}")

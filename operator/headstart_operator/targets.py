"""The scale subresource of a workload. Every call blocks: call it from a thread."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from headstart_operator.kube import JSON_PATCH, METADATA_ONLY, Api, ApiError
from headstart_operator.managers import SOMEONE, Setter, advice, last_setter

if TYPE_CHECKING:
    from headstart_operator.resource import TargetRef


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


class Targets:
    """Workloads of any kind that has a scale subresource."""

    def __init__(self, api: Api) -> None:
        self._api = api
        # Group, version and kind -> plural. Plurals do not change while a kind exists.
        self._plurals: dict[tuple[str, str], str] = {}

    def read(self, namespace: str, ref: TargetRef) -> Scale:
        """Read a workload's scale.

        Raises
        ------
        TargetError
            There is none, it has no scale, it may not be read, or the API server is away.
        """
        what = f"{ref.kind} {namespace}/{ref.name}"
        try:
            group = f"/apis/{ref.api_version}" if "/" in ref.api_version else "/api/v1"
            plural = self._plural(group, ref)
            path = f"{group}/namespaces/{namespace}/{plural}/{ref.name}"
            scale = self._api.get(f"{path}/scale")
        except ApiError as error:
            raise _target_error(error, what) from error
        return Scale(
            path=path,
            uid=scale["metadata"].get("uid", ""),
            # The API server leaves a zero out.
            replicas=int(scale.get("spec", {}).get("replicas", 0)),
            selector=scale.get("status", {}).get("selector", ""),
        )

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
            if error.status in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
                raise TargetChangedError(str(error)) from error
            raise _target_error(error, scale.path) from error

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

"""Trained policies, from the package or from ConfigMaps.

Every call blocks: call it from a thread.
"""

from __future__ import annotations

import base64
import binascii
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.kube import METADATA_ONLY, Api, ApiError, Document
from headstart_policy import artifact
from headstart_policy.artifact import ArtifactError

if TYPE_CHECKING:
    from headstart_operator.resource import ArtifactRef, ConfigMapRef
    from headstart_policy.artifact import Policy

# How old a look at a ConfigMap may be, s. A look costs its metadata; its content is read again
# only when it has changed.
LOOK_EVERY = 10.0


class _Held(NamedTuple):
    looked: float
    version: str
    content: Document


class Artifacts:
    """Artefacts by reference, read once and again when they change."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._maps: dict[tuple[str, str], _Held] = {}
        self._parsed: dict[tuple[str, str, str, str], Policy] = {}

    def read(self, namespace: str, ref: ArtifactRef, now: float) -> Policy:
        """Read the artefact that ``ref`` names.

        Raises
        ------
        ArtifactError
            It is missing, or is not a policy that this version can serve.
        """
        if ref.config_map is None:
            policy = artifact.builtin(ref.builtin or "default")
        else:
            policy = self._from_config_map(namespace, ref.config_map, now)
        if ref.digest is not None and policy.digest != ref.digest:
            raise ArtifactError(
                f"artefact has digest {policy.digest}, spec.policy.digest pins {ref.digest}"
            )
        return policy

    def _from_config_map(self, namespace: str, ref: ConfigMapRef, now: float) -> Policy:
        what = f"ConfigMap {namespace}/{ref.name}"
        try:
            held = self._look(namespace, ref.name, now)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise ArtifactError(f"{what} does not exist") from error
            raise ArtifactError(f"{what} cannot be read: {error}") from error
        key = (namespace, ref.name, ref.key, held.version)
        if key not in self._parsed:
            policy = _parse(held.content, what, ref.key)
            with self._lock:
                stale = [k for k in self._parsed if k[:3] == key[:3]]
                for k in stale:
                    del self._parsed[k]
                self._parsed[key] = policy
        return self._parsed[key]

    def _look(self, namespace: str, name: str, now: float) -> _Held:
        held = self._maps.get((namespace, name))
        if held is not None and now - held.looked < LOOK_EVERY:
            return held
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        version = self._api.get(path, accept=METADATA_ONLY)["metadata"]["resourceVersion"]
        if held is None or held.version != version:
            content = self._api.get(path)
            held = _Held(now, content["metadata"]["resourceVersion"], content)
        held = held._replace(looked=now)
        self._maps[namespace, name] = held
        return held


def _parse(content: Document, what: str, key: str) -> Policy:
    encoded = content.get("binaryData", {}).get(key)
    if encoded is None:
        where = "data" if key in content.get("data", {}) else "neither data nor binaryData"
        raise ArtifactError(f"{what} has {key!r} in {where}, it must be in binaryData")
    try:
        return artifact.parse(base64.b64decode(encoded, validate=True))
    except binascii.Error as error:
        raise ArtifactError(f"{what} has no base64 in {key!r}: {error}") from error
    except ArtifactError as error:
        raise ArtifactError(f"{what}, key {key!r}: {error}") from error

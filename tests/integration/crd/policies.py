"""Policies to try on the API server, and the way to it."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import kubernetes.client as k8s
import yaml

MANIFESTS: Final = Path(__file__).parents[3] / "manifests"
CRD: Final = MANIFESTS / "crd" / "scalingpolicies.headstart.dev.yaml"
SAMPLES: Final = sorted((MANIFESTS / "samples").glob("*.yaml"))

_VERSION: Final = ("headstart.dev", "v1alpha1")
_PLURAL: Final = "scalingpolicies"

DELETE: Final = object()
"""Value for ``changed`` that removes the key."""


def sample(name: str) -> dict[str, Any]:
    """Sample policy that people are given, by the name of its file."""
    policy: dict[str, Any] = yaml.safe_load((MANIFESTS / "samples" / f"{name}.yaml").read_text())
    return policy


def changed(policy: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """Copy of a policy with another value at a dotted key; parents are made as needed."""
    copy = deepcopy(policy)
    *parents, last = key.split(".")
    node = copy
    for parent in parents:
        node = node.setdefault(parent, {})
    if value is DELETE:
        del node[last]
    else:
        node[last] = deepcopy(value)
    return copy


def as_json(policy: dict[str, Any]) -> str:
    """Policy as kubectl takes it on standard input."""
    return json.dumps(policy)


class Policies:
    """ScalingPolicies of one API server, as its clients see them."""

    def __init__(self, api: k8s.ApiClient) -> None:
        """Reach them through this client."""
        self._api = k8s.CustomObjectsApi(api)

    def get(self, namespace: str, name: str) -> Any:
        """Read one."""
        return self._api.get_namespaced_custom_object(*_VERSION, namespace, _PLURAL, name)

    def get_scale(self, namespace: str, name: str) -> Any:
        """Read the scale subresource of one."""
        return self._api.get_namespaced_custom_object_scale(*_VERSION, namespace, _PLURAL, name)

    def create(self, namespace: str, policy: dict[str, Any], *, dry_run: bool = False) -> Any:
        """Create one; unknown fields are refused."""
        return self._api.create_namespaced_custom_object(
            *_VERSION,
            namespace,
            _PLURAL,
            policy,
            dry_run="All" if dry_run else None,
            field_validation="Strict",
        )

    def patch(self, namespace: str, name: str, change: dict[str, Any]) -> Any:
        """Patch one as people do."""
        return self._api.patch_namespaced_custom_object(
            *_VERSION, namespace, _PLURAL, name, change, field_validation="Strict"
        )

    def patch_status(self, namespace: str, name: str, change: dict[str, Any]) -> Any:
        """Patch one through its status subresource."""
        return self._api.patch_namespaced_custom_object_status(
            *_VERSION, namespace, _PLURAL, name, change, field_validation="Strict"
        )

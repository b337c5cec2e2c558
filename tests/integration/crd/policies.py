"""Policies to try on the API server, and the way to it."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    import httpx

MANIFESTS: Final = Path(__file__).parents[3] / "manifests"
CRD: Final = MANIFESTS / "crd" / "scalingpolicies.headstart.dev.yaml"
SAMPLES: Final = sorted((MANIFESTS / "samples").glob("*.yaml"))


class _Delete:
    """Its name is the same in every process: tests are named after it."""

    def __repr__(self) -> str:
        return "(none)"


DELETE: Final = _Delete()
"""Value for ``changed`` that removes the key."""


def sample(name: str) -> dict[str, Any]:
    """Sample policy that people are given, by the name of its file."""
    documents = yaml.safe_load_all((MANIFESTS / "samples" / f"{name}.yaml").read_text())
    # Some bring the workload or its HPA along.
    policies = (one for one in documents if one["kind"] == "ScalingPolicy")
    policy: dict[str, Any] = next(policies)
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


class RefusedError(RuntimeError):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP status beside the message."""
        super().__init__(message)
        self.status = status
        self.message = message


class Policies:
    """ScalingPolicies of one API server, as its clients see them; unknown fields are refused."""

    def __init__(self, client: httpx.Client) -> None:
        """Reach them through this client."""
        self._client = client

    def get(self, namespace: str, name: str, subresource: str = "") -> Any:
        """Read one, or a subresource of it."""
        return self._request("GET", f"{namespace}/scalingpolicies/{name}/{subresource}".rstrip("/"))

    def create(self, namespace: str, policy: dict[str, Any], *, dry_run: bool = False) -> Any:
        """Create one, or only ask whether it could be."""
        options = {"dryRun": "All"} if dry_run else {}
        return self._request("POST", f"{namespace}/scalingpolicies", policy, options)

    def patch(
        self, namespace: str, name: str, change: dict[str, Any], subresource: str = ""
    ) -> Any:
        """Merge a change into one, or through a subresource of it."""
        path = f"{namespace}/scalingpolicies/{name}/{subresource}".rstrip("/")
        return self._request("PATCH", path, change)

    def _request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        options: dict[str, str] | None = None,
    ) -> Any:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = self._client.request(
            method,
            f"/apis/headstart.dev/v1alpha1/namespaces/{path}",
            params={"fieldValidation": "Strict", **(options or {})},
            headers={"Content-Type": kind},
            content=None if body is None else json.dumps(body),
        )
        if answer.is_success:
            return answer.json()
        raise RefusedError(answer.status_code, answer.json()["message"])

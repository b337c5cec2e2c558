"""The Kubernetes API as plain JSON: the objects of a test look as its manifests do."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import httpx

from tests.cluster.processes import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CORE = "/api/v1"
APPS = "/apis/apps/v1"

_TIMEOUT_SECONDS = 30.0
_READY_SECONDS = 1.0


class ApiError(ClusterError):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP status beside the message."""
        super().__init__(message)
        self.status = status


class Api:
    """Requests to one API server with one token; every method returns the answer's JSON.

    Paths are the API's own, as ``/apis/apps/v1/namespaces/shop/deployments/checkout``. Every method
    raises ``ApiError`` when the server refuses, and ``httpx.TransportError`` when it is not there.
    """

    def __init__(self, server: str, ca: Path, token: str) -> None:
        """Open a client of ``server``, whose certificate ``ca`` must verify."""
        self._client = httpx.Client(
            base_url=server,
            verify=ssl.create_default_context(cafile=str(ca)),
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_SECONDS,
            # A proxy or a certificate bundle in the environment is not meant for this server.
            trust_env=False,
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def is_ready(self) -> bool:
        """Whether the server takes requests."""
        # Short: on a port that was lost, somebody may listen who never answers.
        return self._client.get("/readyz", timeout=_READY_SECONDS).is_success

    def get(self, path: str, **parameters: str) -> Any:
        """Read an object or a list; ``parameters`` as ``labelSelector``."""
        return self._request("GET", path, params=parameters)

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create an object in the collection at ``path``."""
        return self._request("POST", path, json=dict(body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Merge ``body`` into an object; lists are merged by their keys where they have one."""
        header = {"Content-Type": "application/strategic-merge-patch+json"}
        return self._request("PATCH", path, json=dict(body), headers=header)

    def delete(self, path: str) -> Any:
        """Delete an object, or ask for it: what is in a namespace goes in the background."""
        return self._request("DELETE", path)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        answer = self._client.request(method, path, **options)
        if not answer.is_success:
            # Where the kind itself is unknown, the answer is plain text.
            raise ApiError(
                answer.status_code, f"{method} {path}: {answer.status_code} {answer.text}"
            )
        return answer.json()

"""The chart, what it renders and what a token may do."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.cluster import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster

ROOT: Final = Path(__file__).parents[3]
CHART: Final = ROOT / "charts" / "headstart"
NAMESPACE: Final = "headstart-system"


def objects(text: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Objects of a YAML stream by kind, namespace and name."""
    documents = [document for document in yaml.safe_load_all(text) if document]
    found = {
        (d["kind"], d["metadata"].get("namespace", ""), d["metadata"]["name"]): d for d in documents
    }
    assert len(found) == len(documents)
    return found


@contextmanager
def identity(cluster: Cluster, namespace: str, service_account: str) -> Iterator[Api]:
    """Talk to the API server as a ServiceAccount."""
    api = Api(cluster.server, cluster.ca, cluster.token_for(namespace, service_account))
    try:
        yield api
    finally:
        api.close()


def may(api: Api, verb: str, resource: str, namespace: str) -> bool:
    """Whether whoever ``api`` talks as has a right in a namespace, or in all if it is empty.

    ``resource`` is ``kinds.group``, ``kinds.group/subresource`` or ``kinds.group:name``.
    """
    kinds, _, name = resource.partition(":")
    kinds, _, subresource = kinds.partition("/")
    kinds, _, group = kinds.partition(".")
    asked = {
        "verb": verb,
        "group": group,
        "resource": kinds,
        "subresource": subresource,
        "name": name,
        "namespace": namespace,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    answer = api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer["status"]["allowed"])

"""The chart, what it renders and what a token may do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.cluster import ClusterError

if TYPE_CHECKING:
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


def may(cluster: Cluster, kubeconfig: Path, verb: str, resource: str, namespace: str) -> bool:
    """Whether the owner of a kubeconfig has a right.

    ``resource`` is ``kinds``, ``kinds/subresource`` or ``kinds:name``, of one object.
    """
    name, _, subresource = resource.partition("/")
    name = name.replace(":", "/")
    try:
        answer = cluster.kubectl(
            *(f"--kubeconfig={kubeconfig}", "auth", "can-i", verb, name),
            *(f"--subresource={subresource}", f"--namespace={namespace}"),
        ).stdout
    except ClusterError as error:  # It ends with 1 when the answer is no.
        answer = str(error)
    said = answer.split()[-1]
    assert said in {"yes", "no"}, answer
    return said == "yes"

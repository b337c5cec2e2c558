"""The user's own HorizontalPodAutoscaler, out of a file or out of the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

KIND = "HorizontalPodAutoscaler"


def read_autoscaler(
    where: str, kubeconfig: Path | None = None, context: str | None = None
) -> Document:
    """Read an HPA.

    Parameters
    ----------
    where
        A YAML or JSON file, which may hold other objects too; or ``NAMESPACE/NAME``.
    kubeconfig, context
        Of the cluster; ``None``: what kubectl would take.

    Raises
    ------
    ValueError
        It is neither, the file holds no HPA or several, or the cluster cannot give it.
    """
    file = Path(where)
    if file.is_file():
        return _in_file(file)
    namespace, slash, name = where.partition("/")
    if not (namespace and slash and name) or "/" in name or file.suffix in {".yaml", ".yml"}:
        raise ValueError(f"--hpa = {where!r}, must be a file that is there, or NAMESPACE/NAME")
    # The kubernetes client takes half a second to load.
    from headstart_training.cluster import Cluster  # noqa: PLC0415

    return Cluster(kubeconfig, context).autoscaler(namespace, name)


def _in_file(file: Path) -> Document:
    try:
        documents = [one for one in yaml.safe_load_all(file.read_text()) if isinstance(one, dict)]
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    found = [one for one in documents if one.get("kind") == KIND]
    if len(found) != 1:
        kinds = ", ".join(str(one.get("kind")) for one in documents) or "nothing"
        raise ValueError(f"{file} holds {kinds}; exactly one {KIND} must be in it")
    return found[0]

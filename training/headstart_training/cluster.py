"""What is read from a cluster, as plain JSON; nothing here writes to it."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import urllib3
import yaml
from kubernetes import client, config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Document = dict[str, Any]

_TIMEOUT = 10.0
# The client takes a file's shape on trust: what is something else fails where it is looked into.
_NO_KUBECONFIG = (AttributeError, OSError, TypeError, ValueError, yaml.YAMLError)


class ClusterError(ValueError):
    """The cluster cannot be reached, or has not what is asked for; the message says which."""


class Cluster:
    """A reader of one cluster.

    Parameters
    ----------
    kubeconfig
        ``None``: what ``KUBECONFIG`` names, or ``~/.kube/config``.
    context
        Of the kubeconfig; ``None``: its current one.

    Raises
    ------
    ClusterError
        There is no usable kubeconfig.
    """

    def __init__(self, kubeconfig: Path | None = None, context: str | None = None) -> None:
        configuration = client.Configuration()
        file = str(kubeconfig) if kubeconfig else None
        try:
            config.load_kube_config(file, context, client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (config.ConfigException, *_NO_KUBECONFIG) as error:
            named = file or os.environ.get("KUBECONFIG", "~/.kube/config")
            raise ClusterError(
                f"{named} is no usable kubeconfig: {error}; set KUBECONFIG or --kubeconfig"
            ) from error
        # A person waits: an unreachable server is said at once, not after three more attempts.
        configuration.retries = False
        self._api = client.ApiClient(configuration)

    def autoscaler(self, namespace: str, name: str) -> Document:
        """Read an autoscaling/v2 HorizontalPodAutoscaler.

        Raises
        ------
        ClusterError
            It does not exist (the message names those that do), or cannot be read.
        """
        api = client.AutoscalingV2Api(self._api)
        found = self._read(api.read_namespaced_horizontal_pod_autoscaler, name, namespace)
        if found is None:
            there = self._read(api.list_namespaced_horizontal_pod_autoscaler, namespace) or {}
            names = ", ".join(one["metadata"]["name"] for one in there.get("items", [])) or "none"
            raise ClusterError(
                f"HorizontalPodAutoscaler {namespace}/{name} does not exist; in that namespace"
                f" there are: {names}"
            )
        return found

    def scaled_object(self, namespace: str, name: str) -> Document | None:
        """Read KEDA's ScaledObject, ``None`` where there is none.

        Raises
        ------
        ClusterError
            It cannot be read.
        """
        read = client.CustomObjectsApi(self._api).get_namespaced_custom_object
        return self._read(read, "keda.sh", "v1alpha1", namespace, "scaledobjects", name)

    def _read(self, read: Callable[..., Any], *arguments: str) -> Document | None:
        """Call the client, and give what it found the API's own names, ``None`` for nothing."""
        try:
            found = read(*arguments, _request_timeout=_TIMEOUT)
        except client.ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise ClusterError(f"{' '.join(arguments)}: {error.status} {error.reason}") from error
        except urllib3.exceptions.HTTPError as error:
            raise ClusterError(f"the API server cannot be reached: {error}") from error
        document: Document = self._api.sanitize_for_serialization(found)  # type: ignore[no-untyped-call]
        return document

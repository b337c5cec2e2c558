"""Policies and their events, as the person who asks may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click
from kubernetes import config

from headstart_operator.handlers import GROUP, PLURAL, VERSION
from headstart_operator.kube import Api, ApiError, read_kubeconfig

if TYPE_CHECKING:
    from pathlib import Path

    from headstart_operator.kube import Document


class Event(NamedTuple):
    """What Kubernetes kept of something that happened."""

    time: str
    """Last seen, RFC 3339."""
    times: int
    kind: str
    """``Normal`` or ``Warning``."""
    reason: str
    message: str


def connect(kubeconfig: Path | None, context: str | None) -> Api:
    """Connect as kubectl does.

    Raises
    ------
    click.ClickException
        There is no kubeconfig, or no such context in it.
    """
    try:
        return Api(read_kubeconfig(kubeconfig, context))
    except config.ConfigException as error:
        raise click.ClickException(
            f"no cluster: {error}; set KUBECONFIG or --kubeconfig"
        ) from error


def read_policy(api: Api, namespace: str, name: str) -> Document:
    """Read one policy.

    Raises
    ------
    click.ClickException
        There is none, or it may not be read.
    """
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}/{name}"
    return _get(api, path, f"ScalingPolicy {namespace}/{name}")


def list_policies(api: Api, namespace: str | None) -> list[Document]:
    """List the policies of a namespace, or of all, by namespace and name.

    Raises
    ------
    click.ClickException
        They may not be listed.
    """
    where = f"/namespaces/{namespace}" if namespace else ""
    found = _get(api, f"/apis/{GROUP}/{VERSION}{where}/{PLURAL}", "ScalingPolicies")
    return sorted(found["items"], key=lambda p: (p["metadata"]["namespace"], p["metadata"]["name"]))


def list_events(api: Api, policy: Document) -> list[Event]:
    """List what happened to a policy, newest first; nothing where events may not be read."""
    metadata = policy["metadata"]
    try:
        found = api.get(
            f"/api/v1/namespaces/{metadata['namespace']}/events",
            fieldSelector=f"involvedObject.uid={metadata['uid']}",
        )
    except ApiError:
        return []
    events = [
        Event(
            time=event.get("lastTimestamp") or event["metadata"]["creationTimestamp"],
            times=int(event.get("count") or 1),
            kind=event.get("type", ""),
            reason=event.get("reason", ""),
            message=event.get("message", ""),
        )
        for event in found["items"]
    ]
    return sorted(events, reverse=True)


def _get(api: Api, path: str, what: str) -> Document:
    try:
        return api.get(path)
    except ApiError as error:
        raise click.ClickException(f"{what}: {error}") from error

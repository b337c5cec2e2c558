"""`headstart selftest`: what `helm test` runs, to see whether an installed operator works."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import click
from kubernetes.client import ApiClient, CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError

from headstart_operator.handlers import GROUP, VERSION
from headstart_operator.kube import Api

if TYPE_CHECKING:
    from headstart_operator.kube import Document

PLURAL = "scalingpolicies"
# Seconds between two looks at the policy.
PAUSE = 0.5


@click.command()
@click.option("--namespace", required=True, metavar="NAME", help="A namespace that is watched.")
@click.option(
    "--name",
    required=True,
    help="Of a Deployment in it, and of the policy, which is deleted at the end.",
)
@click.option(
    "--within",
    default=45.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the operator may take.",
)
def selftest(namespace: str, name: str, within: float) -> None:
    """Create a policy that observes a Deployment, and wait until it is Ready.

    It asks Prometheus for a constant: what answers is the operator's own, by the way that policies
    take. A policy that does not become Ready stays, to be looked at.
    """
    try:
        policies = Policies(namespace, name)
        policies.delete()
        policies.create()
        message = policies.wait(time.monotonic() + within)
        policies.delete()
    except ConfigException as error:
        raise click.ClickException(
            f"there is no cluster: {error}; run inside of one, or set KUBECONFIG"
        ) from error
    except (ApiException, HTTPError) as error:
        raise click.ClickException(f"the API server refused: {error}") from error
    click.echo(message)


class Policies:
    """The one policy of the test."""

    def __init__(self, namespace: str, name: str) -> None:
        self._namespace = namespace
        self._name = name
        self._api = CustomObjectsApi(ApiClient(Api.connect().configuration))
        self._kind = (GROUP, VERSION, namespace, PLURAL)

    def create(self) -> None:
        """Create it."""
        body = manifest(self._namespace, self._name)
        self._api.create_namespaced_custom_object(*self._kind, body)

    def delete(self) -> None:
        """Delete it, if there is one."""
        try:
            self._api.delete_namespaced_custom_object(*self._kind, self._name)
        except ApiException as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def wait(self, until: float) -> str:
        """Wait for Ready and return what it said; ``until`` is a monotonic time, s.

        Raises
        ------
        click.ClickException
            It did not come in time.
        """
        while True:
            policy: Any = self._api.get_namespaced_custom_object(*self._kind, self._name)
            ready, message = verdict(policy)
            if ready:
                return message
            if time.monotonic() > until:
                raise click.ClickException(message)
            time.sleep(PAUSE)


def manifest(namespace: str, name: str) -> Document:
    """Policy that observes the Deployment of its name."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ScalingPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": "headstart-test"},
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "mode": "Observe",
            # The Deployment sleeps: a test needs neither an image nor room for it.
            "minReplicas": 0,
            "maxReplicas": 1,
            "scaleToZero": {"activationRate": 1000},
            "interval": "2s",
            "leadTime": {"default": "1m"},
            "rate": {"prometheus": {"query": "vector(1)"}},
            "capacity": {"requestsPerSecond": 1},
        },
    }


def verdict(policy: dict[str, Any]) -> tuple[bool, str]:
    """Whether a policy is Ready, and what to tell of it."""
    status = policy.get("status") or {}
    what = f"{policy['metadata']['namespace']}/{policy['metadata']['name']}"
    for condition in status.get("conditions") or ():
        if condition["type"] != "Ready":
            continue
        said = f"{condition['reason']}: {condition['message']}"
        if condition["status"] == "True":
            return True, f"{what} is Ready. {said}"
        return False, f"{what} is not Ready. {said}"
    return False, (
        f"{what} has no condition Ready: no operator has seen it. Does one run, lead, and watch "
        f"this namespace?"
    )

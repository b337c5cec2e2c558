"""`headstart operator`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Any

import click
from kubernetes.config import ConfigException

from headstart_operator import main
from headstart_operator.handlers import GROUP, VERSION
from headstart_operator.kube import Api, ApiError
from headstart_operator.leadership.election_flags import election_flags, rules
from headstart_operator.leadership.fence import Fence
from headstart_operator.reporting import logs
from headstart_operator.settings import Settings
from headstart_operator.sources.credentials import CredentialFiles
from headstart_operator.sources.pool import check

LEVELS = ["debug", "info", "warning", "error"]
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--prometheus-address",
    metavar="URL",
    help="Prometheus for policies that name none, such as http://prometheus.monitoring:9090.",
)
@click.option(
    "--prometheus-bearer-token-file", type=_FILE, metavar="FILE", help="Its bearer token."
)
@click.option("--prometheus-basic-auth-file", type=_FILE, metavar="FILE", help="Its user:password.")
@click.option(
    "--prometheus-ca-file", type=_FILE, metavar="FILE", help="The CA that signed its certificate."
)
@click.option(
    "--prometheus-client-certificate-file",
    type=_FILE,
    metavar="FILE",
    help="The operator's certificate for mutual TLS.",
)
@click.option(
    "--prometheus-client-key-file", type=_FILE, metavar="FILE", help="That certificate's key."
)
@click.option(
    "--prometheus-header",
    "prometheus_headers",
    multiple=True,
    metavar="NAME=VALUE",
    help="A header for it, such as X-Scope-OrgID=shop; may be repeated. No place for secrets.",
)
@click.option(
    "--allow-prometheus",
    "allowed",
    multiple=True,
    metavar="URL",
    help="An address, with all paths under it, that policies may name; may be repeated. "
    "Default: --prometheus-address alone.",
)
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="Serve the policies of this namespace; may be repeated. Default: all namespaces.",
)
@click.option(
    "--listen",
    default="0.0.0.0:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /metrics, /healthz and /readyz are served.",
)
@click.option(
    "--log-format", type=click.Choice(["json", "text"]), default="text", show_default=True
)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append every decision, and what it rested on, to FILE as JSON lines.",
)
@click.option(
    "--stop-configmap",
    default=Settings.stop_config_map,
    show_default=True,
    metavar="NAME",
    help="While a ConfigMap of this name is in the operator's namespace (POD_NAMESPACE), nothing "
    "is scaled.",
)
@election_flags
def operator(
    prometheus_address: str | None,
    prometheus_bearer_token_file: Path | None,
    prometheus_basic_auth_file: Path | None,
    prometheus_ca_file: Path | None,
    prometheus_client_certificate_file: Path | None,
    prometheus_client_key_file: Path | None,
    prometheus_headers: tuple[str, ...],
    allowed: tuple[str, ...],
    namespaces: tuple[str, ...],
    listen: str,
    log_format: str,
    log_level: str,
    record: Path | None,
    stop_configmap: str,
    **election: Any,
) -> None:
    """Run the operator.

    Uses the pod's ServiceAccount, or outside of a cluster the kubeconfig that KUBECONFIG names.
    """
    logs.set_up(log_format, log_level)
    host, port = _split(listen)
    settings = Settings(
        prometheus_address=prometheus_address,
        prometheus_credentials=CredentialFiles(
            bearer_token=prometheus_bearer_token_file,
            basic_auth=prometheus_basic_auth_file,
            ca=prometheus_ca_file,
            client_certificate=prometheus_client_certificate_file,
            client_key=prometheus_client_key_file,
        ),
        prometheus_headers=tuple(_pair(entry) for entry in prometheus_headers),
        allowed_addresses=allowed,
        namespaces=namespaces,
        host=host,
        port=port,
        record=record,
        pod=os.environ.get("POD_NAME", "headstart"),
        election=rules(**election),
        pod_namespace=os.environ.get("POD_NAMESPACE"),
        stop_config_map=stop_configmap,
    )
    try:
        check(settings)
    except ValueError as error:
        raise click.ClickException(f"Prometheus: {error}") from error
    try:
        api = Api.connect(Fence(settings.election.renew_deadline) if settings.election else None)
        api.get(f"/apis/{GROUP}/{VERSION}")
    except ConfigException as error:
        raise click.ClickException(
            f"there is no cluster: {error}; run inside of one, or set KUBECONFIG"
        ) from error
    except ApiError as error:
        if not error.unreachable:
            raise click.ClickException(
                f"the cluster does not serve {GROUP}/{VERSION}: {error}; apply manifests/crd"
            ) from error
        # Whoever ends now is started again more and more slowly.
        logging.getLogger(__name__).warning("%s: waiting for it", error)
    status = 0
    try:
        asyncio.run(main.run(api, settings))
    except Exception:
        logging.getLogger(__name__).exception("the operator failed")
        status = 1
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Python would wait for threads that wait for a Prometheus that does not answer.
    os._exit(status)


def _pair(entry: str) -> tuple[str, str]:
    name, _, value = entry.partition("=")
    return name, value


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        raise click.BadParameter(f"{listen!r}, must be HOST:PORT", param_hint="--listen")
    return host or "0.0.0.0", int(port)  # noqa: S104 - ":8080" means everywhere.

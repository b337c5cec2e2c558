"""`headstart operator`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import click
from kubernetes.config import ConfigException

from headstart_operator import logs, main
from headstart_operator.handlers import GROUP, VERSION
from headstart_operator.kube import Api, ApiError
from headstart_operator.settings import Settings

LEVELS = ["debug", "info", "warning", "error"]


@click.command()
@click.option(
    "--prometheus-address",
    metavar="URL",
    help="Prometheus for policies that name none, such as http://prometheus.monitoring:9090.",
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
def operator(
    prometheus_address: str | None,
    namespaces: tuple[str, ...],
    listen: str,
    log_format: str,
    log_level: str,
    record: Path | None,
) -> None:
    """Run the operator.

    Uses the pod's ServiceAccount, or outside of a cluster the kubeconfig that KUBECONFIG names.
    """
    logs.set_up(log_format, log_level)
    host, port = _split(listen)
    settings = Settings(
        prometheus_address=prometheus_address,
        namespaces=namespaces,
        host=host,
        port=port,
        record=record,
        pod=os.environ.get("POD_NAME", "headstart"),
    )
    try:
        api = Api.connect()
        api.get(f"/apis/{GROUP}/{VERSION}")
    except ConfigException as error:
        raise click.ClickException(
            f"there is no cluster: {error}; run inside of one, or set KUBECONFIG"
        ) from error
    except ApiError as error:
        raise click.ClickException(
            f"the cluster does not serve {GROUP}/{VERSION}: {error}; apply manifests/crd"
        ) from error
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


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        raise click.BadParameter(f"{listen!r}, must be HOST:PORT", param_hint="--listen")
    return host or "0.0.0.0", int(port)  # noqa: S104 - ":8080" means everywhere.

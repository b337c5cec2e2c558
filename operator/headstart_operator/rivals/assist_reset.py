"""`headstart assist-reset`: puts back floors that mode Assist raised and nobody prolongs."""

from __future__ import annotations

import time

import click
from kubernetes.config import ConfigException

from headstart_operator.kube import Api, ApiError
from headstart_operator.reporting.status import format_time
from headstart_operator.rivals import assist
from headstart_operator.rivals.autoscalers import EVERYWHERE, Autoscaler, read_places


@click.command("assist-reset")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="Look at the HPAs of this namespace; may be repeated. Default: all namespaces.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also those that are still good, as when Headstart is uninstalled.",
)
def assist_reset(namespaces: tuple[str, ...], *, everything: bool) -> None:
    """Put back the minReplicas of HPAs whose raised floor has expired.

    A living operator prolongs the floors that it raised; those of a dead one expire within five
    minutes. Run it from time to time (the chart has a CronJob for it), or by hand. Uses the pod's
    ServiceAccount, or outside of a cluster the kubeconfig that KUBECONFIG names.
    """
    try:
        api = Api.connect()
    except ConfigException as error:
        raise click.ClickException(
            f"there is no cluster: {error}; run inside of one, or set KUBECONFIG"
        ) from error
    failed = 0
    for place, found in read_places(api, namespaces or (EVERYWHERE,)).items():
        if isinstance(found, ApiError):
            where = f" in {place}" if place else ""
            click.echo(f"HorizontalPodAutoscalers{where} cannot be listed: {found}", err=True)
            failed += 1
        else:
            failed += sum(not _reset(api, hpa, everything=everything) for hpa in found)
    if failed:
        raise click.ClickException(f"{failed} could not be put back or listed: run it again")


def _reset(api: Api, hpa: Autoscaler, *, everything: bool) -> bool:
    """Put one back where it is time; whether all is well."""
    note = assist.read(hpa)
    if note is None:
        return True
    what = f"{hpa.target.namespace} {hpa}"
    now = time.time()
    if not everything and assist.care(note, now, claimed=None) is not assist.Care.RESTORE:
        click.echo(f"{what}: minReplicas = {hpa.least} is good until {format_time(note.until)}")
        return True
    step = assist.restored(hpa)
    try:
        assist.write(api, hpa, step)
    except (assist.HpaChangedError, assist.HpaError) as error:
        click.echo(f"{what}: {error}", err=True)
        return False
    click.echo(f"{what}: minReplicas {hpa.least} -> {step.least}")
    return True

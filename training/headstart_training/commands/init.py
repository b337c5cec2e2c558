"""`headstart init`: the ScalingPolicy that stands beside an HPA, and the steps to hand over."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headstart_training.commands.console import errors_as_messages
from headstart_training.commands.files import OUTPUT_FILE

if TYPE_CHECKING:
    from headstart_training.beside_hpa import Draft

# Both directions: an HPA that may still shrink takes back what Headstart adds ahead of the load.
_ASLEEP = (
    '{"spec":{"behavior":{"scaleUp":{"selectPolicy":"Disabled"},'
    '"scaleDown":{"selectPolicy":"Disabled"}}}}'
)


@click.command()
@click.option("--from-hpa", required=True, metavar="NAMESPACE/NAME", help="The HPA to stand by.")
@click.option("--query", help="PromQL of the requests/s that arrive, where you know it.")
@click.option(
    "--capacity", type=click.FloatRange(1e-3, 1e9), help="Requests/s that one replica serves."
)
@click.option("--address", help="Of the Prometheus, as the operator sees it.  [the operator's own]")
@click.option("--kubeconfig", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--context", help="Of the kubeconfig.")
@click.option("--out", type=OUTPUT_FILE, help="File.  [NAME-scalingpolicy.yaml]")
def init(
    from_hpa: str,
    query: str | None,
    capacity: float | None,
    address: str | None,
    kubeconfig: Path | None,
    context: str | None,
    out: Path | None,
) -> None:
    """Write the ScalingPolicy that stands beside an HPA and touches nothing (mode Observe)."""
    from headstart_training.beside_hpa import draft
    from headstart_training.cluster import Cluster
    from headstart_training.manifest import to_yaml

    namespace, slash, name = from_hpa.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise click.UsageError(f"--from-hpa = {from_hpa!r}, must be NAMESPACE/NAME")
    with errors_as_messages():
        cluster = Cluster(kubeconfig, context)
        made = draft(
            cluster.autoscaler(namespace, name),
            query=query,
            capacity=capacity,
            address=address,
            scaled_object=partial(cluster.scaled_object, namespace),
        )
        file = out or Path(f"{made.document['metadata']['name']}-scalingpolicy.yaml")
        if file.exists():
            raise ValueError(f"{file} exists: choose another --out")
        file.write_text(to_yaml([made.document], made.comments))
    click.echo(_steps(made, name, file))


def _steps(made: Draft, hpa: str, file: Path) -> str:
    """Say what to do from here to mode Auto, and back."""
    metadata, spec = made.document["metadata"], made.document["spec"]
    name, there = metadata["name"], f"-n {metadata['namespace']}"
    query = shlex.quote(spec["rate"]["prometheus"]["query"] or "QUERY")
    blanks = "".join(f"\n     - {key}" for key in made.blanks)
    fill = f"Fill in what the HPA does not tell:{blanks}" if blanks else "Look it through"
    return f"""Wrote {file}

  1. {fill}
  2. Let it observe; it touches nothing:
       kubectl apply -f {file}
       kubectl {there} get scalingpolicy {name}
  3. See on your history what it would have done, against this HPA:
       headstart backtest --prometheus URL --query {query} --days 14 \\
         --hpa {metadata["namespace"]}/{hpa}
  4. If you like, let it raise the HPA's minReplicas ahead of the load; the HPA goes on scaling:
       kubectl {there} patch scalingpolicy {name} --type=merge -p '{{"spec":{{"mode":"Assist"}}}}'
  5. After two weeks, when it knows your days and weeks and its decisions convince you, put the
     HPA to sleep (or delete it: beside one that is awake, mode Auto touches nothing) and hand over:
       kubectl {there} patch hpa {hpa} --type=merge -p '{_ASLEEP}'
       kubectl {there} patch scalingpolicy {name} --type=merge -p '{{"spec":{{"mode":"Auto"}}}}'
  6. To go back: mode Observe, and selectPolicy Max (or what you had) in the HPA's behavior."""

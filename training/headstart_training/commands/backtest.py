"""`headstart backtest`: what Headstart would have done on a recorded load, and what it is worth."""
# ruff: noqa: PLC0415  # The command imports what it needs when it runs.

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from headstart_training.commands.assumptions import assumptions, to_setting
from headstart_training.commands.console import COLUMNS, console, errors_as_messages
from headstart_training.commands.files import OUTPUT_FILE, read_policy
from headstart_training.commands.recordings import recordings, to_history

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from headstart_policy.artifact import Policy
    from headstart_training.backtest.judgement import Judgement
    from headstart_training.backtest.manifests import Manifest
    from headstart_training.backtest.setting import Setting
    from headstart_training.backtest.subjects import Subject
    from headstart_training.backtest.summary import Record
    from headstart_training.baselines.hpa import HPA

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("traces", nargs=-1, metavar="[CSV]...", type=_FILE)
@recordings
@click.option("--namespace", help="Of the workload; with --prometheus it is looked for there.")
@click.option("--target", metavar="[KIND/]NAME", help="The workload.  [Deployment/NAME]")
@click.option("--address", help="Of the Prometheus, as the operator sees it.  [the operator's own]")
@click.option("--sli", help="PromQL of the share of good requests, to propose a capacity from.")
@assumptions
@click.option(
    "--hpa", metavar="FILE|NAMESPACE/NAME", help="Your own HPA, to compare with: hpa_current."
)
@click.option("--kubeconfig", type=_FILE, help="To read the HPA by.")
@click.option("--context", help="Of the kubeconfig.")
@click.option("--policy", type=_FILE, help="Policy file to judge.  [the shipped default]")
@click.option("--json", "json_file", type=OUTPUT_FILE, help="Write all figures.")
@click.option("--html", "html_file", type=OUTPUT_FILE, help="Write one self-contained page.")
@click.option(
    "--manifest", "manifest_file", type=OUTPUT_FILE, help="Write the ScalingPolicy to apply."
)
def backtest(
    traces: tuple[Path, ...],
    json_file: Path | None,
    html_file: Path | None,
    manifest_file: Path | None,
    policy: Path | None,
    **options: Any,
) -> None:
    """Replay a recorded load: Headstart, every baseline tuned to it, and the best possible.

    The load is one CSV file or more, each a service, with a column of times and one of requests;
    or what a Prometheus has of a query. The first half of each tunes the baselines, the second half
    judges everybody. It ends with the ScalingPolicy to apply, which only observes.
    """
    from headstart_policy.artifact import builtin
    from headstart_training.backtest.page.render import render
    from headstart_training.backtest.report import document
    from headstart_training.backtest.summary import records

    _require_one_source(traces, options)
    began = time.monotonic()
    shown = console()
    with errors_as_messages(), Progress(*COLUMNS, transient=True, console=shown) as bar:
        served, artifact = (builtin(), None) if policy is None else read_policy(policy)
        subjects = _subjects(bar, traces, options)
        # Before anything is played: what cannot be applied is not worth the wait.
        manifests = _manifests(subjects, artifact, manifest_file, options)
        judgements = _judge(bar, subjects, served, options)
    found = records([judgement.contest for judgement in judgements])
    _show(shown, judgements, found)
    if json_file:
        elapsed = time.monotonic() - began
        facts = document(judgements, found, policy=served.digest, elapsed=elapsed)
        json_file.write_text(json.dumps(facts, indent=2) + "\n")
    if html_file:
        html_file.write_text(render(judgements, found, manifests, served.digest), encoding="utf-8")
    if manifest_file:
        manifest_file.write_text("---\n".join(one.text for one in manifests))
        click.echo(f"Next: {manifests[0].command}")
    elif len(manifests) == 1:
        click.echo(manifests[0].text)
    else:
        click.echo("--manifest FILE writes the ScalingPolicies to apply.")


def _require_one_source(traces: tuple[Path, ...], options: dict[str, Any]) -> None:
    if bool(traces) == bool(options["prometheus"]):
        raise click.UsageError("Give either CSV files or --prometheus.")
    if options["target"] and len(traces) > 1:
        raise click.UsageError("--target is one workload, and these are several files.")
    if options["prometheus"] and not options["target"]:
        raise click.UsageError("Give --target with --prometheus: the workload that it is about.")
    if options["sli"] and not options["namespace"]:
        raise click.UsageError("--sli needs --namespace: whose replicas to look at.")


def _subjects(bar: Progress, traces: tuple[Path, ...], options: dict[str, Any]) -> list[Subject]:
    """Read the files, or download the history."""
    from headstart_training.backtest.subjects import from_csv

    names = ("capacity", "lead_time", "slo", "replica_cost", "request_value", "violation_cost")
    setting = to_setting(**{name: options[name] for name in names})
    if options["prometheus"]:
        ctx = click.get_current_context()
        given = {
            name
            for name in names
            if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
        }
        return [_download(bar, setting, given, options)]
    files: dict[str, Path] = {}
    for file in traces:
        name = file.name.split(".")[0]
        if name in files:
            raise ValueError(f"{files[name]} and {file} would both be called {name}: rename one")
        files[name] = file
    return [from_csv(file, name, setting) for name, file in files.items()]


def _download(bar: Progress, setting: Setting, given: set[str], options: dict[str, Any]) -> Subject:
    from headstart_training.backtest.subjects import from_prometheus
    from headstart_training.loads.discovery import Quality, Workload
    from headstart_training.manifest import to_target

    asked = ("prometheus", "query", "days", "token", "ca_file")
    history = to_history(**{name: options[name] for name in asked})
    target, namespace, sli = to_target(options["target"]), options["namespace"], options["sli"]
    task = bar.add_task("downloading", total=None)
    subject = from_prometheus(
        history,
        target.name,
        setting,
        given=given,
        workload=Workload(namespace, target.name, target.kind) if namespace else None,
        quality=Quality(sli, at_least=setting.objective.slo) if sli else None,
        heard=lambda done, total: bar.update(task, completed=done, total=total),
        looked=lambda what: bar.update(task, description=f"looking for {what}"),
    )
    bar.remove_task(task)
    return subject


def _judge(
    bar: Progress, subjects: Sequence[Subject], policy: Policy, options: dict[str, Any]
) -> list[Judgement]:
    from headstart_training.backtest.judgement import judge, stages

    current = _current(options)
    hpas = [current(setting.profile(service).capacity) for service, setting in subjects]
    total = sum(stages(one.service, hpa) for one, hpa in zip(subjects, hpas, strict=True))
    task = bar.add_task("tuning", total=total)
    made = []
    for (service, setting), hpa in zip(subjects, hpas, strict=True):
        made.append(
            judge(
                service,
                setting,
                policy,
                hpa,
                lambda what: bar.update(task, advance=1, description=what),
            )
        )
    return made


def _current(options: dict[str, Any]) -> Callable[[float], HPA | None]:
    """Read the user's HPA, to be played on replicas of a given capacity."""
    if options["hpa"] is None:
        return lambda _: None
    from headstart_training.backtest.autoscalers import read_autoscaler
    from headstart_training.baselines.hpa_manifest import from_manifest

    document = read_autoscaler(options["hpa"], options["kubeconfig"], options["context"])
    return lambda capacity: from_manifest(document, capacity)


def _manifests(
    subjects: Sequence[Subject], artifact: bytes | None, file: Path | None, options: dict[str, Any]
) -> list[Manifest]:
    from headstart_training.backtest.manifests import manifest
    from headstart_training.manifest import Source, to_target

    return [
        manifest(
            service,
            setting.profile(service),
            target=to_target(options["target"]) if options["target"] else None,
            source=Source(options["query"], options["address"]),
            namespace=options["namespace"],
            artifact=artifact,
            assumed=setting.capacity is None,
            file=str(file) if file else None,
        )
        for service, setting in subjects
    ]


def _show(shown: Console, judgements: Sequence[Judgement], found: dict[str, Record]) -> None:
    from headstart_training.backtest.summary import gain
    from headstart_training.backtest.table import remarks, service_table, summary_table
    from headstart_training.backtest.words import headline

    for judgement in judgements:
        shown.print(service_table(judgement.contest))
        for line in remarks(judgement):
            shown.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(judgements) > 1:
        shown.print(summary_table(found, len(judgements)))
    said = headline(judgements, gain([judgement.contest for judgement in judgements]))
    shown.print(f"\n{said.sentence} {said.certainty}\n", markup=False, highlight=False)

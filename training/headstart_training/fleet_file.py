"""A fleet's file: a YAML list with an entry for each service, in the words of a ScalingPolicy.

::

    - name: checkout
      csv: history/checkout.csv            # seen from this file; or, for the same query:
      # prometheus: {address: "http://localhost:9090", days: 14}
      namespace: shop
      target: Deployment/checkout          # default: a Deployment of that name
      query: sum(rate(http_requests_total{app="checkout"}[1m]))
      address: http://prometheus:9090      # as the operator sees it; default: its own
      capacity: 5                          # requests/s per replica
      leadTime: 5m
      objective: {slo: 99.5, replicaCostPerHour: 3, violationCostPerMinute: 200}
      minReplicas: 2
      maxReplicas: 60
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml
from kubernetes.utils.duration import parse_duration

from headstart_policy.guardrails import Guardrails
from headstart_policy.profile import Objective, Profile
from headstart_training.backtest.services import LEAST_INTERVAL
from headstart_training.backtest.setting import Setting
from headstart_training.loads.pages import default_folder
from headstart_training.loads.prometheus import PrometheusHistory, window
from headstart_training.loads.session import Access
from headstart_training.manifest import MOST_REPLICAS, Source, to_object_name, to_target
from headstart_training.service_training import CsvHistory, Job

if TYPE_CHECKING:
    from pathlib import Path

    from headstart_training.service_training import History

_TEXTS = ("name", "csv", "namespace", "target", "query", "address", "leadTime")
_NUMBERS = ("capacity",)
_COUNTS = ("minReplicas", "maxReplicas")
_KEYS = (*_TEXTS, *_NUMBERS, *_COUNTS, "objective", "prometheus")
_PROMETHEUS = ("address", "days")
# The seed's economics, as a ScalingPolicy has them by default.
_OBJECTIVE = {
    "slo": 99.5,
    "replicaCostPerHour": 3.0,
    "valuePerThousandRequests": 0.9,
    "violationCostPerMinute": 200.0,
}


class FleetError(ValueError):
    """The file is no list of services; the message names entry, key and value."""


def read_fleet(path: Path) -> list[Job]:
    """Read a fleet's file; all of it is checked before any service is trained for.

    Raises
    ------
    FleetError
        It is no list of services, or one of them cannot be meant so.
    OSError
        The file, or a CSV file that it names, cannot be read.
    """
    try:
        entries = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise FleetError(f"{path} is no YAML: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise FleetError(f"{path} must be a YAML list with an entry for each service")
    jobs = [
        _to_job(f"{path}, entry {number}", entry, path.parent)
        for number, entry in enumerate(entries, start=1)
    ]
    names = [job.name for job in jobs]
    for name in names:
        if names.count(name) > 1:
            raise FleetError(f"{path}: name = {name!r} is there twice; each has its own folder")
    return jobs


def _to_job(where: str, entry: Any, folder: Path) -> Job:
    _require_keys(where, entry)
    name = entry["name"]
    where = f"{where} ({name})"
    try:
        job = Job(
            name=name,
            history=_history(where, entry, folder),
            target=to_target(entry.get("target", to_object_name(name))),
            source=Source(entry.get("query", ""), entry.get("address")),
            setting=Setting(
                _objective(where, entry.get("objective", {})),
                parse_duration(entry.get("leadTime", "5m")).total_seconds(),
                entry.get("capacity"),
            ),
            namespace=entry.get("namespace"),
            min_replicas=entry.get("minReplicas", 1),
            max_replicas=entry.get("maxReplicas"),
        )
        _require_bounds(job)
    except FleetError:
        raise
    except ValueError as error:
        raise FleetError(f"{where}: {error}") from error
    return job


def _require_bounds(job: Job) -> None:
    """Refuse now what training would stumble over, when others have had their turn."""
    setting = job.setting
    anything = 1.0 if setting.capacity is None else setting.capacity
    Profile(anything, setting.lead_time, LEAST_INTERVAL, setting.objective, seasons=())
    Guardrails(MOST_REPLICAS if job.max_replicas is None else job.max_replicas, job.min_replicas)


def _history(where: str, entry: dict[str, Any], folder: Path) -> History:
    if "csv" in entry:
        return CsvHistory.of(folder / entry["csv"])
    source = entry["prometheus"]
    _require_mapping(f"{where}: prometheus", source, _PROMETHEUS)
    address, days = source.get("address"), source.get("days", 14)
    _require(f"{where}: prometheus.address", address, (str,), "a text")
    _require(f"{where}: prometheus.days", days, (int, float), "a number")
    # Secrets do not belong in a file of services.
    token = os.environ.get("HEADSTART_PROMETHEUS_TOKEN")
    recorded = window(datetime.now(UTC), days)
    return PrometheusHistory(Access(address, token), entry["query"], recorded, default_folder())


def _objective(where: str, given: Any) -> Objective:
    _require_mapping(f"{where}: objective", given, tuple(_OBJECTIVE))
    for key, value in given.items():
        _require(f"{where}: objective.{key}", value, (int, float), "a number")
    goal = {**_OBJECTIVE, **given}
    if not 0 < goal["slo"] < 100:  # noqa: PLR2004 - percent.
        raise FleetError(f"{where}: objective.slo = {goal['slo']}, must be in (0, 100) percent")
    return Objective(
        slo=goal["slo"] / 100,
        replica_cost=goal["replicaCostPerHour"],
        request_value=goal["valuePerThousandRequests"],
        violation_cost=goal["violationCostPerMinute"],
    )


def _require_keys(where: str, entry: Any) -> None:
    _require_mapping(where, entry, _KEYS)
    if "name" not in entry:
        raise FleetError(f"{where}: name is missing")
    if ("csv" in entry) == ("prometheus" in entry):
        raise FleetError(f"{where}: must have exactly one of csv and prometheus")
    if "prometheus" in entry and "query" not in entry:
        raise FleetError(f"{where}: query is missing: what to read from prometheus")
    for keys, kinds, what in (
        (_TEXTS, (str,), "a text"),
        (_NUMBERS, (int, float), "a number"),
        (_COUNTS, (int,), "a whole number"),
    ):
        for key in set(keys) & set(entry):
            _require(f"{where}: {key}", entry[key], kinds, what)
    if not to_object_name(entry["name"]) or "/" in entry["name"]:
        raise FleetError(f"{where}: name = {entry['name']!r}, must be able to name a folder")


def _require_mapping(where: str, value: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(value, dict):
        raise FleetError(f"{where} must be a mapping, is {value!r}")
    for key in value:
        if key not in keys:
            raise FleetError(f"{where} has the unknown key {key!r}; there are {', '.join(keys)}")


def _require(where: str, value: Any, kinds: tuple[type, ...], what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise FleetError(f"{where} = {value!r}, must be {what}")

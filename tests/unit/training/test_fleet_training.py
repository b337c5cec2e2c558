"""A fleet on a real Ray of this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from headstart_cli.main import main
from headstart_training.fleet_file import FleetError, read_fleet
from tests.unit.training.histories import write_history

if TYPE_CHECKING:
    from pathlib import Path

FLEET = """
- name: checkout
  csv: checkout.csv
  query: sum(rate(requests_total[1m]))
  capacity: 5
  leadTime: 15m
  objective: {slo: 99.9, replicaCostPerHour: 0.4}
- {name: broken, csv: broken.csv}
- {name: search, csv: search.csv, maxReplicas: 60, target: StatefulSet/search, namespace: shop}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Provide a file of three services, the second of which has no readable history."""
    write_history(tmp_path / "checkout.csv")
    write_history(tmp_path / "search.csv", per_second=5)
    (tmp_path / "broken.csv").write_text("minute,requests\n0,5\n1,many\n")
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET)
    return file


def test_a_file_says_what_a_policy_says(fleet: Path) -> None:
    checkout, broken, search = read_fleet(fleet)
    assert checkout.setting.capacity == 5
    assert checkout.setting.lead_time == 900
    assert checkout.setting.objective.slo == pytest.approx(0.999)
    assert checkout.setting.objective.replica_cost == 0.4
    assert checkout.setting.objective.violation_cost == 200
    assert checkout.source.query == "sum(rate(requests_total[1m]))"
    assert (broken.target.kind, broken.target.name) == ("Deployment", "broken")
    assert (search.target.kind, search.namespace, search.max_replicas) == (
        "StatefulSet",
        "shop",
        60,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "is no YAML"),
        ("", "must be a YAML list with an entry for each service"),
        ("name: checkout", "must be a YAML list"),
        ("- checkout", "entry 1 must be a mapping, is 'checkout'"),
        ("- {csv: a.csv}", "entry 1: name is missing"),
        ("- {name: a}", "entry 1: must have exactly one of csv and prometheus"),
        ("- {name: a, csv: a.csv, prometheus: {}}", "exactly one of csv and prometheus"),
        ("- {name: a, prometheus: {}}", "query is missing"),
        ("- {name: a, query: up, prometheus: {}}", "prometheus.address = None, must be a text"),
        (
            "- {name: a, query: up, prometheus: {address: 'localhost:9090'}}",
            "address = 'localhost:9090', must be like http://",
        ),
        ("- {name: a, csv: a.csv, capcity: 5}", "has the unknown key 'capcity'; there are name"),
        ("- {name: a, csv: a.csv, capacity: five}", "capacity = 'five', must be a number"),
        ("- {name: a, csv: a.csv, minReplicas: 1.5}", "minReplicas = 1.5, must be a whole"),
        ("- {name: a, csv: a.csv, leadTime: 5}", "leadTime = 5, must be a text"),
        ("- {name: a, csv: a.csv, leadTime: 0s}", "(a): lead_time = 0, must be greater than 0"),
        ("- {name: a, csv: a.csv, capacity: -5}", "(a): capacity = -5, must be greater than 0"),
        ("- {name: a, csv: a.csv, capacity: .nan}", "(a): capacity = nan, must be finite"),
        ("- {name: a, csv: a.csv, minReplicas: -1}", "(a): minReplicas = -1, must be in [0, "),
        (
            "- {name: a, csv: a.csv, minReplicas: 10, maxReplicas: 3}",
            "(a): minReplicas = 10, must be in [0, 3]",
        ),
        ("- {name: a, csv: a.csv, maxReplicas: 0}", "(a): minReplicas = 1, must be in [0, 0]"),
        ("- {name: a, csv: a.csv, leadTime: soon}", "(a): Invalid duration format: soon"),
        (
            "- {name: a, csv: a.csv, objective: {slo: 100}}",
            "objective.slo = 100, must be in (0, 100) percent",
        ),
        ("- {name: a, csv: a.csv, objective: {sla: 99}}", "has the unknown key 'sla'"),
        ("- {name: a/b, csv: a.csv}", "must be able to name a folder"),
        ("- {name: a, csv: a.csv}\n- {name: a, csv: a.csv}", "name = 'a' is there twice"),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_trained(
    tmp_path: Path, text: str, message: str
) -> None:
    write_history(tmp_path / "a.csv")
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    with pytest.raises(FleetError) as refused:
        read_fleet(file)
    assert message in str(refused.value)


def test_a_missing_ray_is_named(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blocked import stands for a package that is not installed."""
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "headstart_training.fleet_training", raising=False)
    result = CliRunner().invoke(main, ["train", "fleet", str(fleet)])
    assert result.exit_code == 1
    assert "needs ray: install it with `pip install 'headstart[fleet]'`" in result.output


def test_one_that_fails_for_good_stops_nobody_else(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="fleets need Ray: pip install 'headstart[fleet]'")
    # Two CPUs are what Ray shall think there are, here as on a larger machine.
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", '{"CPU": 2}')
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["train", "--fleet", str(fleet), "--out", str(out)])
    assert result.exit_code == 1, result.output
    assert sorted(path.name for path in out.iterdir()) == ["checkout", "search"]
    for name in ("checkout", "search"):
        files = {path.name for path in (out / name).iterdir()}
        assert files == {"policy.safetensors", "manifest.yaml", "card.md", "plot.png"}
    assert "broken: broken.csv: line 3" in result.output
    assert "FAILED" in result.output
    assert "2 of 3 services" in result.output

"""The alert rules: each fires, names metrics that exist, and has a page that says what to do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from headstart_operator.reporting.metrics import Metrics
from tests.cluster import binaries

ROOT: Final = Path(__file__).parents[3]
RULES: Final = ROOT / "manifests" / "monitoring" / "alerts.yaml"
CASES: Final = Path(__file__).with_name("alerts_test.yaml")
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
CRD: Final = ROOT / "manifests" / "crd" / "scalingpolicies.headstart.dev.yaml"
# As the exposition format names the parts of a counter and a histogram.
PARTS: Final = ("", "_total", "_bucket", "_count", "_sum")


def _rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def _promtool(*arguments: str | Path) -> None:
    program = binaries.ensure()["promtool"]
    answer = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.usefixtures("programs")
def test_promtool_finds_nothing_to_mend() -> None:
    """Neither in the syntax nor in what it knows of bad style."""
    _promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


@pytest.mark.usefixtures("programs")
def test_each_alert_fires_and_a_moment_earlier_does_not() -> None:
    """With promtool's own tests."""
    cases = yaml.safe_load(CASES.read_text())["tests"]
    checks = [check for case in cases for check in case["alert_rule_test"]]
    for wanted in (True, False):
        tested = {check["alertname"] for check in checks if bool(check["exp_alerts"]) is wanted}
        assert tested == set(_rules())
    _promtool("test", "rules", CASES)


@pytest.mark.parametrize("name", list(_rules()))
def test_each_alert_has_a_runbook_and_speaks_of_what_there_is(name: str) -> None:
    """A metric that was renamed, or a condition, would leave an alert that never fires."""
    rule = _rules()[name]
    page = rule["annotations"]["runbook_url"]
    assert page == f"docs/runbooks/{name}.md"
    assert (ROOT / page).read_text().startswith(f"# {name} ({rule['labels']['severity']})\n")
    known = {metric.name + part for metric in Metrics().registry.collect() for part in PARTS}
    assert set(re.findall(r"headstart_\w+", rule["expr"])) <= known
    for condition in re.findall(r'type="(\w+)"', rule["expr"]):
        assert condition in CRD.read_text()


def test_no_page_is_left_without_its_alert() -> None:
    """And the index has all."""
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == set(_rules())
    listed = re.findall(r"^\| \[(\w+)\]", (RUNBOOKS / "README.md").read_text(), re.MULTILINE)
    assert listed == list(_rules())

"""`headstart backtest` on CSV files: what is shown and written, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from headstart_cli.main import main
from headstart_operator.resource import Spec
from tests.unit.training.histories import write_history

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def backtest(*arguments: object) -> Result:
    """Call the command as a shell does."""
    return CliRunner().invoke(main, ["backtest", *map(str, arguments)])


def said(result: Result) -> str:
    """What was shown, whatever the width of the terminal."""
    return " ".join(result.output.split())


def test_one_history_is_a_table_a_verdict_and_a_manifest(tmp_path: Path) -> None:
    history = write_history(tmp_path / "Shop_API.csv")
    result = backtest(history, "--json", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    assert "Shop_API: 1.5 test days, coarse" in result.output
    assert "so it is ASSUMED: 3." in result.output
    assert "On this load" in result.output
    # One and a half days of nobody's tuning: their spread is unknown.
    assert "over 1.5 test days; that is too short to say how sure it is" in said(result)
    assert "Gain over hpa_tuned a day if a replica serves 20 % less" in said(result)
    _, _, manifest = result.output.partition("# Made by `headstart backtest`")
    document = yaml.safe_load("#" + manifest)
    assert document["metadata"]["name"] == "shop-api"
    document["spec"]["rate"]["prometheus"]["query"] = "up"
    assert Spec.parse(document["spec"]).lead_time.default == 300
    assert json.loads((tmp_path / "out.json").read_text())["services"][0]["class"] == "coarse"


def test_the_same_history_gives_the_same_figures(tmp_path: Path) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        assert backtest(history, "--json", file).exit_code == 0
    one, two = (json.loads(file.read_text()) | {"elapsed_seconds": 0} for file in files)
    assert one == two


def test_several_histories_are_summed_up(tmp_path: Path) -> None:
    histories = [
        write_history(tmp_path / f"{name}.csv", days=2, per_second=size)
        for name, size in (("small", 6.0), ("large", 60.0))
    ]
    out, page = tmp_path / "all.yaml", tmp_path / "page.html"
    result = backtest(
        *histories, "--manifest", out, "--html", page, "--capacity", 2, "--lead-time", "15m"
    )
    assert result.exit_code == 0, result.output
    assert "2 services" in result.output
    assert "On 2 services" in said(result)
    assert "Capacity: 2 requests/s per replica" in said(result)
    names = [one["metadata"]["name"] for one in yaml.safe_load_all(out.read_text())]
    assert names == ["small", "large"]
    assert "<title>On 2 services" in page.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--slo", "100"], "100.0 is not in the range 0<x<100"),
        (["--replica-cost", "0"], "replica_cost = 0, must be greater than 0"),
        (["--violation-cost", "-1"], "violation_cost = -1, must be at least 0"),
        (["--capacity", "0"], "capacity = 0, must be greater than 0"),
        (["--lead-time", "5"], "must be a duration such as 90s, 5m or 1h30m"),
        (["--prometheus", "http://x"], "Give either CSV files or --prometheus"),
        (["--sli", "up"], "--sli needs --namespace"),
        (["--hpa", "checkout.yaml"], "must be a file that is there, or NAMESPACE/NAME"),
        (["--target", "Shop_API"], "must be the name of a workload"),
    ],
)
def test_bad_options_are_refused_by_name(tmp_path: Path, options: list[str], message: str) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    result = backtest(history, *options)
    assert result.exit_code != 0
    assert message in said(result)
    assert "Traceback" not in result.output


def test_a_service_too_small_for_a_usual_capacity_has_to_be_given_one(tmp_path: Path) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2, per_second=0.01)
    result = backtest(history)
    assert result.exit_code == 1
    assert "checkout: nobody gave a capacity, and with 20 replicas" in said(result)
    assert "must be in [0.001, 1e+09]: say what one serves, --capacity" in said(result)


def test_a_service_that_nobody_trained_for_is_said_to_be_one(tmp_path: Path) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    out, page = tmp_path / "out.json", tmp_path / "page.html"
    result = backtest(history, "--request-value", 1e6, "--json", out, "--html", page)
    assert result.exit_code == 0, result.output
    sentence = "In 100.0% of the second half the service is outside of what the policy was trained"
    assert sentence in said(result)
    assert sentence in page.read_text()
    left = json.loads(out.read_text())["services"][0]["outside_envelope"]
    assert left["share"] == 1.0
    assert left["reason"].startswith("worth = ")


@pytest.mark.parametrize("option", ["--json", "--html", "--manifest"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, option: str
) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    result = backtest(history, option, tmp_path / "missing" / "out")
    assert result.exit_code == 2
    assert f"Folder '{tmp_path / 'missing'}' does not exist: make it first." in said(result)
    assert "test days" not in result.output


def test_a_policy_file_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    result = backtest(history, "--policy", history)
    assert result.exit_code == 1
    assert f"{history}: artefact is not a safetensors file" in said(result)


def test_two_services_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    histories = [write_history(tmp_path / folder / "web.csv", days=2) for folder in (".", "b")]
    result = backtest(*histories)
    assert result.exit_code == 1
    assert "would both be called web: rename one" in said(result)


def test_nothing_to_judge_is_refused() -> None:
    assert "Give either CSV files or --prometheus." in said(backtest())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minute,requests\n0,1\n", "at least 2"),
        ("minute,requests\n0,1\n5,1\n10,-1\n", "requests = -1"),
        ("minute,requests\n" + "\n".join(f"{5 * k},0" for k in range(600)), "are 0 or missing"),
        ("minute,requests\n" + "\n".join(f"{5 * k},9" for k in range(500)), "1.74 days of history"),
    ],
)
def test_bad_histories_are_refused_by_what_is_wrong(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "checkout.csv"
    file.write_text(text)
    result = backtest(file)
    assert result.exit_code == 1
    assert message in said(result)


def test_a_policy_of_another_schema_is_refused(tmp_path: Path) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    file = tmp_path / "policy.safetensors"
    file.write_bytes(b"no policy at all")
    result = backtest(history, "--policy", file)
    assert result.exit_code == 1
    assert "artefact is not a safetensors file" in said(result)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is no YAML"),
        ("kind: Deployment", "holds Deployment; exactly one HorizontalPodAutoscaler"),
        (
            (
                "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n"
                "spec: {maxReplicas: 3, minReplicas: 5}"
            ),
            "spec.maxReplicas = 3, must be at least minReplicas = 5",
        ),
    ],
)
def test_a_bad_hpa_is_refused_by_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    file = tmp_path / "hpa.yaml"
    file.write_text(text)
    result = backtest(history, "--hpa", file)
    assert result.exit_code == 1
    assert message in said(result)


def test_it_needs_no_torch(tmp_path: Path) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    page = tmp_path / "page.html"
    code = (
        "import sys; sys.modules['torch'] = None; from headstart_cli.main import main; "
        f"main(['backtest', {str(history)!r}, '--html', {str(page)!r}])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert page.exists()

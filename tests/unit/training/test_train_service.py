"""`headstart train service`: what is in the folder, and what is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from headstart_cli.main import main
from headstart_operator.resource import Spec
from headstart_policy import artifact
from tests.unit.training.histories import write_history

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

QUERY = "sum(rate(requests_total[1m]))"


def train(*arguments: object) -> Result:
    """Call the command as a shell does."""
    return CliRunner().invoke(main, ["train", "service", *map(str, arguments)])


def manifest_of(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """ConfigMap and ScalingPolicy."""
    held, policy = yaml.safe_load_all((folder / "manifest.yaml").read_text())
    return held, policy


def test_a_folder_holds_all_that_the_cluster_and_a_person_need(tmp_path: Path) -> None:
    history = write_history(tmp_path / "Shop_API.csv")
    folder = tmp_path / "out"
    options = ("--query", QUERY, "--capacity", 5, "--namespace", "shop", "--min-replicas", 3)
    result = train(history, "--out", folder, *options, "--lead-time", "15m", "--slo", 99.9)
    assert result.exit_code == 0, result.output
    assert "Decides by: default: 3 whole days of history, at least 6 are needed" in result.output
    assert f"cd {folder} && kubectl apply -f manifest.yaml" in result.output
    assert "assumed" not in result.output
    content = (folder / "policy.safetensors").read_bytes()
    held, policy = manifest_of(folder)
    spec = Spec.parse(policy["spec"])
    assert policy["metadata"] == {"name": "shop-api", "namespace": "shop"}
    assert spec.scale_target_ref.name == "shop-api"
    assert spec.policy.digest == artifact.parse(content).digest
    assert spec.policy.config_map is not None
    assert held["metadata"]["name"] == spec.policy.config_map.name
    # The recording has a figure every five minutes; the operator looks each minute.
    assert (spec.interval, spec.lead_time.default, spec.objective.slo) == (60, 900, 99.9)
    # 60 requests/s, half as many again at noon, at 5 each; twice that.
    assert (spec.min_replicas, 36 <= spec.max_replicas <= 40) == (3, True)
    card = (folder / "card.md").read_text()
    assert card.startswith("# Shop_API\n")
    assert "Trained on 3.0 days at 300 s, a coarse load." in card
    with Image.open(folder / "plot.png") as plot:
        assert plot.width > 1000


def test_what_is_not_known_is_said_and_cannot_be_applied_by_accident(tmp_path: Path) -> None:
    history = write_history(tmp_path / "checkout.csv")
    result = train(history, "--out", tmp_path / "out", "--target", "StatefulSet/cart")
    assert result.exit_code == 0, result.output
    assert "The capacity is assumed, 20 replicas on average" in result.output
    assert "fill in the query, then cd" in result.output
    text = (tmp_path / "out" / "manifest.yaml").read_text()
    assert "# ASSUMED, such that the history needs 20 replicas on average" in text
    assert "# FILL IN before you apply this" in text
    _, policy = manifest_of(tmp_path / "out")
    assert policy["spec"]["rate"]["prometheus"]["query"] == ""
    assert policy["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--slo", "100"], "100.0 is not in the range 0<x<100"),
        (["--capacity", "0"], "capacity = 0, must be greater than 0"),
        (["--lead-time", "5"], "must be a duration such as 90s, 5m or 1h30m"),
        (["--target", "Shop_API"], "must be the name of a workload"),
        (["--min-replicas", "9", "--max-replicas", "3"], "minReplicas = 9, must be in [0, 3]"),
    ],
)
def test_bad_options_are_refused_by_name(tmp_path: Path, options: list[str], message: str) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    result = train(history, "--out", tmp_path / "out", *options)
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Give either CSV or --prometheus."),
        (["--prometheus", "http://127.0.0.1:9"], "Give --target with --prometheus"),
        (["--prometheus", "http://127.0.0.1:9", "--target", "a"], "--query is missing"),
        (["--prometheus", "p:9", "--target", "a", "--query", "up"], "must be like http://"),
    ],
)
def test_a_history_must_be_named(options: list[str], message: str) -> None:
    result = train(*options)
    assert result.exit_code != 0
    assert message in " ".join(result.output.split())


def test_an_earlier_result_is_kept(tmp_path: Path) -> None:
    history = write_history(tmp_path / "checkout.csv", days=2)
    (tmp_path / "manifest.yaml").write_text("mine")
    result = train(history, "--out", tmp_path)
    assert result.exit_code == 1
    assert "exists: choose another --out" in " ".join(result.output.split())


def test_a_bad_recording_is_refused_with_its_line(tmp_path: Path) -> None:
    history = tmp_path / "checkout.csv"
    history.write_text("minute,requests\n0,5\n1,many\n")
    result = train(history, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "line 3" in result.output

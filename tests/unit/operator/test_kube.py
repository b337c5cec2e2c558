"""Reading how to reach a cluster: what is no kubeconfig is refused by name, wherever it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from kubernetes.config import ConfigException

from headstart_cli.main import main
from headstart_operator.kube import read_kubeconfig

if TYPE_CHECKING:
    from pathlib import Path

NO_KUBECONFIGS = {
    "bytes": b"\x92\xbe\x00",
    "half of a file": b"a: [",
    "a list": b"- 1",
    "a text": b"hello",
    "contexts that are a number": b"current-context: a\ncontexts: 5\nclusters: []\nusers: []\n",
    "nothing in it": b"",
}


@pytest.fixture(params=list(NO_KUBECONFIGS.values()), ids=list(NO_KUBECONFIGS))
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Write what is no kubeconfig."""
    file = tmp_path / "config"
    file.write_bytes(request.param)
    return file


def test_what_is_no_kubeconfig_is_refused(broken: Path) -> None:
    with pytest.raises(ConfigException):
        read_kubeconfig(broken)


@pytest.mark.parametrize("command", [["explain", "shop/web"], ["status"]])
def test_commands_that_ask_a_cluster_refuse_it_in_a_line(broken: Path, command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--kubeconfig", str(broken)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: no cluster: ")
    assert "set KUBECONFIG or --kubeconfig" in result.output


@pytest.mark.parametrize(
    "command", [["init", "--from-hpa", "shop/web"], ["backtest", "--hpa", "shop/web"]]
)
def test_commands_that_read_an_hpa_refuse_it_in_a_line(
    broken: Path, command: list[str], tmp_path: Path
) -> None:
    history = tmp_path / "web.csv"
    history.write_text("minute,requests\n" + "".join(f"{5 * k},9\n" for k in range(600)))
    recording = [str(history)] if command[0] == "backtest" else []
    result = CliRunner().invoke(main, [*command, *recording, "--kubeconfig", str(broken)])
    assert result.exit_code == 1
    assert f"{broken} is no usable kubeconfig: " in " ".join(result.output.split())

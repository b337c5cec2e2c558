"""`headstart` loads what it is asked for, and names the extra that is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from headstart_cli.main import COMMANDS, main


def test_help_lists_every_command_without_importing_it() -> None:
    code = (
        "import sys; from headstart_cli.main import main; main(['--help'], standalone_mode=False); "
        "print(sorted({'torch', 'kopf', 'gymnasium'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in shown.stdout for name in COMMANDS)
    assert shown.stdout.endswith("[]\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_one(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: main {name}")


@pytest.mark.parametrize(("name", "missing"), [("operator", "kopf"), ("train", "gymnasium")])
def test_a_missing_extra_is_named(name: str, missing: str) -> None:
    """Blocked imports stand for packages that are not installed."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None; "
        f"from headstart_cli.main import main; main([{name!r}, '--help'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    extra = COMMANDS[name].extra
    assert f"install it with `pip install 'headstart[{extra}]'`" in result.stderr


def test_the_operator_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['gymnasium'] = None; "
        "from headstart_cli.main import main; main(['operator', '--help'])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert shown.returncode == 0, shown.stderr


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["scale"])
    assert result.exit_code == 2
    assert "No such command 'scale'" in result.output

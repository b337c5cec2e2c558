"""The page of the conditions knows every reason that the operator can give."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from headstart_policy.guardrails import ORDER

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "conditions.md").read_text()
SOURCES = sorted((ROOT / "operator" / "headstart_operator").rglob("*.py"))
# What a reason is given to first.
GIVEN_TO = {"Problem", "Stand", "TargetError"}


def texts(path: Path) -> dict[str, str]:
    """Names that a module gives to texts."""
    named: dict[str, str] = {}
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.Assign):
            continue
        (target,) = node.targets
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for name, value in zip(names, values, strict=False):
            if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                named |= {name.id: value.value} if isinstance(value.value, str) else {}
    return named


def text(node: ast.AST, constants: dict[str, str]) -> str | None:
    """Text of a constant, or of a name that stands for one."""
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.Attribute):
        return constants.get(ast.unparse(node))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_verdict(node: ast.AST) -> bool:
    """Whether it is what a verdict begins with: True, False or None."""
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def reasons(path: Path, everywhere: dict[str, str]) -> set[str]:
    """Reasons in a module: first words of problems, second ones of verdicts, and enumerations."""
    constants = everywhere | texts(path)
    found: set[str | None] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            if node.func.id in GIVEN_TO:
                found.add(text(node.args[0], constants))
        elif isinstance(node, ast.Tuple):
            pairs = pairwise(node.elts)
            found |= {text(two, constants) for one, two in pairs if is_verdict(one)}
        elif isinstance(node, ast.ClassDef) and node.name == "Reason":
            found |= {text(line.value, {}) for line in node.body if isinstance(line, ast.Assign)}
    return {reason for reason in found if reason and reason[0].isupper() and reason.isalpha()}


EVERYWHERE: dict[str, str] = {}
for source in SOURCES:
    named = texts(source)
    EVERYWHERE |= named | {f"{source.stem}.{name}": value for name, value in named.items()}
ALL = sorted({reason for source in SOURCES for reason in reasons(source, EVERYWHERE)})


def test_reasons_are_found() -> None:
    """Or the next test would pass on an empty list."""
    assert {"Deciding", "NoSeries", "TargetNotFound", "Observing", "Demoted"} <= set(ALL)


@pytest.mark.parametrize("reason", ALL)
def test_the_page_explains_a_reason(reason: str) -> None:
    assert f"`{reason}`" in PAGE


@pytest.mark.parametrize("guardrail", ORDER, ids=lambda guardrail: guardrail.__name__)
def test_the_page_names_a_guardrail(guardrail: object) -> None:
    name = str(getattr(guardrail, "__name__", "")).replace("_", "").lower()
    assert name in PAGE.replace("`", "").lower()


def test_the_page_explains_every_condition() -> None:
    crd = yaml.safe_load((ROOT / "manifests/crd/scalingpolicies.headstart.dev.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    types = status["properties"]["conditions"]["items"]["properties"]["type"]["enum"]
    for kind in types:
        assert f"`{kind}`" in PAGE

"""Writes docs/reference.md from the ScalingPolicy's schema: `make docs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
CRD = HERE.parent / "manifests" / "crd" / "scalingpolicies.headstart.dev.yaml"
PAGE = HERE / "reference.md"

HEAD = """# ScalingPolicy

Group `headstart.dev`, version `v1alpha1`, kind `ScalingPolicy`, namespaced, short name `sp`.
`kubectl explain scalingpolicy.spec --recursive` shows the same. Generated from
[the schema](../manifests/crd/scalingpolicies.headstart.dev.yaml) by `make docs`.

Durations are written as `90s`, `5m` or `1h30m`; quantities as Kubernetes writes them: `5`, `"0.5"`,
`500m`, `2k`.
"""


def page(crd: dict[str, Any]) -> str:
    """Write the page: a table of the spec, and one of the status."""
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    parts = [HEAD]
    for part, title in (("spec", "Spec"), ("status", "Status")):
        node = schema["properties"][part]
        parts += [f"\n## {title}\n", f"{_text(node['description'])}\n"]
        parts += ["| field | type | default | meaning |", "|---|---|---|---|"]
        parts += [_row(path, child, required) for path, child, required in _fields(node)]
    return "\n".join(parts) + "\n"


def _fields(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Walk the fields: path, schema, and whether it is required where its parent is."""
    for name, child in node.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, child, name in node.get("required", [])
        yield from _fields(child, below)
        yield from _fields(child.get("items", {}), f"{below}[]")


def _row(path: str, node: dict[str, Any], required: bool) -> str:  # noqa: FBT001
    default = "required" if required else ""
    if "default" in node and node["default"] not in ({}, []):
        default = f"`{_plain(node['default'])}`"
    return f"| `{path}` | {_type(node)} | {default} | {_text(node.get('description', ''))} |"


def _type(node: dict[str, Any]) -> str:
    if node.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    if node.get("format") == "date-time":
        return "instant"
    messages = str(node.get("x-kubernetes-validations", ""))
    if node.get("type") == "string" and "must be a duration" in messages:
        return "duration"
    low, high = node.get("minimum"), node.get("maximum")
    bounds = f", {low} to {high}" if high is not None else (f", {low} or more" if low else "")
    return f"{node.get('type', 'object')}{bounds}"


def _plain(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


def _text(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(yaml.safe_load(CRD.read_text())))

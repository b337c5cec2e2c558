"""What a policy leaves out is filled in, and can be seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration.crd.policies import CRD, as_json, changed, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster
    from tests.integration.crd.policies import Policies

# Groups of things of which each is asked for by its own required parts.
GROUPS = {".spec.rate.prometheus.authentication"}
GOLDEN = Path(__file__).with_name("golden") / "observe.yaml"


def _apply(cluster: Cluster, policies: Policies, namespace: str, policy: dict[str, Any]) -> Any:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=as_json(policy))
    return policies.get(namespace, policy["metadata"]["name"])["spec"]


def test_minimal_policy_gets_the_golden_defaults(
    cluster: Cluster, policies: Policies, namespace: str
) -> None:
    """All of them, on every level, and nothing else."""
    spec = _apply(cluster, policies, namespace, sample("observe"))
    assert spec == yaml.safe_load(GOLDEN.read_text())


@pytest.mark.parametrize("key", ["leadTime", "objective", "guardrails", "guardrails.behavior"])
@pytest.mark.parametrize("empty", [{}, None], ids=["empty", "null"])
def test_empty_parents_get_the_same_defaults(
    cluster: Cluster, policies: Policies, namespace: str, key: str, empty: dict[str, Any] | None
) -> None:
    """`leadTime: {}` and `leadTime:` mean what leaving it out means."""
    spec = _apply(cluster, policies, namespace, changed(sample("observe"), f"spec.{key}", empty))
    assert spec == yaml.safe_load(GOLDEN.read_text())


def test_own_policy_replaces_the_default_one(
    cluster: Cluster, policies: Policies, namespace: str
) -> None:
    """With a default for `builtin` itself, no policy could ever name a ConfigMap."""
    policy = sample("own-policy")
    assert _apply(cluster, policies, namespace, policy)["policy"] == policy["spec"]["policy"]


def _schema() -> dict[str, Any]:
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def _nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Path, schema and whether it is required, of every property."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child, name in schema.get("required", [])
        yield from _nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from _nodes(schema["items"], f"{path}[]")


def test_every_field_is_described() -> None:
    """`kubectl explain` and the reference have something to say about each."""
    silent = [p for p, node, _ in _nodes(_schema()) if not node.get("description", "").strip()]
    assert silent == [".metadata"]


def test_optional_parents_of_defaults_have_a_default() -> None:
    """A default within an object that is absent is never filled in."""
    for path, node, required in _nodes(_schema()):
        has_defaults = any("default" in child for _, child, _ in _nodes(node))
        # What has a required part of its own is there only when it is asked for.
        if has_defaults and "[]" not in path and not node.get("required") and path not in GROUPS:
            assert required or "default" in node, path

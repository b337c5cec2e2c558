"""A world per test module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster import Prometheus, static_target
from tests.integration.operator.exporter import Exporter
from tests.integration.operator.world import ROOT, World, an_artifact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster

CRD = ROOT / "manifests" / "crd" / "scalingpolicies.headstart.dev.yaml"


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Provide a namespace that knows ScalingPolicies and holds an artefact."""
    cluster.apply(CRD.read_text())
    cluster.wait_established("scalingpolicies.headstart.dev")
    with cluster.namespace("operator") as namespace:
        world = World(cluster, namespace, tmp_path_factory.mktemp("operator"))
        world.config_map("constant", an_artifact())
        yield world


@pytest.fixture(scope="module")
def load() -> Iterator[Exporter]:
    """Provide services whose requests are counted."""
    with Exporter() as exporter:
        yield exporter


@pytest.fixture(scope="module")
def monitoring(programs: None, load: Exporter) -> Iterator[Prometheus]:  # noqa: ARG001
    """Provide a Prometheus that scrapes these services each second."""
    with Prometheus([static_target("load", load.address)]) as prometheus:
        yield prometheus

"""Pytest fixtures on the local control plane; a plugin that tests/conftest.py loads."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import binaries
from tests.cluster.control_plane import Cluster
from tests.cluster.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> None:
    """Build what is missing of the control plane, and let the person who waits see it."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else ExitStack():
        binaries.ensure()


@pytest.fixture(scope="session")
def cluster(programs: None) -> Iterator[Cluster]:  # noqa: ARG001 - built before, visibly.
    """Provide the control plane, started once per run."""
    with Cluster() as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Provide a fresh namespace; it goes with what is in it."""
    with cluster.namespace() as name:
        yield name


@pytest.fixture
def prometheus(programs: None) -> Iterator[Callable[..., Prometheus]]:  # noqa: ARG001 - built before.
    """Provide a function that takes what ``Prometheus`` does and starts it for this test."""
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> Prometheus:
            return stack.enter_context(Prometheus(*arguments, **options))

        yield start

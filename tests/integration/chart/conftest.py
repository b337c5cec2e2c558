"""A cluster that nothing of Headstart was installed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def cluster(programs: None) -> Iterator[Cluster]:  # noqa: ARG001 - built before, visibly.
    """Provide a control plane of its own: the chart brings what is there once per cluster."""
    with Cluster() as running:
        yield running

"""A cluster that knows ScalingPolicies."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.crd.policies import CRD, Policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Cluster


@pytest.fixture(scope="package", autouse=True)
def _crd(cluster: Cluster) -> None:
    cluster.apply(CRD.read_text())
    cluster.wait_established("scalingpolicies.headstart.dev")


@pytest.fixture(scope="package")
def policies(cluster: Cluster) -> Iterator[Policies]:
    """ScalingPolicies on that cluster."""
    with httpx.Client(
        base_url=cluster.server,
        verify=ssl.create_default_context(cafile=str(cluster.ca)),
        headers={"Authorization": f"Bearer {cluster.credentials.admin_token}"},
        trust_env=False,
    ) as client:
        yield Policies(client)

"""A cluster that knows ScalingPolicies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.crd.policies import CRD

if TYPE_CHECKING:
    from tests.cluster import Cluster


@pytest.fixture(scope="package", autouse=True)
def _crd(cluster: Cluster) -> None:
    cluster.apply(CRD.read_text())
    cluster.wait_established("scalingpolicies.headstart.dev")

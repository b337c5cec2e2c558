"""What a workload had before is put back only where nobody else has set it since."""

from __future__ import annotations

from typing import Any

import pytest

from headstart_operator.resource import TargetRef
from headstart_operator.rivals.originals import Original, restore
from headstart_operator.workloads.targets import Targets
from tests.unit.operator.test_controller import FakeApi, manager

REF = TargetRef(name="checkout")


@pytest.mark.parametrize(
    ("original", "setter", "before"),
    [
        (Original("d", 2), "headstart", 4),
        # They are as they were.
        (Original("d", 4), "headstart", None),
        # Someone has set them since: theirs is the newer word.
        (Original("d", 2), "kubectl", None),
        # The workload was created again.
        (Original("other", 2), "headstart", None),
    ],
)
def test_what_is_restored(original: Original, setter: str, before: int | None) -> None:
    api = FakeApi()
    api.managers = manager(setter)
    targets = Targets(api)
    assert restore(targets, "shop", REF, original) == before
    targets.stop()
    assert api.scaled() == ([] if before is None else [2])


@pytest.mark.parametrize("document", [None, {"uid": "d", "replicas": 2}])
def test_it_is_remembered(document: Any) -> None:
    original = Original.from_json(document)
    assert (original.to_json() if original else None) == document

"""`headstart selftest`: what it says of a policy."""

from __future__ import annotations

from typing import Any

import pytest

from headstart_operator.resource import Mode, Spec
from headstart_operator.selftest import manifest, verdict


def _policy(*conditions: tuple[str, str]) -> dict[str, Any]:
    found = [
        {"type": kind, "status": status, "reason": "Because", "message": "It is so."}
        for kind, status in conditions
    ]
    return {"metadata": {"namespace": "shop", "name": "test"}, "status": {"conditions": found}}


@pytest.mark.parametrize(
    ("policy", "ready", "said"),
    [
        (_policy(("RateAvailable", "True"), ("Ready", "True")), True, "is Ready. Because: It is"),
        (_policy(("Ready", "False")), False, "shop/test is not Ready. Because: It is so."),
        (_policy(("RateAvailable", "True")), False, "no operator has seen it"),
        ({"metadata": {"namespace": "shop", "name": "test"}}, False, "no operator has seen it"),
    ],
)
def test_verdict_says_why(policy: dict[str, Any], *, ready: bool, said: str) -> None:
    found, message = verdict(policy)
    assert found is ready
    assert said in message


def test_its_policy_is_one_that_only_observes() -> None:
    """Whatever the CRD's defaults become."""
    spec = Spec.model_validate(manifest("shop", "test")["spec"])
    assert spec.mode is Mode.OBSERVE

"""The judges of the fault suite and of the soak: they must see what they are there for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.cluster import ClusterError
from tests.faults.vitals import Trend
from tests.faults.witness import Evidence, Scaling, Tenure

if TYPE_CHECKING:
    from pathlib import Path

TENURES = (Tenure(10.0, "a_1"), Tenure(20.0, "b_1"), Tenure(30.0, ""))


def scaling(time: float, who: str, after: int, *, done: bool = True) -> Scaling:
    return Scaling(time, who, "shop", before=5, after=after, done=done)


@pytest.mark.parametrize(
    ("happened", "verdict"),
    [
        (scaling(15.0, "a", 6), None),
        (scaling(25.0, "b", 12), None),
        (scaling(25.0, "a", 6), "a shop 5 -> 6, while b leads"),
        # Asked for, though refused: the fence did not hold it back.
        (scaling(25.0, "a", 6, done=False), "a shop 5 -> 6, while b leads"),
        (scaling(35.0, "b", 6), "b shop 5 -> 6, while nobody leads"),
        (scaling(5.0, "a", 6), "a shop 5 -> 6, while nobody leads"),
        (scaling(15.0, "a", 4), "a shop 5 -> 4: lowered"),
        # Refused, since someone else had set them: no harm.
        (scaling(15.0, "a", 4, done=False), None),
        (scaling(15.0, "a", 13), "a shop 5 -> 13: above 12"),
    ],
)
def test_what_was_set_wrongly_is_said(happened: Scaling, verdict: str | None) -> None:
    found = Evidence([happened], TENURES).wrong(since=0.0, most=12)
    assert found == ([verdict] if verdict else [])


def test_the_audit_log_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    def event(resource: str, request: Any, code: int = 200, **reference: str) -> str:
        body = {} if request is None else {"requestObject": request}
        return json.dumps(
            {
                "objectRef": {"resource": resource, "namespace": "shop", **reference},
                "requestReceivedTimestamp": "2026-11-23T10:00:00.100000Z",
                "stageTimestamp": "2026-11-23T10:00:00.200000Z",
                "userAgent": "a",
                "responseStatus": {"code": code},
                **body,
            }
        )

    test = {"op": "test", "path": "/spec", "value": {}}
    patch = [test, {"op": "add", "path": "/spec/replicas", "value": 3}]
    lines = [
        event("leases", {"spec": {"holderIdentity": "a_1"}}),
        event("deployments", patch, subresource="scale", name="x"),
        event("leases", {"spec": {}}, namespace="other"),
        event("deployments", None, code=504, subresource="scale", name="never-read"),
        '{"half',
    ]
    log = tmp_path / "audit.jsonl"
    log.write_text("\n".join(lines))
    read = Evidence.read(log, "shop")
    assert [t.holder for t in read.tenures] == ["a_1"]
    (only,) = read.scalings
    assert (only.who, only.target, only.before, only.after, only.done) == ("a", "x", 0, 3, True)

    log.write_text(event("deployments", None, subresource="scale", name="x") + "\n")
    with pytest.raises(ClusterError, match="does not say what was carried out"):
        Evidence.read(log, "shop")


@pytest.mark.parametrize(("leak", "flat"), [(0.0, True), (0.02, True), (0.2, False)])
def test_a_leak_is_told_from_spikes(*, leak: float, flat: bool) -> None:
    dice = np.random.default_rng(3)
    times = np.arange(0.0, 600.0, 5.0)
    spikes = np.where(dice.random(len(times)) < 0.1, 30.0, 0.0)
    # It fills its caches at first.
    held = 90.0 + 10 * np.minimum(times / 120, 1) + leak * times + dice.normal(0, 1, len(times))
    assert Trend.of(list(times), list(held + spikes), allowed=10.0).flat is flat

"""A policy file is refused for what is wrong with it, in words, and never half-read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from headstart_policy import artifact
from headstart_policy.artifact import ArtifactError, dump, parse
from headstart_policy.features import NAMES, SCHEMA
from tests.unit.policy.build import WIDE, a_network

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = dump(a_network(), WIDE, {"seed": 0})
METADATA = {
    "schema": SCHEMA,
    "least_ratio": "0.5",
    "most_ratio": "8.0",
    "envelope": json.dumps({name: [0, 1] for name in WIDE.__dataclass_fields__}),
    "card": "{}",
}


def a_file(tensors: dict[str, Any] | None = None, **metadata: str) -> bytes:
    """Write a file of one linear layer with some things changed."""
    layer = {
        "weight0": np.zeros((len(NAMES), 1), np.float32),
        "bias0": np.zeros(1, np.float32),
    }
    return save({**layer, **(tensors or {})}, metadata={**METADATA, **metadata})


def test_what_is_written_is_read() -> None:
    policy = parse(GOOD)
    network = a_network()
    rows = np.random.default_rng(0).normal(size=(20, len(NAMES)))
    levels = np.full((20, 1), 30.0)
    np.testing.assert_array_equal(
        policy.network.replicas(rows, levels), network.replicas(rows, levels)
    )
    assert policy.envelope == WIDE
    assert policy.card == {"seed": 0}
    assert parse(GOOD, policy.digest).digest == policy.digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: b"", "not a safetensors file"),
        (lambda: GOOD[:-7], "not a safetensors file"),
        (lambda: GOOD[:100], "not a safetensors file"),
        (lambda: b"x" * 2_000_000, "has 2000000 bytes, at most 1000000"),
        (lambda: a_file(schema="features-000000000000"), "has schema 'features-000000000000'"),
        (lambda: a_file(envelope="{}"), "unusable metadata"),
        (lambda: a_file(envelope="[1"), "unusable metadata"),
        (lambda: a_file(least_ratio="9"), r"bounds its ratio by \[9.0, 8.0\]"),
        (lambda: a_file(most_ratio="inf"), r"bounds its ratio by \[0.5, inf\]"),
        (
            lambda: a_file({"bias0": np.full(1, np.nan, np.float32)}),
            "bias0 has values that are not",
        ),
        (lambda: a_file({"weight0": np.zeros((3, 1), np.float32)}), r"shape \(3, 1\), expected"),
        (lambda: a_file({"weight0": np.zeros((0,), np.float32)}), "weight0 has shape"),
        (lambda: a_file({"bias0": np.zeros(5, np.float32)}), r"has layers \[\d+, 5\]"),
        (lambda: a_file({"extra": np.zeros(2, np.float32)}), "has tensors"),
    ],
)
def test_a_bad_file_is_refused(content: Callable[[], bytes], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        parse(content())


def test_another_digest_is_refused() -> None:
    pinned = "sha256:" + "0" * 64
    with pytest.raises(
        ArtifactError, match=f"has digest sha256:[0-9a-f]+, the policy pins {pinned}"
    ):
        parse(GOOD, pinned)


@given(st.data())
def test_a_damaged_file_never_crashes(data: st.DataObject) -> None:
    """Flip, cut or insert bytes: it is refused, or it is a file of finite weights."""
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    try:
        policy = parse(bytes(content))
    except ArtifactError:
        return
    assert np.isfinite(policy.network.replicas(np.ones((1, len(NAMES))), np.ones((1, 4)))).all()


def test_unordered_envelopes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"envelope.demand = \[2.0, 1.0\], must be ordered"):
        replace(WIDE, demand=(2, 1))


def test_an_unknown_builtin_is_named() -> None:
    with pytest.raises(ArtifactError, match="no builtin policy 'nope'"):
        artifact.builtin("nope")


def test_the_same_policy_has_the_same_digest() -> None:
    contents = {artifact.dump(a_network(), WIDE, {"recipe": "x", "seed": 1}) for _ in range(20)}
    assert len(contents) == 1

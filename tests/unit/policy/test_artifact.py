"""A policy file is refused for what is wrong with it, in words, and never half-read."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from headstart_policy import artifact
from headstart_policy.artifact import ArtifactError, dump, parse
from headstart_policy.features import EXTREMES, FORECAST, NAMES, SCHEMA, SCHEMAS, schema_of
from headstart_policy.network import Network
from headstart_policy.selector import BELIEF
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
    "prior": json.dumps(BELIEF.to_json()),
}

ENVELOPE = METADATA["envelope"]
_ONE = np.zeros((1, 1), np.float32)


def _headed(header: bytes) -> bytes:
    """Write a file that is a header alone."""
    return len(header).to_bytes(8, "little") + header


def a_file(tensors: dict[str, Any] | None = None, **metadata: str) -> bytes:
    """Write a file of one linear layer with some things changed."""
    layer = {
        "weight0": np.zeros((len(NAMES), 1), np.float32),
        "bias0": np.zeros(1, np.float32),
    }
    return save({**layer, **(tensors or {})}, metadata={**METADATA, **metadata})


def test_a_policy_from_before_a_column_was_added_looks_at_those_it_knows() -> None:
    known = len(NAMES) - len(FORECAST)
    weight = np.random.default_rng(0).normal(0, 0.02, (known, 1)).astype(np.float32)
    before = schema_of(NAMES[:known])
    policy = parse(a_file({"weight0": weight}, schema=before))
    rows = np.random.default_rng(1).normal(size=(20, len(NAMES)))
    other = rows.copy()
    other[:, known:] += 1.0
    levels = np.full((20, 1), 30.0)
    asked = policy.network.replicas(rows, levels)
    assert len(np.unique(asked)) > 10
    np.testing.assert_array_equal(asked, policy.network.replicas(other, levels))
    again = parse(dump(policy.network, policy.envelope, policy.card))
    np.testing.assert_array_equal(again.network.weights[0], policy.network.weights[0])
    with pytest.raises(ArtifactError, match=r"weight0 has shape \(\d+, 1\)"):
        parse(a_file({"weight0": weight}))


def test_what_can_be_served_is_what_was_ever_shipped() -> None:
    """Columns come last and stay: renaming or moving one would make users' files unreadable."""
    before = len(NAMES) - len(FORECAST)
    assert {
        SCHEMA: len(NAMES),
        "features-ab90b1deeaaa": before,
        "features-cc836fd918b7": before - len(EXTREMES),
    } == SCHEMAS


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


def test_the_selectors_prior_comes_with_the_file() -> None:
    doubtful = replace(BELIEF, lead_times=60.0)
    assert parse(dump(a_network(), WIDE, {}, doubtful)).prior == doubtful


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
        (lambda: a_file(prior="{}"), "unusable metadata: KeyError"),
        (lambda: a_file(prior='{"costs": {"network": 0}}'), "unusable metadata: KeyError"),
        (lambda: a_file(prior='{"costs": {"nobody": 0}}'), "unusable metadata: ValueError"),
        (lambda: a_file(prior="[" * 9999 + "]" * 9999), "unusable metadata: RecursionError"),
        (lambda: a_file(least_ratio="9"), r"bounds its ratio by \[9.0, 8.0\]"),
        (lambda: a_file(most_ratio="inf"), r"bounds its ratio by \[0.5, inf\]"),
        (
            lambda: a_file({"bias0": np.full(1, np.nan, np.float32)}),
            "bias0 has values that are not",
        ),
        (
            # A signalling one, of which numpy would warn.
            lambda: a_file({"bias0": np.array([0x7FA00000], np.uint32).view(np.float32)}),
            "bias0 has values that are not",
        ),
        (lambda: a_file({"weight0": np.zeros((3, 1), np.float32)}), r"shape \(3, 1\), expected"),
        (lambda: a_file({"weight0": np.zeros((0,), np.float32)}), "weight0 has shape"),
        (lambda: a_file({"bias0": np.zeros(10, np.float32)}), r"has layers \[\d+, 10\]"),
        (lambda: a_file({"extra": np.zeros(2, np.float32)}), "has tensors"),
        (lambda: a_file({f"weight{k}": _ONE for k in range(9)}), "of 1 to 8 layers"),
        (lambda: a_file({"bias0": np.zeros(1, np.int64)}), r"tensors of \['int64'\], expected"),
        (lambda: a_file({"bias0": np.zeros(1, np.complex64)}), "artefact"),
        (lambda: a_file({"bias0": np.full(1, 1e7, np.float32)}), "bias0 has values beyond 1e"),
        (lambda: a_file({"bias0": np.zeros(0, np.float32)}), r"has layers \[\d+, 0\]"),
        (lambda: a_file(envelope="[" * 9999 + "]" * 9999), "unusable metadata: RecursionError"),
        (lambda: a_file(card="[" * 9999 + "]" * 9999), "unusable metadata: RecursionError"),
        (lambda: a_file(card="[]"), "the card is no object"),
        (lambda: a_file(schema="x" * 100_000), "^.{,400}$"),
        (lambda: a_file(envelope=json.dumps({"x" * 100_000: 1})), "^.{,400}$"),
        (lambda: a_file(envelope=ENVELOPE.replace("1]", "1e999]")), "must be ordered, finite"),
        (lambda: a_file(envelope=ENVELOPE.replace("1]", "NaN]")), "must be ordered, finite"),
        (lambda: a_file(envelope=ENVELOPE.replace("1]", "9" * 400 + "]")), "OverflowError"),
        (lambda: _headed(b"[" * 5000 + b"]" * 5000), "not a safetensors file"),
        (lambda: _headed(b'{"__metadata__":[]}'), "not a safetensors file"),
        (lambda: (2**63).to_bytes(8, "little") + GOOD[8:], "not a safetensors file"),
        (lambda: b"\x80\x04cos\nsystem\n", "not a safetensors file"),
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


# What stands in a header, and what an attacker would write in its place.
WORDS = st.sampled_from(
    [
        *(
            "F32",
            "F64",
            "F16",
            "BF16",
            "I64",
            "U8",
            "BOOL",
            "C64",
            "shape",
            "data_offsets",
            "dtype",
        ),
        *(
            "weight0",
            "bias0",
            "__metadata__",
            "schema",
            "card",
            "envelope",
            "prior",
            SCHEMA,
            "NaN",
            "1e999",
        ),
    ]
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(data=st.data())
def test_a_header_that_lies_never_crashes(data: st.DataObject) -> None:
    """Sizes, kinds and metadata that are not what the bytes are."""
    length = int.from_bytes(GOOD[:8], "little")
    header = json.loads(GOOD[8 : 8 + length])
    for _ in range(data.draw(st.integers(1, 3))):
        node = header[data.draw(st.sampled_from(sorted(header)))]
        if data.draw(st.booleans()) and isinstance(node, dict) and node:
            node[data.draw(st.sampled_from(sorted(node)))] = data.draw(JSON)
        else:
            header[data.draw(st.sampled_from(sorted(header)))] = data.draw(JSON)
    content = _headed(json.dumps(header).encode()) + GOOD[8 + length :]
    try:
        policy = parse(content)
    except ArtifactError:
        return
    assert np.isfinite(policy.network.replicas(np.ones((1, len(NAMES))), np.ones((1, 4)))).all()


def test_the_largest_weights_stay_numbers() -> None:
    """Layer after layer of the largest that are accepted, and the largest features."""
    largest = artifact.LARGEST_WEIGHT
    widths = [len(NAMES), *[64] * (artifact.MOST_LAYERS - 1), 1]
    network = Network(
        tuple(np.full(shape, largest) for shape in pairwise(widths)),
        tuple(np.full(size, largest) for size in widths[1:]),
        least=0.5,
        most=8.0,
    )
    policy = parse(dump(network, WIDE, {}))
    replicas = policy.network.replicas(np.full((1, len(NAMES)), 1e6), np.ones((1, 4)))
    assert np.isfinite(replicas).all()


@pytest.mark.parametrize("name", ["../default", "/default", "", "x" * 5000, "a\0b", "Default"])
def test_a_builtin_is_no_path(name: str) -> None:
    with pytest.raises(ArtifactError, match="no builtin policy"):
        artifact.builtin(name)


def test_unordered_envelopes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"envelope.demand = \[2.0, 1.0\], must be ordered"):
        replace(WIDE, demand=(2, 1))


def test_an_unknown_builtin_is_named() -> None:
    with pytest.raises(ArtifactError, match="no builtin policy 'nope'"):
        artifact.builtin("nope")


def test_the_same_policy_has_the_same_digest() -> None:
    contents = {artifact.dump(a_network(), WIDE, {"recipe": "x", "seed": 1}) for _ in range(20)}
    assert len(contents) == 1

"""The policy file: safetensors with the network, and metadata that says what it is good for.

An artefact is data from outside: it is size-capped, checked for its schema, its shapes and finite
weights before a single number of it is used, and it is named by the SHA-256 of its bytes.
Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from headstart_policy import features
from headstart_policy.envelope import Envelope
from headstart_policy.network import Network
from headstart_policy.selector import BELIEF, Prior

if TYPE_CHECKING:
    from headstart_policy.types import Floats

# A ConfigMap holds 1 MiB; a network that needs more is not a small policy.
LARGEST_BYTES = 1_000_000
WIDEST_LAYER = 4096
MOST_LAYERS = 8
# Those of a trained network are below 30. Huge ones, one layer after the other, leave the floats.
LARGEST_WEIGHT = 1e6
MOST_WORDS = 200
# Not a path: a file that ships with the package.
_NAME = re.compile(r"[a-z0-9][-a-z0-9]{0,62}")
# What becomes of metadata that are none; a RecursionError of a thousand brackets.
_NO_JSON = (LookupError, OverflowError, RecursionError, TypeError, ValueError)


class ArtifactError(ValueError):
    """The bytes are not a policy that this version can serve; the message says why."""


@dataclass(frozen=True)
class Policy:
    """A network, the envelope that it was trained for, its card, and the digest of its file.

    ``prior`` is what to believe of its hedges before a service has shown which suits it;
    ``selects`` says whether candidates are chosen among; see :mod:`headstart_policy.selector`.
    """

    network: Network
    envelope: Envelope
    card: dict[str, Any]
    digest: str
    prior: Prior = BELIEF

    @cached_property
    def selects(self) -> bool:
        """Whether the network looks at the load alone, so that what it would ask can be priced.

        What a policy that looks at its fleet would have asked for in another fleet, nobody knows.
        """
        return not self.network.weights[0][list(features.FLEET)].any()


def dump(
    network: Network, envelope: Envelope, card: dict[str, Any], prior: Prior = BELIEF
) -> bytes:
    """Write a policy file; ``card`` is free-form JSON: loads, recipe, results, failure modes."""
    tensors = {}
    for k, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        tensors[f"weight{k}"] = np.ascontiguousarray(weight, dtype=np.float32)
        tensors[f"bias{k}"] = np.ascontiguousarray(bias, dtype=np.float32)
    metadata = {
        # A network from before the last columns stays one of theirs.
        "schema": features.schema_of(features.NAMES[: len(network.weights[0])]),
        "least_ratio": repr(network.least),
        "most_ratio": repr(network.most),
        "envelope": json.dumps(asdict(envelope)),
        "prior": json.dumps(prior.to_json()),
        "card": json.dumps(card, sort_keys=True),
    }
    return _canonical(save(tensors, metadata=metadata))


def parse(content: bytes, digest: str | None = None) -> Policy:
    """Read a policy file.

    Parameters
    ----------
    content
        The file's bytes.
    digest
        ``sha256:<64 hex digits>`` that the bytes must have; ``None`` accepts any.

    Raises
    ------
    ArtifactError
        Too large, not safetensors, another digest, schema or shape, or weights that are not
        finite.
    """
    if len(content) > LARGEST_BYTES:
        raise ArtifactError(f"artefact has {len(content)} bytes, at most {LARGEST_BYTES}")
    actual = "sha256:" + hashlib.sha256(content).hexdigest()
    if digest is not None and digest != actual:
        raise ArtifactError(f"artefact has digest {actual}, the policy pins {digest}")
    try:
        tensors = load(content)
        metadata = _metadata(content)
    except (SafetensorError, AttributeError, *_NO_JSON) as error:
        raise ArtifactError(f"artefact is not a safetensors file: {_short(error)}") from error
    schema = metadata.get("schema")
    if schema not in features.SCHEMAS:
        raise ArtifactError(
            f"artefact has schema {_short(repr(schema))}, "
            f"this version serves {features.SCHEMA!r}; train anew"
        )
    try:
        least, most = float(metadata["least_ratio"]), float(metadata["most_ratio"])
        envelope = Envelope(**json.loads(metadata["envelope"]))
        prior = Prior.from_json(json.loads(metadata["prior"]))
        card = json.loads(metadata["card"])
        if not isinstance(card, dict):
            raise TypeError("the card is no object")
    except _NO_JSON as error:
        raise ArtifactError(f"artefact has unusable metadata: {_short(repr(error))}") from error
    if not 0.0 < least < most <= features.LOG_LIMIT * 100:
        raise ArtifactError(f"artefact bounds its ratio by [{least}, {most}]")
    weights, biases = _layers(tensors, features.SCHEMAS[schema])
    return Policy(Network(weights, biases, least, most), envelope, card, actual, prior)


@cache
def builtin(name: str = "default") -> Policy:
    """Load a policy that ships with the package.

    Raises
    ------
    ArtifactError
        There is no policy of that name.
    """
    if not _NAME.fullmatch(name):
        raise ArtifactError(f"there is no builtin policy {_short(repr(name))}")
    file = resources.files("headstart_policy").joinpath("policies", f"{name}.safetensors")
    if not file.is_file():
        raise ArtifactError(f"there is no builtin policy {name!r}")
    return parse(file.read_bytes())


def _short(words: object) -> str:
    """Cut what a file says of itself: it becomes part of a status."""
    text = str(words)
    return text if len(text) <= MOST_WORDS else f"{text[:MOST_WORDS]}..."


def _canonical(content: bytes) -> bytes:
    """Sort the header: safetensors writes metadata in a random order, each time another digest."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":"))
    # The data after it stay aligned to 8 bytes, as the format wants.
    padded = header.encode() + b" " * (-len(header.encode()) % 8)
    return len(padded).to_bytes(8, "little") + padded + content[8 + length :]


def _metadata(content: bytes) -> dict[str, str]:
    """Read the header that ``safetensors.numpy.load`` checks but does not return."""
    length = int.from_bytes(content[:8], "little")
    return dict(json.loads(content[8 : 8 + length]).get("__metadata__", {}))


def _layers(tensors: dict[str, Any], columns: int) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
    count = len(tensors) // 2
    names = {f"{kind}{k}" for kind in ("weight", "bias") for k in range(count)}
    if not 1 <= count <= MOST_LAYERS or set(tensors) != names:
        shown = _short(", ".join(sorted(tensors)))
        raise ArtifactError(
            f"artefact has tensors {shown}, "
            f"expected weight0, bias0, ... of 1 to {MOST_LAYERS} layers"
        )
    kinds = {str(tensor.dtype) for tensor in tensors.values() if tensor.dtype.kind != "f"}
    if kinds:
        raise ArtifactError(f"artefact has tensors of {sorted(kinds)}, expected floats")
    # A signalling NaN would warn here; it is refused with all that is not finite below.
    with np.errstate(invalid="ignore"):
        weights = tuple(tensors[f"weight{k}"].astype(np.float64) for k in range(count))
        biases = tuple(tensors[f"bias{k}"].astype(np.float64) for k in range(count))
    widths = [columns, *(bias.size for bias in biases)]
    most = len(features.REFERENCES)
    if not 1 <= widths[-1] <= most or not 1 <= min(widths) <= max(widths) <= WIDEST_LAYER:
        raise ArtifactError(
            f"artefact has layers {widths}, expected {widths[0]} -> ... -> 1 to {most}"
        )
    for k, ((rows, outputs), weight, bias) in enumerate(
        zip(pairwise(widths), weights, biases, strict=True)
    ):
        if weight.shape != (rows, outputs) or bias.shape != (outputs,):
            raise ArtifactError(f"weight{k} has shape {weight.shape}, expected {(rows, outputs)}")
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ArtifactError(f"weight{k} or bias{k} has values that are not finite")
        if max(np.abs(weight).max(), np.abs(bias).max()) > LARGEST_WEIGHT:
            raise ArtifactError(f"weight{k} or bias{k} has values beyond {LARGEST_WEIGHT:g}")
    return weights, biases

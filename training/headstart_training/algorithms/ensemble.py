"""Several small networks that learned apart, as one: their mean errs less than any of them.

Each learns its own accidents of the services that it saw; on one that none of them saw, these do
not agree, and cancel. The mean of ReLU networks of one shape is a ReLU network, so what is served
is one network as ever.

Sources: Breiman 1996, Bagging Predictors; Lakshminarayanan, Pritzel, Blundell 2017, Simple and
Scalable Predictive Uncertainty Estimation using Deep Ensembles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.types import Floats

    Layers = list[tuple[Floats, Floats]]
    """Weights (in, out) and biases (out,) of each layer."""


def mean_of(members: Sequence[Layers]) -> Layers:
    """Join members of the same shape into the network that gives the mean of what they give.

    Hidden layers stand side by side, and look at their own member alone: the weights between two
    of them are blocks on the diagonal.
    """
    first, *hidden, last = zip(*members, strict=True)
    count = len(members)
    return [
        (np.concatenate([w for w, _ in first], axis=1), np.concatenate([b for _, b in first])),
        *(
            (_diagonal([w for w, _ in layer]), np.concatenate([b for _, b in layer]))
            for layer in hidden
        ),
        (
            np.concatenate([w for w, _ in last]) / count,
            np.mean([b for _, b in last], axis=0),
        ),
    ]


def _diagonal(blocks: Sequence[Floats]) -> Floats:
    """Place blocks along the diagonal, zeros elsewhere."""
    rows, columns = (np.cumsum([0, *(block.shape[axis] for block in blocks)]) for axis in (0, 1))
    whole = np.zeros((rows[-1], columns[-1]))
    for k, block in enumerate(blocks):
        whole[rows[k] : rows[k + 1], columns[k] : columns[k + 1]] = block
    return whole

"""Where torch computes."""

from __future__ import annotations

import torch


def require(device: str) -> None:
    """Refuse a device that is not there before minutes are spent on its behalf.

    Raises
    ------
    ValueError
        Torch cannot compute there; the message says why.
    """
    try:
        torch.empty(0, device=device)
    # A torch without CUDA asserts that it has it.
    except (AssertionError, RuntimeError) as error:
        raise ValueError(
            f"device = {device!r}, must be one that torch can use here, as cpu always is:"
            f" {str(error).splitlines()[0]}"
        ) from error

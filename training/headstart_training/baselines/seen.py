"""What a contender that looks at the load alone may know, as plain series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from headstart_policy.types import Floats
    from headstart_training.simulator import World


def known(world: World) -> Floats:
    """Newest rate known before each step, requests/s, shape (N, T); NaN: there never was one."""
    newest: Floats = world.sight.newest[:, :-1]
    return newest


def seen(world: World) -> tuple[Floats, int]:
    """Give all rates that were measured, and how many of them lie before the first step.

    Returns
    -------
    rates
        Requests/s, shape (N, P + T); NaN in gaps. Before step t the first P + t are known.
    past
        P.
    """
    services = len(world.rates)
    past = np.empty((services, 0)) if world.past is None else world.past
    age = world.sight.age
    with np.errstate(invalid="ignore"):  # Infinite ages, where nothing was ever seen.
        # A figure that is one step older than before is the same figure: nothing came in.
        fresh = age[:, 1:] - age[:, :-1] < 0.5 * world.profiles.interval[:, None]
    fresh |= ~np.isfinite(age[:, :-1])
    fresh &= np.isfinite(age[:, 1:])
    came = np.where(fresh, world.sight.newest[:, 1:], np.nan)
    return np.concatenate([past, came], axis=1), past.shape[1]

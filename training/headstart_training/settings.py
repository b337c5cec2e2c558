"""The two settings that the shipped policy is measured in: the seed's day, and the demonstration's.

Both have the seed's economics, a capacity of 5 requests/s and loads that no training saw.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart_policy.profile import Profile, Profiles
from headstart_training.loads import seed as seed_load
from headstart_training.sight import measure, see
from headstart_training.simulator import World

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

MINUTE = 60.0
# The seed's machine serves 300 transactions per minute.
CAPACITY = 5.0
# Training draws from seeds below this, evaluation from those above.
UNSEEN = 1_000_000_000


def seed_day(
    services: int, minutes: int, seed: int = UNSEEN, *, expected: bool = True, scale: float = 1.0
) -> World:
    """The seed's loads with a day of 24 h and a known day before, lead time 5 min, steps of 1 min.

    Parameters
    ----------
    services, minutes
        N and T.
    seed
        Of the loads and the capacity draws.
    expected
        Whether steps come to their expectation over the capacity noise, or to a draw of it.
    scale
        What the load is multiplied by; a replica's capacity stays.
    """
    profile = _seed_profile(1440 * MINUTE)
    return _world(
        profile, services, minutes, 1500, seed, 0, 1, 1440.0, expected=expected, scale=scale
    )


def demonstration(
    services: int, minutes: int = 180, seed: int = UNSEEN, *, expected: bool = True
) -> World:
    """The seed's loads with a day of 60 minutes, three of them known; lag 1 min, window 3 min."""
    profile = _seed_profile(60 * MINUTE)
    return _world(profile, services, minutes, 180, seed, 1, 3, 60.0, expected=expected)


def _seed_profile(day: float) -> Profile:
    """The seed's machines: 5 minutes of warm-up, and one capacity draw for all of them."""
    return Profile(
        CAPACITY,
        lead_time=5 * MINUTE,
        interval=MINUTE,
        seasons=(day,),
        capacity_correlation=1.0,
    )


def _world(
    profile: Profile,
    services: int,
    minutes: int,
    past: int,
    seed: int,
    lag: int,
    window: int,
    period: float,
    *,
    expected: bool,
    scale: float = 1.0,
) -> World:
    rng = np.random.default_rng(seed)
    parameters = replace(seed_load.DEFAULT, period=period)
    rates = seed_load.generate(rng, services, past + minutes, parameters) / (MINUTE / scale)
    return of_rates(
        profile,
        rates,
        past,
        lag=np.full(services, lag),
        window=np.full(services, window),
        noise=None if expected else rng.standard_normal((services, minutes)),
    )


def of_rates(
    profile: Profile,
    rates: Floats,
    past: int,
    *,
    lag: Ints,
    window: Ints,
    noise: Floats | None = None,
) -> World:
    """Play services of one profile on given loads.

    Parameters
    ----------
    profile
        Of all services.
    rates
        Requests/s of each interval, shape (N, past + T).
    past
        Steps that have passed, and are known, before the first decision.
    lag, window
        Steps by which the newest rate is late, and that it averages over, shape (N,).
    noise
        Standard normal draws of the fleet's capacity, shape (N, T); ``None``: expectations.
    """
    services, steps = rates.shape[0], rates.shape[1] - past
    profiles = Profiles.stack([profile] * services)
    lead = int(np.ceil(profile.lead_time / profile.interval - 1e-9))
    seen = measure(rates, lag, window)
    return World(
        profiles=profiles,
        rates=rates[:, past:],
        sight=see(seen, past + np.arange(steps + 1), profiles, profiles.interval),
        lead_steps=np.full(services, lead),
        # A service that runs already: the fleet that the HPA at 60 % would hold.
        initial=np.ceil(np.nan_to_num(rates[:, past - 1]) / profile.capacity / 0.6).astype(
            np.int64
        ),
        noise=noise,
        past=seen[:, :past],
    )

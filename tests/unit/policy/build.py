"""Builders: one line for the thing that a test is not about."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart_policy import artifact
from headstart_policy.behavior import Memory
from headstart_policy.envelope import Envelope
from headstart_policy.features import FLEET, NAMES
from headstart_policy.guardrails import Guardrails, Situation
from headstart_policy.network import Network
from headstart_policy.observation import Observation, echoes, look_around, look_back, look_far
from headstart_policy.profile import Profile, Profiles
from headstart_policy.series import CumulativeRates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart_policy.types import Floats

WIDE = Envelope(
    demand=(0, 1e5),
    ramp=(0, 1e5),
    lead_steps=(0.1, 1e4),
    stake=(0, 1e9),
    worth=(0, 1e9),
    slo=(0, 1),
)


def a_profile(**changes: Any) -> Profile:
    """Describe a service of 5 requests/s per replica that warms up for 5 of its minutes."""
    profile = Profile(capacity=5.0, lead_time=300.0, interval=60.0, seasons=(3600.0,))
    return replace(profile, **changes)


def an_observation(
    rates: Floats, profile: Profile | None = None, at: Sequence[int] | None = None, current: int = 0
) -> Observation:
    """Observe each row of ``rates`` (N, T), sampled at the interval, after ``at[n]`` samples."""
    profile = profile or a_profile()
    count, length = rates.shape
    profiles = Profiles.stack([profile] * count)
    cumulative = CumulativeRates.of(rates)
    now = np.array(at if at is not None else [length] * count, dtype=np.float64)
    lead = profiles.lead_time / profiles.interval
    recent, roughness = look_back(cumulative, now, lead)
    ago = echoes(profiles.seasons) / profile.interval
    seasonal, then = look_around(cumulative, now, lead, ago)
    far = [
        look_far(CumulativeRates.of(rates[k, None]), now[k, None], float(lead[k]))
        for k in range(count)
    ]
    return Observation(
        profiles=profiles,
        recent=recent,
        roughness=roughness,
        seasonal=seasonal,
        seasonal_roughness=then,
        extremes=np.concatenate(far),
        ready=np.full(count, current),
        warming=np.zeros((count, 4), dtype=np.int64),
        current=np.full(count, current),
    )


def a_network(seed: int = 0, width: int = 16, scale: float = 0.2) -> Network:
    """Draw a network at random: enough where only its form matters."""
    random = np.random.default_rng(seed)
    sizes = [len(NAMES), width, width, 1]
    return Network(
        weights=tuple(
            random.normal(0, scale, shape).astype(np.float32).astype(np.float64)
            for shape in pairwise(sizes)
        ),
        biases=tuple(np.zeros(size) for size in sizes[1:]),
        least=0.5,
        most=8.0,
    )


def a_policy(envelope: Envelope = WIDE, seed: int = 0, *, blind: bool = False) -> artifact.Policy:
    """Wrap a random network in a policy; one that is blind to the fleet leaves a choice."""
    network = a_network(seed)
    if blind:
        network.weights[0][list(FLEET)] = 0.0
    return artifact.parse(artifact.dump(network, envelope, {"recipe": "random"}))


def a_situation(count: int = 1, **changes: Any) -> Situation:
    """Describe services at 10 replicas with a fresh rate of 40 requests/s and wide limits."""
    situation = Situation(
        now=np.full(count, 1000.0),
        interval=np.full(count, 15.0),
        current=np.full(count, 10),
        rate=np.full(count, 40.0),
        rate_age=np.zeros(count),
        peak=np.full(count, np.nan),
        capacity=np.full(count, 5.0),
        history_loaded=np.ones(count, dtype=bool),
        outside=[None] * count,
        limits=[Guardrails(max_replicas=100)] * count,
        memories=[Memory()] * count,
    )
    return replace(situation, **changes)

"""The seed's load: a daily wave, a slow wave on top, noise, and spikes that decay.

The load of one minute, with ``phi = minute * 2 pi / period + phase``, is::

    (average + amplitude * sin(phi))
        * (1 + slow_amplitude * sin(phi / slow_period + slow_phase))
        * Normal(1, noise)
        + spike

in whole transactions per minute. Drawing random numbers (:func:`draw`) is apart from computing with
them (:func:`compute`), so that a slow reference can compute the same load from the same draws.

Source: the load simulator of Amazon SageMaker's example "Predictive Auto-scaling with RL".
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Range = tuple[float, float]


@dataclass(frozen=True)
class SeedLoad:
    """Parameters of the generator; a pair is the range of a uniform draw, once per episode.

    Attributes
    ----------
    trough, swing
        Lowest point of the daily wave, and its height above that [transactions/min].
    noise
        Standard deviation of the factor around each minute's load.
    phase
        Where in the day an episode starts [rad].
    slow_amplitude, slow_period, slow_phase
        The wave that keeps one day from being like another [1, periods, rad].
    spike_wait
        Pause between the end of a spike and the next one [min]; once per spike.
    spike_height
        Height of a spike over the top of the daily wave; once per spike.
    spike_width_least, spike_width_log_mean, spike_width_log_sd
        A spike lasts ``least + lognormal(log_mean, log_sd)`` [min, log min, log min].
    period
        Length of the day [min].
    maximum
        Upper limit of the load [transactions/min].

    Raises
    ------
    ValueError
        When a parameter is out of its bounds; it names key, bound and value.
    """

    trough: Range = (1000.0, 2000.0)
    swing: Range = (5000.0, 7000.0)
    noise: Range = (0.01, 0.05)
    phase: Range = (-math.pi, math.pi)
    slow_amplitude: Range = (0.1, 0.2)
    slow_period: Range = (2.0, 5.0)
    slow_phase: Range = (-math.pi, math.pi)
    spike_wait: Range = (100.0, 1000.0)
    spike_height: Range = (0.1, 0.2)
    spike_width_least: float = 5.0
    spike_width_log_mean: float = 3.0
    spike_width_log_sd: float = 2.0
    period: float = 1440.0
    maximum: int = 100_000

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn from."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not np.all(np.isfinite(value)):
                raise ValueError(f"{field.name} must be finite, is {value}")
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"{field.name} must be a (low, high) with low <= high, is {value}")
        for name in ("noise", "spike_width_least", "spike_width_log_sd", "maximum"):
            value = getattr(self, name)
            if np.min(value) < 0:
                raise ValueError(f"{name} must be at least 0, is {value}")
        if self.period <= 0:
            raise ValueError(f"period must be above 0 minutes, is {self.period}")
        if self.slow_period[0] <= 0:
            raise ValueError(f"slow_period must be above 0 periods, is {self.slow_period}")
        if self.spike_wait[0] < 1:
            raise ValueError(f"spike_wait must be at least 1 minute, is {self.spike_wait}")


@dataclass(frozen=True)
class Draws:
    """Every random number behind N episodes of T minutes with at most K spikes.

    Attributes
    ----------
    trough, top, noise, phase, slow_amplitude, slow_period, slow_phase
        One per episode, shape (N,); ``top`` is the top of the daily wave [transactions/min].
    spike_wait, spike_width, spike_height
        One per spike, shape (N, K) [min, min, transactions/min].
    factor
        What the wave is multiplied by, shape (N, T).
    """

    trough: Floats
    top: Floats
    noise: Floats
    phase: Floats
    slow_amplitude: Floats
    slow_period: Floats
    slow_phase: Floats
    spike_wait: Floats
    spike_width: Floats
    spike_height: Floats
    factor: Floats


DEFAULT = SeedLoad()


def generate(
    rng: np.random.Generator, episodes: int, minutes: int, parameters: SeedLoad = DEFAULT
) -> Ints:
    """Load of N episodes over T minutes.

    The same generator state gives the same bits.

    Parameters
    ----------
    rng
        Where the randomness comes from.
    episodes, minutes
        N and T.
    parameters
        The generator's numbers.

    Returns
    -------
    numpy.ndarray
        Load in transactions/min, shape (N, T), whole numbers in [0, maximum].
    """
    return compute(draw(rng, episodes, minutes, parameters), parameters)


def draw(
    rng: np.random.Generator, episodes: int, minutes: int, parameters: SeedLoad = DEFAULT
) -> Draws:
    """Draw all that N episodes of T minutes need, in a fixed order."""
    for name, value in (("episodes", episodes), ("minutes", minutes)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, is {value}")
    p = parameters
    trough = rng.uniform(*p.trough, episodes)
    top = trough + rng.uniform(*p.swing, episodes)
    noise = rng.uniform(*p.noise, episodes)
    # A spike and the wait before it take at least this long, so no more than K can begin.
    spikes = int(minutes / (p.spike_wait[0] + p.spike_width_least)) + 1
    shape = (episodes, spikes)
    return Draws(
        trough=trough,
        top=top,
        noise=noise,
        phase=rng.uniform(*p.phase, episodes),
        slow_amplitude=rng.uniform(*p.slow_amplitude, episodes),
        slow_period=rng.uniform(*p.slow_period, episodes),
        slow_phase=rng.uniform(*p.slow_phase, episodes),
        spike_wait=rng.uniform(*p.spike_wait, shape),
        spike_width=p.spike_width_least
        + rng.lognormal(p.spike_width_log_mean, p.spike_width_log_sd, shape),
        spike_height=top[:, None] * rng.uniform(*p.spike_height, shape),
        factor=rng.normal(1.0, noise[:, None], (episodes, minutes)),
    )


def compute(draws: Draws, parameters: SeedLoad = DEFAULT) -> Ints:
    """Load that follows from the draws, shape (N, T) [transactions/min]."""
    # The minute advances before its load is computed: the first is minute 1.
    minute = np.arange(1, draws.factor.shape[1] + 1, dtype=np.float64)
    average = (draws.trough + draws.top)[:, None] / 2.0
    amplitude = (draws.top - draws.trough)[:, None] / 2.0
    phi = minute * (2.0 * np.pi / parameters.period) + draws.phase[:, None]
    slow = np.sin(phi / draws.slow_period[:, None] + draws.slow_phase[:, None])
    base = (average + amplitude * np.sin(phi)) * (1.0 + slow * draws.slow_amplitude[:, None])
    load = base * draws.factor + _spikes(draws, minute)
    return np.clip(np.trunc(load), 0, parameters.maximum).astype(np.int64)


def _spikes(draws: Draws, minute: Floats) -> Floats:
    """Spike load of each minute, shape (N, T).

    A spike's own clock starts when the one before has ended. It is on from the first whole minute
    at or after its wait and decays linearly; its last minute is the first one past its width, where
    the line has just gone below zero, as in the original.
    """
    episodes, minutes = draws.factor.shape
    length = np.floor(draws.spike_wait + draws.spike_width) + 1.0
    # What lies past the last minute is never looked at; a lognormal tail would overflow an integer.
    ends = np.minimum(np.cumsum(length, axis=1), minutes).astype(np.int64)
    # Count, for every minute, how many spikes have ended before it: that is the spike to look at.
    ended = np.zeros((episodes, minutes + 1), dtype=np.int64)
    np.add.at(ended, (np.arange(episodes)[:, None], ends), 1)
    current = np.cumsum(ended[:, :minutes], axis=1)
    current = np.minimum(current, draws.spike_wait.shape[1] - 1)
    begin = np.concatenate([np.zeros((episodes, 1), dtype=np.int64), ends[:, :-1]], axis=1)

    def of_current(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.take_along_axis(values, current, axis=1)

    until = of_current(draws.spike_wait) - (minute - of_current(begin))
    decaying = of_current(draws.spike_height) * (1.0 + until / of_current(draws.spike_width))
    return np.where(until > 0, 0.0, decaying)

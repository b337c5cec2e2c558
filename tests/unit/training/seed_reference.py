"""The seed's load and game, minute by minute in plain Python: slow, and obviously what is written.

Written from the description of the original, apart from the vectorised code, so that the two check
each other. Flaws of the original are switched on and off by name.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from headstart_training.loads.seed import Draws, SeedLoad


def load_of_episode(draws: Draws, episode: int, parameters: SeedLoad) -> list[int]:
    """Load of each minute of one episode, with a spike clock that ticks."""
    low, high = float(draws.trough[episode]), float(draws.top[episode])
    spike = 0
    until_spike = float(draws.spike_wait[episode, 0])
    loads = []
    for index, factor in enumerate(draws.factor[episode]):
        minute = index + 1
        phi = minute * 2 * math.pi / parameters.period + float(draws.phase[episode])
        load = (low + high) / 2 + (high - low) / 2 * math.sin(phi)
        slow = math.sin(phi / float(draws.slow_period[episode]) + float(draws.slow_phase[episode]))
        load *= 1 + slow * float(draws.slow_amplitude[episode])
        load *= float(factor)
        until_spike -= 1
        if until_spike <= 0:
            height = float(draws.spike_height[episode, spike])
            extra = height * (1 + until_spike / float(draws.spike_width[episode, spike]))
            load += extra
            if extra < 0 and spike + 1 < draws.spike_wait.shape[1]:
                spike += 1
                until_spike = float(draws.spike_wait[episode, spike])
        loads.append(min(max(int(load), 0), parameters.maximum))
    return loads


@dataclass
class Game:
    """One game with the original's default numbers."""

    active: int = 50
    queue: list[int] = field(default_factory=lambda: [0] * 5)
    averages: list[list[float]] = field(
        default_factory=lambda: [[0.0] * 4 for _ in range(5)]  # By alpha, then by stream.
    )

    def __post_init__(self) -> None:
        """See the first observation: no load, down, the whole fleet."""
        self._see([0.0, 0.0, 1.0, self.active / 833])

    def step(self, turn_on: float, turn_off: float, load: int, noise: float) -> float:
        """Play a minute; the reward."""
        on = min(max(int(turn_on), 0), 10)
        off = min(max(int(turn_off), 0), 10)
        self.active = max(0, self.active - off)
        self.active = min(self.active + self.queue[0], 833)
        self.queue = [*self.queue[1:], on]
        capacity = int(self.active * (300 + 30 * noise))
        served = min(load, capacity)
        down = load > 0 and 100 * served / load < 99.5
        self._see([load / 1e5, (load - served) / (load + 1e-5), float(down), self.active / 833])
        return served * 0.9 / 1000 - 200 * down - 0.05 * self.active

    def observation(self) -> list[float]:
        """All streams now, then all at 0.1 and so on, then the queue in tens."""
        streams = [value for alpha in self.averages for value in alpha]
        return streams + [machines / 10 for machines in self.queue]

    def _see(self, streams: list[float]) -> None:
        for averages, alpha in zip(self.averages, (1.0, 0.1, 0.01, 0.001, 0.0001), strict=True):
            for index, now in enumerate(streams):
                averages[index] = averages[index] * (1 - alpha) + now * alpha


def random_actions(rng: np.random.Generator, steps: int) -> list[tuple[float, float]]:
    """Actions in and out of the action space, whole and not."""
    return [(float(on), float(off)) for on, off in rng.uniform(-3, 14, (steps, 2))]

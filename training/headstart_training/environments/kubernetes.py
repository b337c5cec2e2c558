"""The Kubernetes game: ask for replicas as a ratio to demand, warming billed, as it is served.

The observation is :func:`headstart_policy.features.features`, and the action goes the operator's
way: bounded, times demand, put on the replicas' grid, rounded up, raised to the reactive floor.
Episodes are drawn by :mod:`headstart_training.scenarios`, which says what is randomised.

The reward is the dollars of a step less those of a fleet that knows the step's load and needs no
lead time. Load does not depend on actions, so the reference changes no policy's rank; it takes
the load's own noise out of the return. The unit of a service is the price of running its mean
demand for a step plus a hundredth of a violation's, so that small services, whose violations cost
a thousand times their fleet, do not drown the others.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from headstart_policy.features import NAMES, features
from headstart_policy.network import to_replicas
from headstart_policy.reactive import ceil_replicas, reactive
from headstart_policy.windows import load_of
from headstart_training import scenarios
from headstart_training.scenarios import Ranges
from headstart_training.simulator import Simulator, Step, World

if TYPE_CHECKING:
    from headstart_policy.types import Floats, Ints

Observations = npt.NDArray[np.float32]
Arrays = npt.NDArray[Any]

LEAST_RATIO, MOST_RATIO = 0.5, 8.0
# Features are logarithms of bounded ratios and shares; none comes near this.
_LARGEST = 10.0
# The reference fleet meets the SLO unless capacity falls by this many standard deviations.
_REFERENCE_SIGMAS = 3.0
# No step in violation costs more than about this.
_WORST = 100.0


class _Games:
    """N games that begin and end together."""

    def __init__(
        self,
        steps: int,
        ranges: Ranges,
        floor: float | None,
        *,
        expected_reward: bool,
        siblings: int = 1,
    ) -> None:
        if steps < 1:
            raise ValueError(f"steps must be at least 1, is {steps}")
        self.steps, self.ranges, self.floor = steps, ranges, floor
        self.expected_reward, self.siblings = expected_reward, siblings

    def reset(self, rng: np.random.Generator, count: int) -> None:
        families = count // self.siblings
        world = scenarios.draw(
            rng, families, self.steps, self.ranges, expected=self.expected_reward
        ).take(np.repeat(np.arange(families), self.siblings))
        self.simulator = Simulator(world)
        demand = world.rates.mean(axis=1) / world.profiles.capacity
        price = world.profiles.replica_cost * (demand + 1.0)
        self._unit = (price + world.profiles.violation_cost / _WORST) * world.profiles.interval
        self._reference = _reference(world)
        self._look()

    def observe(self) -> Observations:
        return features(self._observation).astype(np.float32)

    def step(self, log_ratio: Floats) -> tuple[Floats, Step]:
        if not np.isfinite(log_ratio).all():
            raise ValueError(f"actions must be finite, are {log_ratio[~np.isfinite(log_ratio)][0]}")
        before = self.simulator.t
        step = self.simulator.step(self._desired(log_ratio))
        ready = self._reference[:, before]
        reference = self.simulator.world.serve(before, ready, ready)
        self._look()
        reward = (step.outcome.dollars - reference.dollars) / self._unit
        return self._among_siblings(reward), step

    def facts(self, step: Step | None) -> dict[str, Arrays]:
        """What a player without eyes for the features wants to know, each of shape (N,)."""
        fleet, nothing = self.simulator.fleet, np.zeros(len(self._demand))
        return {
            "demand": self._demand,
            "ready": fleet.ready,
            "warming": fleet.current - fleet.ready,
            "dollars": step.outcome.dollars if step else nothing,
            "violation": step.outcome.violation.astype(np.float64) if step else nothing,
        }

    def _among_siblings(self, reward: Floats) -> Floats:
        """Shift each family of rewards to the mean of all."""
        if self.siblings == 1:
            return reward
        families = reward.reshape(-1, self.siblings)
        shifted: Floats = families - families.mean(axis=1, keepdims=True) + reward.mean()
        return shifted.ravel()

    def _look(self) -> None:
        self._observation = self.simulator.observe()
        self._demand = load_of(self._observation).demand

    def _desired(self, log_ratio: Floats) -> Ints:
        demand = np.nan_to_num(self._demand)[:, None]
        asked = ceil_replicas(to_replicas(log_ratio[:, None], demand, LEAST_RATIO, MOST_RATIO))
        if self.floor is not None:
            world, t = self.simulator.world, self.simulator.t
            floor = reactive(world.sight.newest[:, t], world.profiles.capacity, self.floor)
            asked = np.maximum(asked, floor)
        # The operator holds while no rate is known, and keeps at least one replica.
        asked = np.where(np.isfinite(self._demand), asked, self._observation.current)
        return np.maximum(asked, 1)


def _reference(world: World) -> Ints:
    """Fleets that meet each step's SLO but for a rare capacity draw, shape (N, T)."""
    profiles = world.profiles
    slack = np.maximum(1 - _REFERENCE_SIGMAS * profiles.capacity_noise, 0.1)
    return np.maximum(ceil_replicas(world.rates / (profiles.capacity * slack)[:, None]), 1)


def _spaces() -> tuple[gymnasium.Space[Observations], gymnasium.Space[Observations]]:
    return (
        Box(-_LARGEST, _LARGEST, (len(NAMES),), np.float32),
        Box(math.log(LEAST_RATIO), math.log(MOST_RATIO), (1,), np.float32),
    )


class KubernetesEnv(gymnasium.Env[Observations, Observations]):
    """One service.

    Parameters
    ----------
    steps
        Of an episode; it is truncated then.
    ranges
        What episodes are drawn from, as keyword arguments of
        :class:`headstart_training.scenarios.Ranges`.
    floor
        Utilisation of the reactive floor; ``None``: there is none.
    expected_reward
        Whether a step comes to its expectation over the capacity noise instead of a draw: the same
        mean with less noise, for training.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # As gymnasium types it.

    def __init__(
        self,
        steps: int = 96,
        *,
        ranges: dict[str, Any] | None = None,
        floor: float | None = 0.9,
        expected_reward: bool = False,
    ) -> None:
        self._games = _Games(
            steps, Ranges(**(ranges or {})), floor, expected_reward=expected_reward
        )
        self.observation_space, self.action_space = _spaces()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Draw a service and return its first observation."""
        super().reset(seed=seed, options=options)
        self._games.reset(self.np_random, 1)
        return self._games.observe()[0], self._info(None)

    def step(self, action: Observations) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Play one interval; the game never terminates.

        Raises
        ------
        RuntimeError
            When the episode is over.
        """
        reward, step = self._games.step(np.asarray(action, dtype=np.float64))
        return (
            self._games.observe()[0],
            float(reward[0]),
            False,
            self._games.simulator.over,
            self._info(step),
        )

    def _info(self, step: Step | None) -> dict[str, Any]:
        return {key: value[0].item() for key, value in self._games.facts(step).items()}


class KubernetesVectorEnv(VectorEnv[Observations, Observations, Arrays]):
    """N services in numpy, whose episodes begin and end together.

    The step after the last one draws N new services; its actions are lost.

    Parameters
    ----------
    num_envs
        N.
    siblings
        So many neighbours play the same service and load, and their rewards are shifted so that
        the family's mean is the mean of all. What a load brings whatever is decided, a spike that
        nobody saw coming above all, drops out; what remains is what a player did better than its
        siblings. For training: a sibling's reward does not depend on a player's actions, so the
        shift favours no policy.
    steps, ranges, floor, expected_reward
        As of :class:`KubernetesEnv`.

    Raises
    ------
    ValueError
        ``num_envs`` is no multiple of ``siblings``.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  # As gymnasium types it.
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        siblings: int = 1,
        steps: int = 96,
        ranges: dict[str, Any] | None = None,
        floor: float | None = 0.9,
        expected_reward: bool = False,
    ) -> None:
        if num_envs < 1 or siblings < 1 or num_envs % siblings:
            raise ValueError(
                f"num_envs must be a multiple of siblings, both at least 1, are {num_envs} and"
                f" {siblings}"
            )
        self.num_envs = num_envs
        self._games = _Games(
            steps,
            Ranges(**(ranges or {})),
            floor,
            expected_reward=expected_reward,
            siblings=siblings,
        )
        self.single_observation_space, self.single_action_space = _spaces()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Draw N services and return their first observations, shape (N, features)."""
        super().reset(seed=seed, options=options)
        self._games.reset(self.np_random, self.num_envs)
        return self._games.observe(), self._info(None)

    def step(
        self, actions: Observations
    ) -> tuple[Observations, Arrays, Arrays, Arrays, dict[str, Any]]:
        """Play one interval of every service; if the episodes had ended, draw new ones instead."""
        step = None
        reward = np.zeros(self.num_envs)
        if self._games.simulator.over:
            self._games.reset(self.np_random, self.num_envs)
        else:
            reward, step = self._games.step(np.asarray(actions, dtype=np.float64)[:, 0])
        return (
            self._games.observe(),
            reward,
            np.zeros(self.num_envs, dtype=np.bool_),
            np.full(self.num_envs, self._games.simulator.over),
            self._info(step),
        )

    def _info(self, step: Step | None) -> dict[str, Any]:
        facts: dict[str, Any] = dict(self._games.facts(step))
        # Gymnasium's convention: a mask beside each key says for which games it holds.
        return facts | {f"_{key}": np.ones(self.num_envs, dtype=np.bool_) for key in facts}

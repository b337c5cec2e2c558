"""The seed's game as gymnasium environments: one game, and N games in numpy.

Both take every rule of :class:`headstart_training.seed_game.Rules` as a keyword argument. Both draw
a whole game's load and capacity noise at reset, so nothing a player does changes them: two players
with the same seed meet the same minutes. A vector of one plays as the scalar environment does.
"""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from headstart_training import seed_game
from headstart_training.loads import seed as seed_load
from headstart_training.seed_game import Outcome, Rules, State

Observations = npt.NDArray[np.float32]
Arrays = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Space = gymnasium.Space[Observations]


def _spaces(rules: Rules) -> tuple[Space, Space]:
    """Observation and action space of one game."""
    observation = Box(0.0, 1.0, (rules.observation_size,), np.float32)
    return observation, Box(0.0, seed_game.MAX_MACHINE_DELTA, (2,), np.float32)


def _draw(
    rng: np.random.Generator, rules: Rules, load: seed_load.SeedLoad, games: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Load and capacity noise of whole games, each of shape (N, steps)."""
    loads = seed_load.generate(rng, games, rules.steps, load)
    return loads, rng.standard_normal((games, rules.steps))


def _facts(state: State, outcome: Outcome | None) -> dict[str, Arrays]:
    """What a player without eyes for the observation wants to know, each of shape (N,)."""
    nothing = np.zeros(len(state.active))
    return {
        "active_machines": state.active,
        "warming_machines": state.queue.sum(axis=1),
        "load": outcome.load if outcome else nothing.astype(np.int64),
        "failed": outcome.failed if outcome else nothing.astype(np.int64),
        "is_down": outcome.down if outcome else nothing.astype(np.bool_),
        "warming_cost": outcome.warming_cost if outcome else nothing,
    }


class SeedGameEnv(gymnasium.Env[Observations, Observations]):
    """One game.

    Parameters
    ----------
    load
        The load generator's numbers, as keyword arguments of
        :class:`headstart_training.loads.seed.SeedLoad`.
    **rules
        The game's numbers, as keyword arguments of :class:`headstart_training.seed_game.Rules`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # As gymnasium types it.

    def __init__(self, load: dict[str, Any] | None = None, **rules: Any) -> None:
        self.rules = Rules(**rules)
        self.load_parameters = seed_load.SeedLoad(**(load or {}))
        self.observation_space, self.action_space = _spaces(self.rules)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Draw a new game and return its first observation."""
        super().reset(seed=seed, options=options)
        self._loads, self._noise = _draw(self.np_random, self.rules, self.load_parameters, 1)
        self._state = seed_game.start(self.rules, 1)
        self._minute = 0
        return seed_game.observe(self._state)[0], self._info(None)

    def step(self, action: Observations) -> tuple[Observations, float, bool, bool, dict[str, Any]]:
        """Play one minute; the game never terminates, it is truncated at its time limit.

        Raises
        ------
        RuntimeError
            When the game is over.
        """
        if self._minute >= self.rules.steps:
            raise RuntimeError(f"the game is over after {self.rules.steps} steps: reset it")
        now = slice(self._minute, self._minute + 1)
        self._state, outcome = seed_game.step(
            self.rules, self._state, [action], self._loads[0, now], self._noise[0, now]
        )
        self._minute += 1
        return (
            seed_game.observe(self._state)[0],
            float(outcome.reward[0]),
            False,
            self._minute >= self.rules.steps,
            self._info(outcome),
        )

    def _info(self, outcome: Outcome | None) -> dict[str, Any]:
        return {key: value[0].item() for key, value in _facts(self._state, outcome).items()}


class SeedGameVectorEnv(VectorEnv[Observations, Observations, Arrays]):
    """N games in numpy. A game that has ended starts anew in the step after (its action is lost).

    Parameters
    ----------
    num_envs
        N.
    stagger
        Begin the first game of each at a random minute, so that not all end at the same time:
        what a learner sees in one rollout is then a fair sample of all minutes of a game.
    scatter_every
        Truncate each game after every so many minutes too, and let it go on with the same load but
        a fleet drawn from 0 to twice `initial_machines`, half of it in the warm-up queue: exploring
        starts, so that a learner knows early what too many and too few machines are worth.
    least_reward
        A minute that brings less is paid this. For training: a fleet far too small costs 200 $ a
        minute, and next to that a learner cannot tell good fleets from better ones.
    load
        The load generator's numbers, as keyword arguments of
        :class:`headstart_training.loads.seed.SeedLoad`.
    **rules
        The game's numbers, as keyword arguments of :class:`headstart_training.seed_game.Rules`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  # As gymnasium types it.
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        stagger: bool = False,
        scatter_every: int | None = None,
        least_reward: float = -np.inf,
        load: dict[str, Any] | None = None,
        **rules: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, is {num_envs}")
        self.num_envs = num_envs
        if scatter_every is not None and scatter_every < 1:
            raise ValueError(f"scatter_every must be at least 1 minute, is {scatter_every}")
        self.stagger = stagger
        self.scatter_every = scatter_every
        self.least_reward = least_reward
        self.rules = Rules(**rules)
        self.load_parameters = seed_load.SeedLoad(**(load or {}))
        self.single_observation_space, self.single_action_space = _spaces(self.rules)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._rows = np.arange(num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Draw N new games and return their first observations, shape (N, 20 + latency)."""
        super().reset(seed=seed, options=options)
        self._loads, self._noise = self._draw(self.num_envs)
        self._state = seed_game.start(self.rules, self.num_envs)
        self._minute = np.zeros(self.num_envs, dtype=np.int64)
        self._truncated = np.zeros(self.num_envs, dtype=np.bool_)
        if self.stagger:
            self._minute = self.np_random.integers(self.rules.steps, size=self.num_envs)
        if self.scatter_every:
            self._scatter(np.ones(self.num_envs, dtype=np.bool_))
        return seed_game.observe(self._state), self._info(None)

    def step(
        self, actions: Observations
    ) -> tuple[Observations, Arrays, Arrays, Arrays, dict[str, Any]]:
        """Play one minute of every game; those that had ended start anew instead."""
        before, restarting = self._state, self._truncated
        minute = np.minimum(self._minute, self.rules.steps - 1)
        self._state, outcome = seed_game.step(
            self.rules,
            self._state,
            actions,
            self._loads[self._rows, minute],
            self._noise[self._rows, minute],
        )
        self._minute = self._minute + ~restarting
        if restarting.any():
            outcome = self._restart(restarting, before, outcome)
        self._truncated = self._minute >= self.rules.steps
        if self.scatter_every:
            self._truncated |= (self._minute % self.scatter_every == 0) & ~restarting
        return (
            seed_game.observe(self._state),
            np.maximum(outcome.reward, self.least_reward),
            np.zeros(self.num_envs, dtype=np.bool_),
            self._truncated,
            self._info(outcome),
        )

    def _draw(self, games: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        return _draw(self.np_random, self.rules, self.load_parameters, games)

    def _restart(self, restarting: Bools, before: State, outcome: Outcome) -> Outcome:
        """Let what was truncated begin anew, or go on with another fleet; nothing happened yet."""
        ended = restarting & (self._minute >= self.rules.steps)
        count = int(ended.sum())
        if count:
            self._loads[ended], self._noise[ended] = self._draw(count)
            self._minute[ended] = 0
            self._replace(ended, seed_game.start(self.rules, count))
        scattered = restarting & ~ended
        if scattered.any():
            games = {name: value[scattered] for name, value in vars(before).items()}
            self._replace(scattered, State(**games))
            self._scatter(scattered)
        return Outcome(
            **{
                name: np.where(restarting, np.zeros_like(value), value)
                for name, value in vars(outcome).items()
            }
        )

    def _replace(self, games: Bools, state: State) -> None:
        for name, value in vars(state).items():
            getattr(self._state, name)[games] = value

    def _scatter(self, games: Bools) -> None:
        """Draw another fleet: 0 to `initial_machines` that serve, and as many that warm up."""
        count, latency = int(games.sum()), self.rules.warmup_latency
        active = self.np_random.integers(self.rules.initial_machines, size=count, endpoint=True)
        warming = self.np_random.integers(self.rules.initial_machines, size=count, endpoint=True)
        self._state.active[games] = active
        # As many in each minute of the queue as can be ordered in one, on average.
        share = np.minimum(warming / latency, seed_game.MAX_MACHINE_DELTA)
        lam = np.repeat(share[:, None], latency, axis=1)
        self._state.queue[games] = np.minimum(
            self.np_random.poisson(lam), seed_game.MAX_MACHINE_DELTA
        )
        self._state.averages[games, 0, 3] = active / self.rules.max_machines

    def _info(self, outcome: Outcome | None) -> dict[str, Any]:
        facts: dict[str, Any] = dict(_facts(self._state, outcome))
        # Gymnasium's convention: a mask beside each key says for which games it holds.
        return facts | {f"_{key}": np.ones(self.num_envs, dtype=np.bool_) for key in facts}

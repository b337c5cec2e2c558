"""The seed's game: hold a fleet of machines just large enough for the load of the next minutes.

Pure functions over N games at once. One step is one minute, in this order: machines go off, the
head of the warm-up queue comes on (up to the limit), the queue shifts and takes the new orders, the
load arrives, and the fleet's capacity is one normal draw per machine-minute shared by all machines.

The rules are those of Amazon SageMaker's example "Predictive Auto-scaling with RL", number for
number, with these flaws of the original mended:

* Actions are clipped to [0, 10]. The original took any number: switching -10 machines *off* added
  ten at once and went around the warm-up.
* A minute without load is not downtime. The original divided by ``load + 1e-20`` and fined it.
* The moving averages start anew with each game. The original carried them over from the last one,
  so that training and serving saw different observations.
* All randomness comes from a seeded generator, outside of this file. The original had no seed.
* The time limit is a truncation, not an end: see :mod:`headstart_training.environments`.
* A capacity draw below zero serves nothing. The original served a negative number.

One number stays that the second flaw explains: at the start, before any load, the averages see
``is_down = 1``. It is the original's first observation, and it costs nothing.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from headstart_policy.physics import normal_cdf

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MAX_TPM = 100_000
MAX_MACHINE_DELTA = 10
ALPHAS = np.array([1.0, 0.1, 0.01, 0.001, 0.0001])
STREAMS = 4  # load, failed share, is_down, active


@dataclass(frozen=True)
class Rules:
    """The game's numbers, by the names that the original's ``config_defaults`` gives them.

    Attributes
    ----------
    warmup_latency
        Steps from an order to service: what is ordered in step k serves in step k + latency [min].
    tpm_per_machine, tpm_sigma
        Mean and standard deviation of one machine's capacity [transactions/min].
    machine_cost
        Price of an active machine [$/min].
    transaction_val
        Worth of 1,000 served transactions [$].
    downtime_cost
        Price of a minute in which less than `downtime_percent` of the load was served [$].
    downtime_percent
        The objective [%].
    initial_machines
        Active machines at the start.
    max_time_steps
        The game is truncated once it has made more steps than this: after step 1,001.
    bill_warming
        Whether machines that warm up cost `machine_cost` too. Not in the original, where ordering
        always and discarding what is not needed is free.
    expected_reward
        Whether the reward is the expectation over the capacity draw instead of its outcome: the
        same mean with less noise, for training. Not in the original.

    Raises
    ------
    ValueError
        When a number is out of its bounds; it names key, bound and value.
    """

    warmup_latency: int = 5
    tpm_per_machine: float = 300.0
    tpm_sigma: float = 30.0
    machine_cost: float = 0.05
    transaction_val: float = 0.90
    downtime_cost: float = 200.0
    downtime_percent: float = 99.5
    initial_machines: int = 50
    max_time_steps: int = 1000
    bill_warming: bool = False
    expected_reward: bool = False

    def __post_init__(self) -> None:
        """Refuse rules that make no game."""
        for name, low, high in (
            ("warmup_latency", 1, np.inf),
            ("tpm_per_machine", 1e-9, np.inf),
            ("tpm_sigma", 0, np.inf),
            ("machine_cost", 0, np.inf),
            ("transaction_val", 0, np.inf),
            ("downtime_cost", 0, np.inf),
            ("downtime_percent", 0, 100),
            ("max_time_steps", 0, np.inf),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be in [{low}, {high}], is {value}")
        if not 0 <= self.initial_machines <= self.max_machines:
            raise ValueError(
                f"initial_machines must be in [0, {self.max_machines}], is {self.initial_machines}"
            )

    @property
    def max_machines(self) -> int:
        """Most machines that can be active: enough for 2.5 times the highest load."""
        return int(2.5 * MAX_TPM / self.tpm_per_machine)

    @property
    def steps(self) -> int:
        """Steps in one game."""
        return self.max_time_steps + 1

    @property
    def observation_size(self) -> int:
        """Numbers in one observation: 25 with the original's warm-up of 5 minutes."""
        return STREAMS * len(ALPHAS) + self.warmup_latency


@dataclass(frozen=True)
class State:
    """N games between two steps.

    Attributes
    ----------
    active
        Machines that serve, shape (N,).
    queue
        Machines that warm up, the next to serve first, shape (N, warmup_latency).
    averages
        Moving averages, shape (N, alphas, streams).
    """

    active: Ints
    queue: Ints
    averages: Floats


@dataclass(frozen=True)
class Outcome:
    """What one step brought, each of shape (N,).

    Attributes
    ----------
    load, capacity, served, failed
        In transactions/min.
    down
        Whether the objective was missed.
    reward
        In dollars.
    warming_cost
        What the warming machines would cost, or did, where they are billed [$].
    """

    load: Ints
    capacity: Ints
    served: Ints
    failed: Ints
    down: Bools
    reward: Floats
    warming_cost: Floats


def start(rules: Rules, games: int) -> State:
    """N games before their first step; the averages have seen no load, is_down and the fleet."""
    active = np.full(games, rules.initial_machines, dtype=np.int64)
    streams = np.zeros((games, STREAMS))
    streams[:, 2] = 1.0
    streams[:, 3] = active / rules.max_machines
    return State(
        active=active,
        queue=np.zeros((games, rules.warmup_latency), dtype=np.int64),
        averages=_average(np.zeros((games, len(ALPHAS), STREAMS)), streams),
    )


def step(
    rules: Rules, state: State, actions: npt.ArrayLike, load: Ints, noise: Floats
) -> tuple[State, Outcome]:
    """Play one minute of N games.

    Parameters
    ----------
    rules
        The game's numbers.
    state
        Before the step.
    actions
        Machines to turn (on, off), shape (N, 2); cut to whole numbers, then clipped to [0, 10].
    load
        Transactions that arrive in this minute, shape (N,).
    noise
        Standard normal draw of this minute's capacity, shape (N,).

    Returns
    -------
    tuple of State and Outcome
        After the step.

    Raises
    ------
    ValueError
        When an action is not a finite number.
    """
    orders = np.asarray(actions, dtype=np.float64)
    if not np.isfinite(orders).all():
        raise ValueError(f"actions must be finite, are {orders[~np.isfinite(orders)][0]}")
    orders = np.clip(np.trunc(orders), 0, MAX_MACHINE_DELTA).astype(np.int64)

    active = np.maximum(0, state.active - orders[:, 1])
    active = np.minimum(active + state.queue[:, 0], rules.max_machines)
    queue = np.concatenate([state.queue[:, 1:], orders[:, :1]], axis=1)

    draw = active * (rules.tpm_per_machine + rules.tpm_sigma * noise)
    capacity = np.maximum(0, draw).astype(np.int64)
    served = np.minimum(load, capacity)
    failed = load - served
    # Written as the original does, so that a load just at the objective falls to the same side.
    down = (load > 0) & (100.0 * served / np.maximum(load, 1) < rules.downtime_percent)

    warming_cost = rules.machine_cost * queue.sum(axis=1)
    reward = (
        served * rules.transaction_val / 1000.0
        - rules.downtime_cost * down
        - rules.machine_cost * active
        if not rules.expected_reward
        else expected_reward(rules, active, load)
    )
    if rules.bill_warming:
        reward = reward - warming_cost

    streams = np.stack(
        [load / MAX_TPM, failed / (load + 1e-5), down, active / rules.max_machines], axis=1
    )
    after = replace(state, active=active, queue=queue, averages=_average(state.averages, streams))
    return after, Outcome(load, capacity, served, failed, down, reward, warming_cost)


def expected_reward(rules: Rules, active: Ints | Floats, load: Ints) -> Floats:
    """Reward of a step in the mean over its capacity draw, warming not billed, shape (N,) [$].

    With ``m`` and ``s`` the mean and standard deviation of the fleet's capacity and
    ``d = (load - m) / s``: ``E[served] = load - (load - m) Phi(d) - s phi(d)``, and downtime has
    the probability ``Phi((objective * load - m) / s)``. That capacity is cut to a whole number is
    left out: half a transaction.
    """
    mean = active * rules.tpm_per_machine
    spread = np.maximum(active * rules.tpm_sigma, 1e-9)  # Without spread: a step at the mean.
    short = load - mean
    d = short / spread
    density = np.exp(-0.5 * d * d) / math.sqrt(2.0 * math.pi)
    served = np.clip(load - short * normal_cdf(d) - spread * density, 0, load)
    down = normal_cdf((rules.downtime_percent / 100.0 * load - mean) / spread) * (load > 0)
    reward: Floats = (
        served * rules.transaction_val / 1000.0
        - rules.downtime_cost * down
        - rules.machine_cost * active
    )
    return reward


def orders(change: npt.ArrayLike) -> Floats:
    """Actions (on, off), shape (N, 2), that change the fleet by what is given, shape (N, 1).

    A player who decides on the change, rounded to whole machines, cannot order and discard in the
    same minute, as unbilled warming invites to; and an untrained one leaves the fleet alone.
    """
    whole = np.rint(np.asarray(change, dtype=np.float64)[:, 0])
    return np.stack([np.maximum(whole, 0), np.maximum(-whole, 0)], axis=1)


def observe(state: State) -> npt.NDArray[np.float32]:
    """What a player sees, shape (N, 20 + warmup_latency), all in [0, 1].

    All four averages at alpha 1 (which is: now), then at 0.1 and so on; then the warm-up queue
    in tens of machines, the next to serve first.
    """
    games = len(state.active)
    return np.concatenate(
        [state.averages.reshape(games, -1), state.queue / MAX_MACHINE_DELTA],
        axis=1,
        dtype=np.float32,
    )


def _average(averages: Floats, streams: Floats) -> Floats:
    """Move each average towards the streams by its alpha."""
    alphas = ALPHAS[:, None]
    moved: Floats = averages * (1.0 - alphas) + streams[:, None, :] * alphas
    return moved

"""The rules of the seed's game."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_training import seed_game
from headstart_training.baselines import Contender
from headstart_training.baselines.seed_hpa import SeedHPA
from headstart_training.baselines.simple import DoNothing, RandomIntegers
from headstart_training.evaluation import play
from headstart_training.loads import seed as seed_load
from headstart_training.seed_game import Rules, State

from .seed_reference import Game, random_actions


def one_step(
    state: State,
    action: tuple[float, float] = (0, 0),
    load: int = 1000,
    noise: float = 0.0,
    rules: Rules | None = None,
) -> tuple[State, seed_game.Outcome]:
    """Play one minute of one game."""
    return seed_game.step(rules or Rules(), state, [action], np.array([load]), np.array([noise]))


@given(seed=st.integers(0, 2**32))
def test_vectorised_game_is_the_scalar_reference(seed: int) -> None:
    """Number for number: rewards and observations over whole stretches, any actions."""
    rng = np.random.default_rng(seed)
    games, steps = 3, 40
    loads = seed_load.generate(rng, games, steps) * rng.integers(0, 5, (games, steps))
    noise = rng.standard_normal((games, steps))
    actions = np.array([random_actions(rng, steps) for _ in range(games)])
    state = seed_game.start(Rules(), games)
    references = [Game() for _ in range(games)]
    for t in range(steps):
        state, outcome = seed_game.step(Rules(), state, actions[:, t], loads[:, t], noise[:, t])
        rewards = [
            game.step(
                float(actions[i, t, 0]),
                float(actions[i, t, 1]),
                int(loads[i, t]),
                float(noise[i, t]),
            )
            for i, game in enumerate(references)
        ]
        np.testing.assert_allclose(outcome.reward, rewards, rtol=0, atol=1e-9)
        observations = [game.observation() for game in references]
        np.testing.assert_allclose(seed_game.observe(state), observations, rtol=1e-6, atol=1e-9)


def test_first_observation_has_25_numbers() -> None:
    """The averages have seen no load, is_down and 50 machines once; the queue is empty."""
    observation = seed_game.observe(seed_game.start(Rules(), 1))[0]
    expected = [x * a for a in (1, 0.1, 0.01, 0.001, 0.0001) for x in (0, 0, 1, 50 / 833)]
    np.testing.assert_allclose(observation, [*expected, 0, 0, 0, 0, 0], rtol=1e-6)


def test_order_of_step_k_serves_in_step_k_plus_5() -> None:
    """And not one step earlier."""
    state, _ = one_step(seed_game.start(Rules(), 1), (7, 0))
    active = []
    for _ in range(5):
        active.append(int(state.active[0]))
        state, _ = one_step(state)
    assert active == [50] * 5
    assert state.active[0] == 57


def test_machines_go_off_before_others_come_on() -> None:
    """From 3 machines, 10 off and 4 from the queue make 4, not 0."""
    state = State(np.array([3]), np.array([[4, 0, 0, 0, 0]]), np.zeros((1, 5, 4)))
    assert one_step(state, (0, 10))[0].active[0] == 4


def test_fleet_has_an_upper_limit() -> None:
    """It is 833 machines; what warms up beyond is lost."""
    state = State(np.array([830]), np.array([[10, 0, 0, 0, 0]]), np.zeros((1, 5, 4)))
    assert one_step(state)[0].active[0] == 833


@pytest.mark.parametrize(
    ("load", "reward"),
    [
        (15_000, 15_000 * 0.0009 - 2.5),
        (15_075, 15_000 * 0.0009 - 2.5),  # 99.502 % served: just within the objective.
        (15_076, 15_000 * 0.0009 - 202.5),
        (0, -2.5),
    ],
)
def test_reward_is_worth_less_fine_less_machines(load: int, reward: float) -> None:
    """50 machines of 300 serve 15,000."""
    _, outcome = one_step(seed_game.start(Rules(), 1), load=load)
    assert outcome.reward[0] == pytest.approx(reward)


@pytest.mark.parametrize(("given_", "played"), [(-10.0, 0), (10.9, 10), (99.0, 10), (3.99, 3)])
def test_mended_actions_are_clipped(given_: float, played: int) -> None:
    """In the original, -10 off added ten machines at once and 99 on ordered 99."""
    state, _ = one_step(seed_game.start(Rules(), 1), (given_, given_))
    assert state.active[0] == 50 - played
    assert state.queue[0].sum() == played


def test_mended_zero_load_is_no_downtime() -> None:
    """The original fined an empty minute, since 0 / (0 + 1e-20) is under 99.5 %."""
    state, outcome = one_step(seed_game.start(Rules(), 1), load=0)
    assert not outcome.down[0]
    assert seed_game.observe(state)[0, 2] == 0


def test_mended_averages_start_anew() -> None:
    """The original's averages lived on in the next game."""
    state = seed_game.start(Rules(), 1)
    before = seed_game.observe(state)
    for _ in range(10):
        state, _ = one_step(state, (5, 1), load=90_000)
    np.testing.assert_array_equal(seed_game.observe(seed_game.start(Rules(), 1)), before)


def test_mended_negative_capacity_serves_nothing() -> None:
    """At -11 deviations a machine serves -30 a minute; the original served less than nothing."""
    _, outcome = one_step(seed_game.start(Rules(), 1), noise=-11.0)
    assert (outcome.capacity[0], outcome.served[0], outcome.failed[0]) == (0, 0, 1000)


def test_step_leaves_the_state_before_it_alone() -> None:
    """A pure function: the same step can be taken twice."""
    state = seed_game.start(Rules(), 2)
    copies = [value.copy() for value in vars(state).values()]
    one_step(seed_game.start(Rules(), 1), (5, 5))
    seed_game.step(Rules(), state, [(5, 5), (1, 1)], np.array([1, 2]), np.zeros(2))
    for value, copy in zip(vars(state).values(), copies, strict=True):
        np.testing.assert_array_equal(value, copy)


def test_warming_is_billed_on_demand() -> None:
    """7 machines in the queue cost 0.35 $ a minute, and only then."""
    start = seed_game.start(Rules(), 1)
    free, billed = (
        one_step(start, (7, 0), rules=Rules(bill_warming=bill))[1] for bill in (False, True)
    )
    assert free.reward[0] - billed.reward[0] == pytest.approx(0.35)
    assert free.warming_cost[0] == billed.warming_cost[0] == pytest.approx(0.35)


@pytest.mark.parametrize("load", [0, 10, 4000, 4480, 4500, 5000, 6500])
@pytest.mark.parametrize("active", [0, 1, 15, 16, 50])
def test_expected_reward_is_the_mean_over_capacity(active: int, load: int) -> None:
    """Against 200,000 draws, within four standard errors and half a transaction."""
    draws = 200_000
    noise = np.random.default_rng(0).standard_normal(draws)
    state = State(np.full(draws, active), np.zeros((draws, 5), np.int64), np.zeros((draws, 5, 4)))
    _, outcome = seed_game.step(Rules(), state, np.zeros((draws, 2)), np.full(draws, load), noise)
    expected = seed_game.expected_reward(Rules(), np.array([active]), np.array([load]))[0]
    error = 4 * outcome.reward.std() / math.sqrt(draws)
    assert outcome.reward.mean() == pytest.approx(expected, abs=error + 0.02)


def test_expected_reward_is_a_rule() -> None:
    """The option pays the expectation, whatever the noise was."""
    start, rules = seed_game.start(Rules(), 1), Rules(expected_reward=True)
    lucky, unlucky = (
        one_step(start, load=15_000, noise=noise, rules=rules)[1].reward[0] for noise in (1, -1)
    )
    assert lucky == unlucky
    assert lucky == pytest.approx(
        seed_game.expected_reward(rules, np.array([50]), np.array([15_000]))[0]
    )


@pytest.mark.parametrize(
    ("change", "order"), [(0.4, (0, 0)), (-0.4, (0, 0)), (2.6, (3, 0)), (-9.9, (0, 10))]
)
def test_change_of_the_fleet_is_an_order_or_a_discard(
    change: float, order: tuple[int, int]
) -> None:
    """Rounded to whole machines, and never both."""
    assert seed_game.orders([[change]]).tolist() == [list(order)]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"warmup_latency": 0}, r"warmup_latency must be in \[1, inf\], is 0"),
        ({"tpm_sigma": -1}, r"tpm_sigma must be in \[0, inf\], is -1"),
        ({"downtime_percent": 101}, r"downtime_percent must be in \[0, 100\], is 101"),
        ({"initial_machines": 834}, r"initial_machines must be in \[0, 833\], is 834"),
        ({"max_time_steps": -1}, r"max_time_steps must be in \[0, inf\], is -1"),
        ({"machine_cost": math.nan}, r"machine_cost must be in \[0, inf\], is nan"),
    ],
)
def test_bad_rules_are_refused(bad: dict[str, Any], message: str) -> None:
    """With the key, the bound and the value."""
    with pytest.raises(ValueError, match=message):
        Rules(**bad)


@pytest.mark.parametrize("action", [math.nan, math.inf])
def test_actions_that_are_no_numbers_are_refused(action: float) -> None:
    """A broken network must not play on in silence."""
    with pytest.raises(ValueError, match=f"actions must be finite, are {action}"):
        one_step(seed_game.start(Rules(), 1), (action, 0))


# Over 300 games of the original, whose mean load was 4,459: mean and deviation of the return.
ORIGINAL_LOAD, ORIGINAL_GAMES = 4459.0, 300
REFERENCES: list[tuple[Contender, float, float]] = [
    (RandomIntegers(), -23_985.0, 19_241.0),
    (DoNothing(), 1514.0, 833.0),
    (SeedHPA(0.7), -982.0, 3240.0),
    (SeedHPA(0.6, window=5), 2654.0, 634.0),
]


@pytest.mark.parametrize(
    ("contender", "mean", "deviation"), REFERENCES, ids=["random", "nothing", "HPA 70", "HPA 60"]
)
def test_returns_are_those_of_the_original(
    contender: Contender, mean: float, deviation: float
) -> None:
    """3,000 games within three combined standard errors.

    The allowance for the original's low sample of loads is a regression: the return of a game on
    its mean load, as our games show it, moves our mean to the original's load.
    """
    sums = play("headstart/SeedGame-v0", contender, games=3000, seed=20)
    returns: npt.NDArray[np.float64] = sums["return"]
    load = sums["load"] / sums["steps"]
    slope = np.cov(load, returns)[0, 1] / load.var(ddof=1)
    ours = returns.mean() + slope * (ORIGINAL_LOAD - load.mean())
    combined = math.hypot(returns.std() / math.sqrt(3000), deviation / math.sqrt(ORIGINAL_GAMES))
    assert ours == pytest.approx(mean, abs=3 * combined)
    assert (sums["steps"] == 1001).all()

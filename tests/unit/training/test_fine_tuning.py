"""A fit replaces the default only where days that it has not seen prove it better."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy import artifact
from headstart_policy.features import REFERENCES
from headstart_policy.guardrails import Guardrails
from headstart_policy.profile import Profile
from headstart_training import fine_tuning
from headstart_training.backtest.services import DAY, Service
from headstart_training.backtest.worlds import play
from headstart_training.fine_tuning import (
    DEFAULT,
    FOLDS,
    LEAST_DAYS,
    dollars_by_day,
    fine_tune,
    multiplied,
    play_days,
    split,
    weigh,
)

# Few steps a day: the tests are about what is kept, not about how well it learns.
INTERVAL = 600.0
PROFILE = Profile(5.0, lead_time=1800.0, interval=INTERVAL, seasons=(DAY,))
LIMITS = Guardrails(max_replicas=1000)


def service(days: int, seed: int = 0) -> Service:
    """Build a service with quiet days of one shape and a little noise."""
    steps = round(days * DAY / INTERVAL)
    phase = 2 * np.pi * np.arange(steps) * INTERVAL / DAY
    noise = np.random.default_rng(seed).normal(1.0, 0.02, steps)
    return Service("quiet", 100 * (1 + 0.5 * np.sin(phase)) * noise, INTERVAL, INTERVAL)


@pytest.mark.parametrize("interval", [420.0, 600.0, 780.0])
def test_every_step_is_of_one_day_whether_or_not_bins_divide_it(interval: float) -> None:
    """206 bins of 7 minutes are more than a day: after 14 days some would be of no day at all."""
    history = replace(
        service(14), interval=interval, rates=np.full(math.ceil(14 * DAY / interval), 60.0)
    )
    profile = replace(PROFILE, interval=interval)
    world = play_days(history, profile, (10, 14))
    earned = dollars_by_day(world, artifact.builtin(), LIMITS, history, (10, 14))
    assert earned.shape == (4,)
    assert world.steps == math.ceil(14 * DAY / interval) - math.ceil(10 * DAY / interval)
    # Each day earns what its steps do, one step more or less.
    np.testing.assert_allclose(earned, earned.mean(), rtol=0.02)


@given(st.integers(LEAST_DAYS, 400))
def test_what_judges_comes_after_what_fits(days: int) -> None:
    folds = split(days)
    assert len(folds) == FOLDS
    assert folds[-1].held[1] == days
    for fold in folds:
        assert 1 == fold.fit[0] < fold.fit[1] == fold.held[0] < fold.held[1]
    for before, after in itertools.pairwise(folds):
        assert before.held[1] == after.held[0]


def test_a_multiplier_is_one_number_in_the_last_biases() -> None:
    network = artifact.builtin().network
    wide = replace(network, least=1e-6, most=1e6)
    random = np.random.default_rng(0)
    rows = random.normal(0, 0.3, (50, network.weights[0].shape[0]))
    references = random.uniform(1, 50, (50, len(REFERENCES)))
    np.testing.assert_allclose(
        multiplied(wide, 1.25).replicas(rows, references),
        1.25 * wide.replicas(rows, references),
        atol=0.002,
    )


def test_luck_alone_seldom_wins() -> None:
    """Of six worthless fits on eight days, one is kept in about 5 % of the cases, not in 26 %."""
    random = np.random.default_rng(1)
    names = [f"fit {number}" for number in range(6)]
    cases = 150
    kept = 0
    for case in range(cases):
        gains = {name: random.normal(0, 100, 8) for name in names}
        kept += max(one.low for one in weigh(gains, case)) > 0
    assert kept / cases < 0.12


def test_a_steady_gain_is_believed_and_one_lucky_day_is_not() -> None:
    steady = np.array([9.0, 10, 11, 10, 9, 11])
    lucky = np.array([500.0, -1, -1, -1, -1, -1])
    first, second = weigh({"steady": steady, "lucky": lucky})
    assert first.low > 0 > second.low
    assert second.gain > first.gain


def test_a_short_history_keeps_the_default_and_says_so() -> None:
    outcome = fine_tune(service(LEAST_DAYS - 1), PROFILE, artifact.builtin(), LIMITS)
    assert (outcome.kept, outcome.candidates) == (DEFAULT, ())
    assert f"at least {LEAST_DAYS} are needed" in outcome.why
    assert outcome.network == artifact.builtin().network


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn in a second: fewer and longer steps."""
    quick = replace(fine_tuning.LEARNING, iterations=40, learning_rate=2e-3)
    monkeypatch.setattr(fine_tuning, "STOPS", (10, 40))
    monkeypatch.setattr(fine_tuning, "LEARNING", quick)


@pytest.mark.usefixtures("few_steps")
def test_a_spoiled_default_is_mended_and_the_same_seed_mends_it_alike() -> None:
    """It asks for half as much again as the shipped one, on every day."""
    shipped = artifact.builtin()
    spoiled = replace(shipped, network=multiplied(shipped.network, 1.5))
    heard: list[tuple[int, int]] = []
    outcome = fine_tune(service(8), PROFILE, spoiled, LIMITS, show=lambda *step: heard.append(step))
    assert outcome.kept != DEFAULT
    best = next(one for one in outcome.candidates if one.name == outcome.kept)
    assert best.low > 0
    assert f"${best.gain:,.2f} a day more" in outcome.why
    assert heard[-1] == (200, 200)
    again = fine_tune(service(8), PROFILE, spoiled, LIMITS)
    assert again.kept == outcome.kept
    for one, other in zip(again.network.weights, outcome.network.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("few_steps")
def test_outside_of_the_envelope_no_fit_can_help() -> None:
    """There the reactive formula decides, whatever the network says."""
    shipped = artifact.builtin()
    nowhere = replace(shipped.envelope, demand=(1e6, 1e7))
    outcome = fine_tune(service(6), PROFILE, replace(shipped, envelope=nowhere), LIMITS)
    assert outcome.kept == DEFAULT
    assert outcome.why.startswith("no fit earned more")


def test_unknown_minutes_do_not_count() -> None:
    """A day of which only the last step is known comes to next to nothing."""
    days = (1, 2)
    whole = service(2)
    steps = round(DAY / INTERVAL)
    holes = whole.rates.copy()
    holes[steps:] = np.nan
    holes[-1] = whole.rates[-1]
    gappy = replace(whole, rates=holes)
    world = play(gappy, PROFILE, steps, 2 * steps)
    dollars = dollars_by_day(world, artifact.builtin(), LIMITS, gappy, days)
    full = dollars_by_day(
        play(whole, PROFILE, steps, 2 * steps), artifact.builtin(), LIMITS, whole, days
    )
    assert abs(dollars[0]) < 0.05 * abs(full[0])

"""The selector follows whoever would have been cheapest, on evidence, and one at a time."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy import selector
from headstart_policy.decision import decide, recommend_selected
from headstart_policy.physics import ready_path
from headstart_policy.profile import Objective, Profiles
from headstart_policy.selector import (
    DEVIATIONS,
    HEDGES,
    LONGEST_LEAD,
    MARGINS,
    NAMES,
    NETWORK,
    Fleet,
    Prior,
    Scores,
)
from tests.unit.policy.build import a_network, a_policy, a_profile, a_situation, an_observation

if TYPE_CHECKING:
    from headstart_policy.network import Network
    from headstart_policy.types import Floats, Ints

COUNT = len(NAMES)
LEANER = MARGINS.index(0.6)
PROFILES = Profiles.stack([a_profile()])
LEAD = PROFILES.lead_steps
# Intervals that the prior counts for.
BELIEF = selector.BELIEF.lead_times * 5


def scores_of(asked: Ints, ready: int = 10) -> Scores:
    """One service's scores with a past, newest first, shape (C, W)."""
    begun = Scores.begin(1, asked.shape[1] - 1)
    return begun._replace(asked=asked[None], ready=np.array([ready]))


def asks_for(multiple: float) -> Network:
    """Make a network that asks for a multiple of the level, whatever it sees."""
    drawn = a_network()
    last = (np.zeros_like(drawn.weights[-1]), np.array([math.log(multiple)]))
    return replace(
        drawn, weights=(*drawn.weights[:-1], last[0]), biases=(*drawn.biases[:-1], last[1])
    )


def follow(costs: Floats) -> Ints:
    """Who is followed in each interval, where the fleet is 10 replicas; costs (T, C), replicas."""
    steps = len(costs)
    demand, known = np.full((steps, 1), 9.0), np.ones((steps, 1), dtype=bool)
    begun = Scores.begin(1, 5)
    return selector.passed_all(begun, costs[:, None], demand, known, PROFILES)[0][:, 0]


def a_past(seed: int, width: int = 6, least: int = 0) -> Ints:
    """Draw what each candidate asked for."""
    return np.random.default_rng(seed).integers(least, 40, (COUNT, width))


@given(
    st.integers(0, 1000),
    st.integers(0, 30),
    st.floats(0.95, 3.0),
    st.sampled_from([0.0, 0.01, 1.0, 200.0]),
)
def test_a_saturated_interval_never_speaks_for_fewer_replicas(
    seed: int, ready: int, load: float, violation: float
) -> None:
    """However cheap a violation is: nobody knows what more replicas would have served."""
    goal = Objective(violation_cost=violation)
    profiles = Profiles.stack([a_profile(objective=goal)])
    past = a_past(seed)
    fleet = Fleet(np.array([ready]), np.array([ready + 2]))
    rate = np.array([load * ready * 5.0])
    (costs,) = selector.learn(scores_of(past, ready), rate, fleet, profiles, LEAD).costs
    served = np.maximum(past.min(axis=1), ready)
    for few, fewer in zip(*np.nonzero(served[:, None] >= served), strict=True):
        assert costs[few] <= costs[fewer]


def test_replicas_that_came_at_the_end_of_a_saturated_interval_hide_nothing() -> None:
    """10 replicas served all they could, 50 requests/s; 15 are ready now."""
    past = np.full((COUNT, 6), 20)
    past[LEANER] = 5
    now = Fleet(np.array([15]), np.array([15]))
    learned = selector.learn(scores_of(past, ready=10), np.array([50.0]), now, PROFILES, LEAD)
    assert learned.costs[0, LEANER] >= learned.costs[0, NETWORK]


def test_a_cheaper_candidate_is_followed_on_enough_evidence_and_not_before() -> None:
    """At a tenth of the fleet saved per interval the prior and the margin are made up for.

    From .1 n > .06 ln(1 / .6) (belief - n) + .01 belief: at .31 of the belief, and a little
    later as evidence fades.
    """
    costs = np.full((int(BELIEF), COUNT), 10.0)
    costs[:, LEANER] -= 1.0
    switched = np.flatnonzero(np.diff(follow(costs)))
    assert switched.size == 1
    assert 0.31 * BELIEF < switched[0] < 0.36 * BELIEF


def test_one_violation_is_enough_where_it_is_dear() -> None:
    costs = np.full((10, COUNT), 10.0)
    more = NETWORK + 1
    costs[4, :more] += 4000.0
    chosen = follow(costs)
    assert (chosen[:5] == NETWORK).all()
    assert (chosen[5:] == more).all()


@pytest.mark.parametrize("seed", range(5))
def test_equals_do_not_take_turns(seed: int) -> None:
    """Three weeks of minutes in which all cost the same on average."""
    random = np.random.default_rng(seed)
    costs = 10.0 + random.normal(0, 2.0, (30_000, COUNT))
    assert np.count_nonzero(np.diff(follow(costs))) <= 2


@given(st.integers(0, 1000), st.integers(1, 3), st.integers(1, 40))
def test_many_intervals_at_once_are_one_after_the_other(
    seed: int, services: int, steps: int
) -> None:
    random = np.random.default_rng(seed)
    profiles = Profiles.stack([a_profile(lead_time=60.0 + 60 * k) for k in range(services)])
    costs = random.normal(10, 300, (steps, services, COUNT))
    demand = random.uniform(0, 20, (steps, services))
    known = random.random((steps, services)) < 0.9
    begun = Scores.begin(services, 1)
    chosen, last = selector.passed_all(begun, costs, demand, known, profiles)
    scores = begun
    for t in range(steps):
        np.testing.assert_array_equal(chosen[t], scores.chosen)
        scores = selector.passed(scores, costs[t], demand[t], known[t], profiles)
    for one, other in zip(last, scores, strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.integers(0, 1000), st.integers(1, 8))
def test_the_past_of_a_candidate_is_what_would_have_been_ready(seed: int, lead: int) -> None:
    """As the physics have it for the path; all that is not known was as the fleet that ran."""
    path = a_past(seed, 20)
    ready = ready_path(path, lead, np.full(COUNT, 7))
    scores = Scores.begin(1, lead)
    fleet, sees = np.array([7]), np.array([False])
    for t in range(20):
        scores = selector.remember(scores, path[None, :, t], fleet, sees)
        np.testing.assert_array_equal(
            selector._ready(scores.asked, np.array([lead]))[0], ready[:, t]
        )


def test_where_the_rate_is_lost_all_hold_and_nothing_is_learned() -> None:
    before = scores_of(a_past(0))
    now = np.array([10])
    learned = selector.learn(before, np.array([np.nan]), Fleet(now, now), PROFILES, LEAD)
    for one, other in zip(learned, before, strict=True):
        np.testing.assert_array_equal(one, other)
    asked = np.arange(COUNT)[None]
    held = selector.remember(learned, asked, now, np.array([True])).asked
    np.testing.assert_array_equal(held[..., 0], before.asked[..., 0])
    np.testing.assert_array_equal(held[..., 1:], before.asked[..., :-1])


def test_the_first_interval_has_no_price() -> None:
    """Nobody had asked for anything in it."""
    now = np.array([10])
    begun = Scores.begin(1, 5)
    learned = selector.learn(begun, np.array([30.0]), Fleet(now, now), PROFILES, LEAD)
    assert learned.weight == 0
    assert not learned.costs.any()


@pytest.mark.parametrize(
    ("missed", "past"),
    [
        (0, [1, 2, 3, 4, 5, 6]),
        (1, [1, 1, 2, 3, 4, 5]),
        (4, [1, 1, 1, 1, 1, 2]),
        # Longer than a few intervals, or back in time: not known.
        (5, [-1] * 6),
        (10**9, [-1] * 6),
        (-1, [-1] * 6),
    ],
)
def test_after_a_gap_nothing_is_priced_over_it(missed: int, past: list[int]) -> None:
    costs = np.arange(float(COUNT))[None]
    before = scores_of(np.tile(np.arange(1, 7), (COUNT, 1)))._replace(costs=costs)
    after = selector.resume(before, missed)
    assert after.asked[0].tolist() == [past] * COUNT
    assert after.costs is costs
    now = np.array([8])
    learned = selector.learn(after, np.array([30.0]), Fleet(now, now), PROFILES, LEAD)
    assert learned.weight == (past[0] > 0)


def test_a_file_from_before_a_candidate_came_is_believed_in_what_it_knows() -> None:
    """Its prior is of some candidates that are no more, and of none that are new."""
    hedges = (0.9, 0.95, 0.975, 1.025, 1.05, *HEDGES)
    names = ["network", *(f"network x {h:g}" for h in hedges), "reactive at 50%", "reactive at 70%"]
    read = Prior.from_json({"costs": dict.fromkeys(names, 0.1), "lead_times": 600.0})
    assert read.lead_times == 600.0
    assert dict(zip(NAMES, read.costs, strict=True)) == {
        name: 0.1 if name in names else 0.1 + believed
        for name, believed in zip(NAMES, selector.BELIEF.costs, strict=True)
    }


def test_a_margin_is_what_is_asked_for_above_the_level() -> None:
    """10 replicas' load, and a network that asks for 1.4 times that."""
    observation = an_observation(np.full((1, 300), 50.0), a_profile(), current=10)
    (found,) = selector.propose(asks_for(1.4), observation)
    asked = dict(zip(NAMES, found.tolist(), strict=True))
    assert asked["network"] == 14
    assert [asked[f"margin x {m:g}"] for m in MARGINS if m != 1] == [13, 14, 14, 15, 16]
    assert [asked[f"network x {h:g}"] for h in HEDGES] == [16, 17, 19, 23, 28]


def test_halfway_to_a_base_stock_is_the_mean_of_both() -> None:
    """10 replicas' load without noise: each replica's capacity strays by 10 %, so theirs by .32."""
    observation = an_observation(np.full((1, 300), 50.0), a_profile(), current=10)
    (found,) = selector.propose(asks_for(1.4), observation)
    asked = dict(zip(NAMES, found.tolist(), strict=True))
    for deviations in DEVIATIONS:
        stock = 10 + deviations * 0.1 * math.sqrt(10)
        assert asked[f"half base stock {deviations:g}"] == math.ceil((14 + stock) / 2)


def test_where_less_than_the_level_is_asked_for_there_is_no_margin_to_change() -> None:
    """Taking 1.3 times a margin below 0 would ask for fewer, where more were meant."""
    observation = an_observation(np.full((1, 300), 50.0), a_profile(), current=10)
    (asked,) = selector.propose(asks_for(0.8), observation)
    assert asked[: len(MARGINS)].tolist() == [8] * len(MARGINS)


def test_a_policy_that_trusts_its_network_less_leaves_it_sooner() -> None:
    """The prior is the policy's own: the same evidence, another belief."""
    steps = int(BELIEF)
    costs = np.full((steps, 1, COUNT), 10.0)
    costs[..., NAMES.index("reactive at 70%")] -= 1.0
    demand, known = np.full((steps, 1), 9.0), np.ones((steps, 1), dtype=bool)

    def loyal_for(prior: Prior) -> int:
        begun = Scores.begin(1, 5)
        chosen, _ = selector.passed_all(begun, costs, demand, known, PROFILES, prior)
        return int((chosen == NETWORK).sum())

    unsure = replace(selector.BELIEF, lead_times=selector.BELIEF.lead_times / 10)
    assert 0 < loyal_for(unsure) < loyal_for(selector.BELIEF) < steps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"costs": {"network": 0.0, "network x 3": 0.1}}, r"of \['network x 3'\], must be of"),
        ({"costs": dict.fromkeys(NAMES, math.nan)}, "one is nan"),
        ({"costs": dict.fromkeys(NAMES, -1.0)}, r"in \[0, 1e\+06\], one is -1"),
        ({"lead_times": 1e308}, "one is 1e\\+308"),
        ({"lead_times": "long"}, "long"),
    ],
)
def test_a_prior_that_says_nonsense_is_refused(change: dict[str, Any], message: str) -> None:
    assert Prior.from_json(selector.BELIEF.to_json()) == selector.BELIEF
    with pytest.raises(ValueError, match=message):
        Prior.from_json({**selector.BELIEF.to_json(), **change})


def test_scores_become_plain_values_and_back_without_loss() -> None:
    random = np.random.default_rng(1)
    begun = Scores.begin(1, 5)
    known = scores_of(a_past(1))._replace(
        costs=random.normal(size=(1, COUNT)),
        weight=random.uniform(size=1),
        fleet=random.uniform(size=1),
        chosen=np.array([3]),
    )
    for scores in (begun, known):
        again = Scores.from_json(json.loads(json.dumps(scores.to_json())))
        for one, other in zip(again, scores, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


@pytest.mark.parametrize(
    "change",
    [
        {"costs": [1.0]},
        {"costs": [float("nan")] * COUNT},
        {"costs": "free"},
        {"costs": {"network": 1}},
        {"weight": -1.0},
        {"weight": float("inf")},
        {"weight": None},
        {"fleet": [1.0]},
        {"ready": 2.5},
        {"ready": 10**30},
        {"chosen": COUNT},
        {"chosen": -1},
        {"chosen": True},
        {"chosen": [1]},
        {"asked": []},
        {"asked": [[]] * COUNT},
        {"asked": [[1, 2]] * (COUNT - 1)},
        {"asked": [[1]] + [[1, 2]] * (COUNT - 1)},
        {"asked": [[1, -1]] * COUNT},
        {"asked": [[2**31]] * COUNT},
        {"asked": [[1] * (LONGEST_LEAD + 2)] * COUNT},
        {"asked": [["1"]] * COUNT},
        {"asked": 7},
    ],
)
def test_scores_that_somebody_broke_are_refused(change: dict[str, Any]) -> None:
    document = {**scores_of(a_past(0)).to_json(), **change}
    with pytest.raises((ArithmeticError, IndexError, KeyError, TypeError, ValueError)):
        Scores.from_json(document)


def test_stacked_and_split_they_are_the_same() -> None:
    leads = np.array([5, 1, 64, 9])
    parts = [scores_of(a_past(k, lead + 1)) for k, lead in enumerate(leads)]
    again = Scores.stack(parts).split(leads)
    for part, other in zip(parts, again, strict=True):
        for one, two in zip(part, other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_a_longer_lead_time_takes_the_oldest_for_what_was_before() -> None:
    scores = scores_of(np.tile([3, 2, 1], (COUNT, 1)))
    assert scores.one(0, 4).asked[0, 0].tolist() == [3, 2, 1, 1, 1]
    assert scores.one(0, 1).asked[0, 0].tolist() == [3, 2]
    assert Scores.begin(1, 1).one(0, 10**6).asked.shape == (1, COUNT, LONGEST_LEAD + 1)


def test_a_decision_does_not_depend_on_its_batch() -> None:
    """Services of all lead times, in any order, together or alone: the same to the last bit."""
    count = 60
    random = np.random.default_rng(4)
    rates = random.uniform(0, 200, (count, 200))
    rates[random.random(rates.shape) < 0.02] = np.nan
    leads = random.integers(1, 9, count)
    profiles = Profiles.stack([a_profile(lead_time=60.0 * lead) for lead in leads])
    seen = replace(an_observation(rates, current=20), profiles=profiles)
    at = a_situation(
        count, rate=random.uniform(0, 200, count), rate_age=random.choice([0.0, 20.0, 99.0], count)
    )
    parts = [
        scores_of(random.integers(5, 40, (COUNT, lead + 1)))._replace(
            costs=random.normal(0, 3000, (1, COUNT)), weight=np.array([1e3])
        )
        for lead in leads
    ]
    policy = a_policy(blind=True)

    def chosen(rows: Ints) -> list[tuple[Any, ...]]:
        situation = replace(
            at,
            **{name: getattr(at, name)[rows] for name in ("now", "interval", "current")},
            **{name: getattr(at, name)[rows] for name in ("rate", "rate_age", "peak", "capacity")},
            history_loaded=at.history_loaded[rows],
            outside=[None] * len(rows),
            limits=[at.limits[i] for i in rows],
            memories=[at.memories[i] for i in rows],
        )
        asked, scores = recommend_selected(
            policy, seen.take(rows), situation, Scores.stack([parts[i] for i in rows])
        )
        decisions = [decision.to_json() for decision in decide(asked, situation)]
        after = [one.to_json() for one in scores.split(leads[rows])]
        return list(zip(decisions, after, strict=True))

    together = chosen(np.arange(count))
    assert len({decision["candidate"] for decision, _ in together}) > 3
    order = random.permutation(count)
    assert chosen(order) == [together[i] for i in order]
    assert [chosen(np.array([i]))[0] for i in range(count)] == together


def test_while_the_history_is_loaded_the_scores_stand_still() -> None:
    before = scores_of(a_past(2))
    situation = a_situation(history_loaded=np.array([False]))
    seen = an_observation(np.full((1, 50), 40.0), current=10)
    _, after = recommend_selected(a_policy(blind=True), seen, situation, before)
    for one, other in zip(after, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_choice_is_explained() -> None:
    costs = np.full((3, COUNT), 500.0)
    costs[0, LEANER], costs[2, LEANER] = 250.0, 600.0
    scores = Scores.begin(3, 1)._replace(
        costs=costs, weight=np.full(3, 100.0), chosen=np.array([LEANER, NETWORK, LEANER])
    )
    assert selector.why(scores) == [
        "the network alone would have cost as much as 2.5 replicas more, on average",
        None,
        "the network has not been clearly cheaper since",
    ]


def test_the_sentence_of_a_decision_says_who_is_followed_and_why() -> None:
    seen = an_observation(np.full((1, 50), 40.0), current=10)
    costs = np.full((1, COUNT), 1e6)
    costs[0, NAMES.index("margin x 1.15")] = 0.0
    scores = scores_of(np.full((COUNT, 6), 10))._replace(costs=costs, weight=np.array([1e4]))
    asked, _ = recommend_selected(a_policy(blind=True), seen, a_situation(), scores)
    (decision,) = decide(asked, a_situation())
    assert decision.candidate == "margin x 1.15"
    assert decision.reason.startswith(
        "the load needs 8.0 replicas, margin x 1.15 (the network alone would have cost as much as "
        "100 replicas more, on average) asks for "
    )

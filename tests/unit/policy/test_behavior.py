"""`behavior` limits changes as autoscaling/v2 does, by Kubernetes' own examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy.behavior import Behavior, Memory, Policy, Rules, Sample, Select, apply

PODS_4 = Policy("Pods", 4, 60)
PERCENT_10 = Policy("Percent", 10, 60)
PERCENT_100 = Policy("Percent", 100, 15)
NOW = 1000.0


def memory(
    recommendations: tuple[tuple[float, int], ...] = (), changes: tuple[tuple[float, int], ...] = ()
) -> Memory:
    """Remember samples given as (seconds ago, replicas)."""
    return Memory(
        tuple(Sample(NOW - ago, count) for ago, count in recommendations),
        tuple(Sample(NOW - ago, count) for ago, count in changes),
    )


@pytest.mark.parametrize(
    ("behavior", "past", "current", "wanted", "desired"),
    [
        # No rules, no limit, no window.
        (Behavior(), memory(), 10, 100, 100),
        (Behavior(), memory(), 100, 0, 0),
        # The documentation's scaleDown example: Pods 4 and Percent 10 per minute, the larger.
        (Behavior(down=Rules(policies=(PODS_4, PERCENT_10))), memory(), 80, 10, 72),
        (Behavior(down=Rules(policies=(PODS_4, PERCENT_10))), memory(), 37, 10, 33),
        (
            Behavior(down=Rules(policies=(PODS_4, PERCENT_10), select=Select.MIN)),
            memory(),
            80,
            10,
            76,
        ),
        (Behavior(down=Rules(select=Select.DISABLED)), memory(), 80, 10, 80),
        (Behavior(down=Rules(select=Select.DISABLED)), memory(), 80, 90, 90),
        # What was changed within the period counts against it; what was before does not.
        (Behavior(down=Rules(policies=(PODS_4,))), memory(changes=((30, -3),)), 77, 10, 76),
        (Behavior(down=Rules(policies=(PODS_4,))), memory(changes=((61, -3),)), 77, 10, 73),
        # More than the limit was done already: not up again.
        (Behavior(down=Rules(policies=(PODS_4,))), memory(changes=((30, -9),)), 71, 10, 71),
        (Behavior(up=Rules(policies=(PERCENT_100,))), memory(), 3, 100, 6),
        (Behavior(up=Rules(policies=(PERCENT_100, PODS_4))), memory(), 3, 100, 7),
        (Behavior(up=Rules(policies=(PODS_4,))), memory(changes=((10, 4),)), 14, 100, 14),
        (Behavior(up=Rules(select=Select.DISABLED)), memory(), 3, 100, 3),
        # 10 % of 3 is rounded up, or a small service could never grow.
        (Behavior(up=Rules(policies=(PERCENT_10,))), memory(), 3, 100, 4),
        # Windows: down only to the most, up only to the least that was wanted within.
        (Behavior(down=Rules(window=300)), memory(((299, 9), (10, 4))), 10, 3, 9),
        (Behavior(down=Rules(window=300)), memory(((301, 9), (10, 4))), 10, 3, 4),
        (Behavior(down=Rules(window=300)), memory(((10, 50),)), 10, 3, 10),
        (Behavior(up=Rules(window=60)), memory(((59, 12), (10, 30))), 10, 40, 12),
        (Behavior(up=Rules(window=60)), memory(((59, 5),)), 10, 40, 10),
    ],
)
def test_changes_are_limited(
    behavior: Behavior, past: Memory, current: int, wanted: int, desired: int
) -> None:
    assert apply(behavior, past, NOW, current, wanted) == desired


rules = st.builds(
    Rules,
    window=st.integers(0, 3600),
    policies=st.lists(
        st.builds(Policy, st.sampled_from(["Pods", "Percent"]), st.integers(1, 200), st.just(60.0)),
        max_size=3,
    ).map(tuple),
    select=st.sampled_from(Select),
)
samples = st.lists(st.tuples(st.floats(1, 3600), st.integers(-50, 50)), max_size=5).map(tuple)


@given(st.builds(Behavior, rules, rules), samples, samples, st.integers(0, 99), st.integers(0, 99))
def test_rules_only_ever_weaken_a_change(
    behavior: Behavior,
    wants: tuple[tuple[float, int], ...],
    changes: tuple[tuple[float, int], ...],
    current: int,
    wanted: int,
) -> None:
    past = memory(tuple((ago, abs(count)) for ago, count in wants), changes)
    desired = apply(behavior, past, NOW, current, wanted)
    assert min(current, wanted) <= desired <= max(current, wanted)


def test_memory_is_bounded_and_survives_json() -> None:
    past = Memory()
    for second in range(0, 20_000, 15):
        past = past.after(float(second), second % 7, 1, horizon=300)
    assert len(past.recommendations) <= 20
    assert len(past.changes) <= 20
    assert Memory.from_json(past.to_json()) == past
    assert past.after(20_000.0, 5, 0, horizon=0) == Memory()


def test_an_unknown_policy_type_is_refused() -> None:
    with pytest.raises(ValueError, match=r"type = 'Cores', must be 'Pods' or 'Percent'"):
        Policy("Cores", 1, 60)

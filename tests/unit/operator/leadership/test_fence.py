"""The fence: when a replica may write, and that a body that was begun is not ended too late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart_operator.kube import MERGE_PATCH, Api, ApiError
from headstart_operator.leadership.fence import Fence, FencedError
from tests.unit.operator.leases import Leases

DEADLINE = 10.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fence(clock: Clock) -> Fence:
    return Fence(DEADLINE, clock)


def test_nothing_is_written_before_the_first_renewal(fence: Fence) -> None:
    with pytest.raises(FencedError), fence.write():
        pass


@given(
    st.lists(
        st.tuples(st.sampled_from(["renew", "close", "wait"]), st.floats(0, 2 * DEADLINE)),
        max_size=30,
    )
)
def test_no_write_later_than_the_last_renewal_and_the_deadline(
    steps: list[tuple[str, float]],
) -> None:
    clock = Clock()
    fence = Fence(DEADLINE, clock)
    asked = None
    for step, seconds in steps:
        clock.now += seconds
        if step == "renew":
            fence.renewed(clock.now)
            asked = clock.now
        elif step == "close":
            fence.close()
            asked = None
        if fence.remaining() > 0:
            assert asked is not None
            assert clock.now + fence.remaining() == pytest.approx(asked + DEADLINE)


def test_a_renewal_counts_from_when_it_was_sent(fence: Fence, clock: Clock) -> None:
    asked = clock.now
    clock.now += 4
    fence.renewed(asked)
    assert fence.remaining() == DEADLINE - 4


def test_a_write_of_an_earlier_term_is_not_sent_in_a_later_one(fence: Fence, clock: Clock) -> None:
    fence.renewed(clock.now)
    with fence.write() as write:
        fence.close()
        fence.renewed(clock.now)
        assert fence.remaining() == DEADLINE
        with pytest.raises(FencedError):
            write.left()


def test_a_renewal_under_way_does_not_open_what_has_ended(fence: Fence, clock: Clock) -> None:
    fence.end()
    fence.renewed(clock.now)
    assert fence.remaining() < 0


def test_it_knows_of_writes_under_way(fence: Fence, clock: Clock) -> None:
    fence.renewed(clock.now)
    with fence.write():
        assert not fence.drained(0.0)
    assert fence.drained(0.0)


def test_a_write_tells_the_server_when_to_give_up(fence: Fence, clock: Clock) -> None:
    with Leases() as server:
        api = Api(server.configuration, fence)
        fence.renewed(clock.now - 6)
        api.patch("/x", {"a": 1}, MERGE_PATCH)
    assert server.requests == [("/x?fieldManager=headstart&timeout=4.000s", b'{"a": 1}')]


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_a_body_whose_leader_is_lost_on_the_way_is_never_whole(
    fence: Fence, clock: Clock, looks: int
) -> None:
    """Stopped while it connects, or between the body and its end: the server acts on neither."""
    with Leases() as server:
        api = Api(server.configuration, fence)
        fence.renewed(clock.now)
        left, count = fence.remaining, 0

        def remaining(term: int | None = None) -> float:
            nonlocal count
            count += 1
            if count > looks:
                clock.now += DEADLINE
            return left(term)

        fence.remaining = remaining  # type: ignore[method-assign]
        with pytest.raises(ApiError, match="not renewed in time"):
            api.patch("/x", {"a": 1}, MERGE_PATCH)
        assert count == looks + 1
    assert server.requests == []

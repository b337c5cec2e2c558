"""The pipeline against explicit pods, and against the min-pool that it reduces to."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headstart_policy.observation import warming_by_remaining
from headstart_policy.physics import ready_path
from headstart_training.fleet import Fleet, advance, remaining_bins
from tests.unit.training.pods import ReplicaSet

PATHS = st.lists(st.integers(0, 12), min_size=1, max_size=40)
SERVICES = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 7)), min_size=1, max_size=4)


@given(path=PATHS, services=SERVICES)
def test_the_pipeline_agrees_with_explicit_pods(
    path: list[int], services: list[tuple[int, int]]
) -> None:
    """Ready, existing and warming by remaining time, for services of different lead times."""
    lead = np.array([lead for _, lead in services])
    initial = np.array([count for count, _ in services])
    fleet = Fleet.all_ready(initial, int(lead.max()))
    bins = remaining_bins(lead, fleet.warming.shape[1])
    sets = [ReplicaSet(count, wait) for count, wait in services]
    for t, wanted in enumerate(path):
        # Each service wants something else, so that a mix-up of rows shows.
        desired = np.array([(wanted + 3 * i) % 13 for i in range(len(services))])
        warming = (bins @ fleet.warming[:, :, None])[:, :, 0]
        for i, pods in enumerate(sets):
            expected = warming_by_remaining(np.array(pods.remaining(t)))
            assert warming[i].tolist() == expected.tolist()
        fleet = advance(fleet, desired, lead)
        truth = [pods.step(t, int(count)) for pods, count in zip(sets, desired, strict=True)]
        assert fleet.ready.tolist() == [ready for ready, _ in truth]
        assert fleet.current.tolist() == [count for _, count in truth] == desired.tolist()


@given(path=PATHS, initial=st.integers(0, 12), lead=st.integers(1, 7))
def test_the_min_pool_agrees_with_the_pipeline(path: list[int], initial: int, lead: int) -> None:
    """``physics.ready_path`` is what comes of the pipeline at a constant lead time."""
    fleet = Fleet.all_ready(np.array([initial]), lead)
    ready = []
    for desired in path:
        fleet = advance(fleet, np.array([desired]), np.array([lead]))
        ready.append(int(fleet.ready[0]))
    pooled = ready_path(np.array([path]), lead, np.array([initial]))
    assert pooled[0].tolist() == ready


def test_a_replica_serves_one_lead_time_after_it_was_asked_for() -> None:
    fleet = Fleet.all_ready(np.array([1]), 3)
    ready = []
    for _ in range(5):
        fleet = advance(fleet, np.array([4]), np.array([3]))
        ready.append(int(fleet.ready[0]))
    assert ready == [1, 1, 1, 4, 4]


def test_shrinking_cancels_the_youngest_warming_first() -> None:
    fleet = Fleet.all_ready(np.array([2]), 3)
    lead = np.array([3])
    for desired in (4, 7, 3):
        fleet = advance(fleet, np.array([desired]), lead)
    # Of the two asked for in step 0 one remains; it is due in step 3, which comes next.
    assert fleet.ready.tolist() == [2]
    assert fleet.warming.tolist() == [[1, 0, 0, 0]]

"""Which starts are measured, in which stages, and what a cancelled one tells."""

from __future__ import annotations

from headstart_operator.workloads.pods import Pod
from headstart_operator.workloads.starts import Start, Stopwatch

NOW = 1000.0


def a_pod(uid: str, created: float, ready: float | None = None, stuck: str | None = None) -> Pod:
    """Describe a pod of template ``t``."""
    return Pod(uid, created, ready, stuck, "t")


def test_starts_are_measured_once_and_only_of_pods_that_we_saw_coming() -> None:
    watch = Stopwatch(since=100)
    old, young, slow = a_pod("old", 50, 200), a_pod("young", 110, 152), a_pod("slow", 120)
    assert [start.seconds for start in watch.measure([old, young, slow], NOW)] == [42]
    assert watch.measure([old, young, slow], NOW) == []
    slow = slow._replace(ready_since=180.0)
    assert [start.seconds for start in watch.measure([young, slow], NOW)] == [60]
    assert watch.measure([young, slow._replace(ready_since=500.0)], NOW) == []


def test_a_pod_of_the_second_in_which_we_began_to_look_is_measured() -> None:
    assert Stopwatch(since=100.9).measure([a_pod("a", 100, 130)], NOW) == [Start("t", 100, 30)]
    assert Stopwatch(since=101.0).measure([a_pod("a", 100, 130)], NOW) == []


def test_a_start_has_stages() -> None:
    pod = a_pod("a", 100, 160)._replace(scheduled=103.0, running_since=140.0)
    (start,) = Stopwatch(since=0).measure([pod], NOW)
    assert start == Start("t", 100, 60, 3, 37)
    assert start.readiness == 20


def test_clocks_that_differ_make_no_stage_negative() -> None:
    pod = a_pod("a", 100, 160)._replace(scheduled=99.0, running_since=170.0)
    (start,) = Stopwatch(since=0).measure([pod], NOW)
    assert (start.scheduling, start.starting, start.readiness) == (0, 60, 0)
    (start,) = Stopwatch(since=0).measure([a_pod("b", 100, 99)], NOW)
    assert start.seconds == 0


def test_a_pod_that_is_deleted_while_it_warms_would_have_taken_longer() -> None:
    watch = Stopwatch(since=0)
    assert watch.measure([a_pod("a", 100), a_pod("b", 100)], now=130) == []
    (start,) = watch.measure([a_pod("b", 100)], now=145)
    assert start == Start("t", 100, 30, cancelled=True)
    assert watch.measure([a_pod("b", 100, 190)], now=200) == [Start("t", 100, 90)]
    # One that was ready and is gone was no start.
    assert watch.measure([], now=215) == []


def test_a_start_that_a_person_mended_is_left_out() -> None:
    watch = Stopwatch(since=0)
    watch.measure([a_pod("a", 100, stuck="ImagePullBackOff"), a_pod("b", 100)], now=130)
    watch.measure([a_pod("a", 100), a_pod("b", 100, stuck="CrashLoopBackOff")], now=145)
    assert watch.measure([a_pod("a", 100, 3000)], now=3010) == []


def test_waiting_for_a_node_is_a_part_of_the_start() -> None:
    watch = Stopwatch(since=0)
    watch.measure([a_pod("a", 100, stuck="Unschedulable")], now=130)
    ready = a_pod("a", 100, 300)._replace(scheduled=250.0)
    assert watch.measure([ready], now=310) == [Start("t", 100, 200, 150, 0)]
    # But one that never found a node tells of a full cluster.
    watch.measure([a_pod("b", 400, stuck="Unschedulable")], now=410)
    assert watch.measure([], now=500) == []

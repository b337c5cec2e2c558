"""Ticks against a fake API server and a fake Prometheus, at a time that the test sets."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from headstart_operator import controller as controllers
from headstart_operator.controller import Controller
from headstart_operator.kube import Api, ApiError
from headstart_operator.reporting import status as statuses
from headstart_operator.reporting.metrics import Metrics
from headstart_operator.reporting.status import Problem
from headstart_operator.rivals.managers import last_setter
from headstart_operator.service import Key, Service
from headstart_operator.settings import Settings
from headstart_operator.sources import pool, rate_reader
from headstart_operator.sources.prometheus import Answer, RateError, Reason
from headstart_operator.workloads.starts import Start, Stopwatch
from headstart_policy import artifact
from tests.unit.operator.test_resource import MINIMAL
from tests.unit.policy.build import a_policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from headstart_operator.sources.history import Gap

NOW = 1_767_225_600.0
KEY = Key("shop", "checkout")
SCALE = "/apis/apps/v1/namespaces/shop/deployments/checkout/scale"
STATUS = "/apis/headstart.dev/v1alpha1/namespaces/shop/scalingpolicies/checkout/status"


class FakeApi(Api):
    """Answers with what the test put there, and remembers what was written."""

    def __init__(self) -> None:
        self.replicas = 4
        self.managers: list[dict[str, Any]] = []
        self.patches: list[tuple[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.failures: dict[str, ApiError] = {}
        self.ahead = 0.0

    def skew(self) -> float:
        """Tell how far the operator's clock is ahead."""
        return self.ahead

    def get(self, path: str, *, accept: str = "", **query: str) -> dict[str, Any]:
        """Answer."""
        del accept, query
        self._fail(path)
        if path == "/apis/apps/v1":
            resources = [("deployments", "Deployment"), ("deployments/scale", "Scale")]
            return {"resources": [{"name": name, "kind": kind} for name, kind in resources]}
        if path.endswith("/scale"):
            spec = {"replicas": self.replicas} if self.replicas else {}
            return {"metadata": {"uid": "d"}, "spec": spec, "status": {"selector": "app=x"}}
        if path.endswith(("/pods", "/resourcequotas")):
            return {"items": []}
        return {"metadata": {"managedFields": self.managers}}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Take an event."""
        self._fail(path)
        self.events.append(body)
        return body

    def patch(self, path: str, body: Any, content_type: str) -> dict[str, Any]:
        """Take a patch."""
        del content_type
        self._fail(path)
        self.patches.append((path, json.loads(json.dumps(body))))
        if path == SCALE:
            self.replicas = body[1]["value"]
        return {}

    def scaled(self) -> list[int]:
        """Return what the replicas were set to."""
        return [body[1]["value"] for path, body in self.patches if path == SCALE]

    def _fail(self, path: str) -> None:
        if error := self.failures.get(path):
            raise error


class FakeSource:
    """A Prometheus whose rate the test sets, and how many series contribute to it."""

    rate: float | RateError = 40.0
    series: float | RateError = 10.0

    def __init__(self, access: object, observe: object, backfill: asyncio.Lock) -> None:
        del access, observe
        self.backfill = backfill

    async def rates(self, query: str, gap: Gap, within: float) -> Answer:
        """Answer with a constant; ten series contributed until the newest instant."""
        del within
        counting = query.startswith("count(")
        value = self.series if counting else self.rate
        if isinstance(value, RateError):
            raise value
        values = np.full(gap.last - gap.first + 1, 10.0 if counting else value)
        values[-1] = value
        return Answer(values, None)

    async def close(self) -> None:
        """Do nothing."""


class Clock:
    """Stands still until the test moves it."""

    now = NOW
    set_by = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def jump(self, seconds: float) -> None:
        """Let someone set it."""
        self.now += seconds
        self.set_by += seconds

    def steady(self) -> float:
        """Tell the time that nobody sets."""
        return self.now - self.set_by


class Stage:
    """A controller with one policy, and all that it sees."""

    def __init__(self, tmp_path: Path) -> None:
        self.api, self.clock = FakeApi(), Clock()
        settings = Settings(prometheus_address="http://prometheus", record=tmp_path / "record")
        self.metrics = Metrics()
        self.controller = Controller(
            self.api, settings, self.metrics, self.clock, self.clock.steady
        )

    def upsert(self, generation: int = 1, status: Any = None, **spec: Any) -> None:
        """Show the controller a policy."""
        # Its phase is 0 at an interval of 15 s.
        metadata = {"uid": "policy-16", "generation": generation}
        document = {**MINIMAL, "mode": "Auto", "seasons": [], **spec}
        self.controller.upsert(KEY, {"metadata": metadata, "spec": document, "status": status})

    @property
    def service(self) -> Service:
        """The policy as the controller keeps it."""
        return self.controller._services[KEY]

    async def tick(self, seconds: float = 15.0) -> dict[str, Any]:
        """Let time pass and decide; return the status."""
        self.clock.now += seconds
        service = self.service
        instant = service.due(self.clock.now, rate_reader.SETTLE)
        assert instant is not None
        service.decided_for = instant
        await self.controller._tick_safely(service, instant)
        await asyncio.gather(*self.controller._work.others)
        return service.status

    def reason(self, kind: str) -> str:
        """Reason of a condition."""
        conditions = self.service.status["conditions"]
        return str(next(c["reason"] for c in conditions if c["type"] == kind))


@pytest.fixture
def play(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[Callable[[Stage], Any]], None]:
    """Provide a function that runs a scene on a fresh stage."""
    monkeypatch.setattr(pool, "Source", FakeSource)
    monkeypatch.setattr(FakeSource, "rate", 40.0)
    monkeypatch.setattr(FakeSource, "series", 10.0)
    monkeypatch.setattr(artifact, "builtin", lambda _: a_policy())

    def run(scene: Callable[[Stage], Any]) -> None:
        async def on_a_loop() -> None:
            stage = Stage(tmp_path)
            try:
                await scene(stage)
            finally:
                await stage.controller.close(1.0)

        asyncio.run(on_a_loop())

    return run


def test_a_decision_is_carried_out_told_and_remembered(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        status = await stage.tick()
        assert stage.api.scaled() == [status["desiredReplicas"]]
        assert status["lastScaleTime"] == "2026-01-01T00:00:00Z"
        assert status["memory"]["contest"]["expected"] == status["desiredReplicas"]
        assert [event["reason"] for event in stage.api.events] == ["Scaled"]
        path, body = stage.api.patches[-1]
        assert path == STATUS
        memory = json.loads(body["status"]["memory"]["text"])
        assert {**body["status"], "memory": memory} == json.loads(json.dumps(status))

    play(scene)


def test_an_unchanged_service_is_neither_scaled_nor_written(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statuses, "REFRESH_EVERY", 1e9)

    async def scene(stage: Stage) -> None:
        stage.upsert()
        # Its own change is news to it, and so is each quarter of the lead time that passes.
        for _ in range(4):
            await stage.tick()
        written = len(stage.api.patches)
        for _ in range(4):
            await stage.tick()
        assert len(stage.api.patches) == written

    play(scene)


def test_scores_are_kept_written_rarely_and_recorded(
    play: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(statuses, "REFRESH_EVERY", 1e9)
    monkeypatch.setattr(artifact, "builtin", lambda _: a_policy(blind=True))

    async def scene(stage: Stage) -> None:
        stage.upsert()
        for _ in range(40):
            await stage.tick()
        written = len(stage.api.patches)
        before = stage.service.status["memory"]["scores"]
        for _ in range(4):
            status = await stage.tick()
        assert len(stage.api.patches) == written
        after = status["memory"]["scores"]
        assert after["time"] - before["time"] == 60.0
        assert after["weight"] > before["weight"] > 30
        lines = [json.loads(line) for line in (tmp_path / "record").read_text().splitlines()]
        assert lines[-1]["scores"]["weight"] == pytest.approx(after["weight"] - 1, abs=0.01)

        # A new operator goes on from there.
        stage.controller.forget(KEY, "policy-16")
        stage.upsert(status=json.loads(json.dumps(status)))
        again = await stage.tick()
        assert again["memory"]["scores"]["weight"] > after["weight"]

    play(scene)


def test_a_lost_rate_holds_and_says_so_after_four_intervals(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        await stage.tick()
        FakeSource.rate = RateError(Reason.TIMEOUT, "did not answer")
        for _ in range(4):
            await stage.tick()
            assert stage.reason("RateAvailable") == "RateRead"
        held = stage.api.replicas
        await stage.tick()
        assert stage.reason("RateAvailable") == "Timeout"
        assert stage.reason("Ready") == "RateUnavailable"
        assert stage.api.replicas == held
        assert "Timeout" in {event["reason"] for event in stage.api.events}

    play(scene)


@pytest.mark.parametrize("series", [2.0, 9.0, RateError(Reason.TIMEOUT, "did not answer")])
def test_a_rate_that_falls_with_its_targets_is_lost(
    play: Any, monkeypatch: pytest.MonkeyPatch, series: float | RateError
) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        for _ in range(3):
            await stage.tick()
        held = stage.api.replicas
        monkeypatch.setattr(FakeSource, "rate", 8.0)
        monkeypatch.setattr(FakeSource, "series", series)
        vanished = series == 2.0
        await stage.tick()
        assert stage.reason("RateAvailable") == ("TargetsVanished" if vanished else "RateRead")
        for _ in range(3):
            await stage.tick()
        assert (stage.api.replicas == held) is vanished
        # Ten minutes later, five times onMetricLoss.after, it is the rate.
        await stage.tick(600)
        assert stage.reason("RateAvailable") == "RateRead"

    play(scene)


def test_after_a_loss_the_first_samples_lower_nothing(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        for _ in range(3):
            await stage.tick()
        held = stage.api.replicas
        monkeypatch.setattr(FakeSource, "rate", np.nan)
        for _ in range(6):
            await stage.tick()
        assert stage.reason("RateAvailable") == "NoSeries"
        monkeypatch.setattr(FakeSource, "rate", 4.0)
        # Half of the lead time of five minutes: ten samples.
        for _ in range(9):
            await stage.tick()
            assert stage.api.replicas == held
        await stage.tick()
        assert stage.api.replicas < held

    play(scene)


def test_an_api_server_that_is_away_is_a_reason_and_no_crash(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        gone = ApiError(0, "the API server cannot be reached")
        stage.api.failures = {SCALE: gone, STATUS: gone}
        await stage.tick()
        assert stage.reason("Ready") == "ApiServerUnreachable"
        stage.api.failures = {}
        await stage.tick()
        assert stage.reason("Ready") == "Deciding"
        assert stage.api.patches[-1][0] == STATUS

    play(scene)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "TargetNotFound"), (403, "TargetForbidden"), (400, "TargetRefused")],
)
def test_a_target_that_cannot_be_read(play: Any, status: int, reason: str) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        stage.api.failures = {SCALE: ApiError(status, "no")}
        await stage.tick()
        assert stage.reason("Ready") == reason
        assert stage.api.events[-1]["reason"] == reason

    play(scene)


def test_someone_who_was_quicker_is_not_overwritten(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()

        def changed(path: str, body: Any, content_type: str) -> dict[str, Any]:
            if path == SCALE:
                stage.api.replicas = 7
                raise ApiError(422, "test failed")
            return FakeApi.patch(stage.api, path, body, content_type)

        stage.api.patch = changed  # type: ignore[method-assign]
        status = await stage.tick()
        assert stage.reason("Ready") == "Deciding"
        assert status["memory"]["contest"]["expected"] == 4
        assert "Scaled" not in {event["reason"] for event in stage.api.events}

    play(scene)


def test_an_admission_policy_that_refuses_so_many_is_no_one_who_was_quicker(play: Any) -> None:
    """Both are answered with 422; taken for the other it would be tried for ever, in silence."""

    async def scene(stage: Stage) -> None:
        stage.upsert()

        def refused(path: str, body: Any, content_type: str) -> dict[str, Any]:
            if path == SCALE:
                raise ApiError(422, "ValidatingAdmissionPolicy 'few' denied request")
            return FakeApi.patch(stage.api, path, body, content_type)

        stage.api.patch = refused  # type: ignore[method-assign]
        await stage.tick()
        assert stage.reason("Ready") == "TargetRefused"
        assert "'few' denied request" in stage.api.events[-1]["message"]

    play(scene)


def test_a_pause_that_comes_while_a_decision_is_made_holds(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus takes its time: the pause would be told of as obeyed, and more replicas run."""

    async def scene(stage: Stage) -> None:
        stage.upsert()
        answer = FakeSource.rates

        async def paused_meanwhile(self: FakeSource, query: str, gap: Gap, within: float) -> Answer:
            paused = {"until": "2100-01-01T00:00:00Z", "by": "ana", "reason": "database"}
            stage.upsert(generation=2, paused=paused)
            return await answer(self, query, gap, within)

        monkeypatch.setattr(FakeSource, "rates", paused_meanwhile)
        await stage.tick()
        assert stage.api.scaled() == []
        assert "lastDecision" not in stage.service.status
        monkeypatch.setattr(FakeSource, "rates", answer)
        status = await stage.tick()
        assert stage.api.scaled() == []
        assert status["observedGeneration"] == 2
        assert stage.reason("ScalingActive") == "Paused"

    play(scene)


def test_a_start_that_is_measured_meanwhile_is_no_loss_of_the_rate(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another lead time has another history, of which nothing was read when it is decided."""

    async def scene(stage: Stage) -> None:
        lost = {"after": "2m", "action": "Replicas", "replicas": 50}
        stage.upsert(maxReplicas=100, guardrails={"onMetricLoss": lost})
        before = await stage.tick()
        planned = stage.service.lead_time
        starts = iter([[Start("d-1", stage.clock.now - 60, 40.0)] * 5])
        monkeypatch.setattr(Stopwatch, "measure", lambda *_: next(starts, []))
        status = await stage.tick()
        assert stage.service.lead_time != planned
        assert stage.reason("RateAvailable") == "RateRead"
        assert status["desiredReplicas"] == before["desiredReplicas"]

    play(scene)


def manager(name: str) -> list[dict[str, Any]]:
    """Describe managedFields of which ``name`` set the replicas."""
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    return [
        {"manager": "kubectl-create", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": name, "time": "2026-01-02T00:00:00Z", "fieldsV1": fields},
    ]


def test_after_a_kill_between_scaling_and_noting_it_we_do_not_suspect_another(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        status = await stage.tick()
        for who, reason in (("headstart", "NotContested"), ("kubectl", "ChangedByAnother")):
            again = Stage.__new__(Stage)
            again.__dict__ |= stage.__dict__
            again.controller = Controller(
                again.api, Settings(), Metrics(), again.clock, again.clock.steady
            )
            again.upsert(status=status)
            again.api.replicas = status["desiredReplicas"] + 1
            again.api.managers = manager(who)
            await again.tick()
            assert again.reason("TargetContested") == reason
            await again.controller.close(1.0)

    play(scene)


def test_a_bug_in_one_tick_is_told_and_the_next_one_runs(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        with monkeypatch.context() as patch:
            patch.setattr(Service, "sight", lambda *_: 1 / 0)
            await stage.tick()
        assert stage.reason("Ready") == "InternalError"
        await stage.tick()
        assert stage.reason("Ready") == "Deciding"

    play(scene)


def test_a_spec_that_cannot_be_read_is_told_and_holds(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert(minReplicas=1000)
        await asyncio.gather(*stage.controller._work.others)
        assert stage.reason("Ready") == "SpecInvalid"
        assert stage.service.due(NOW + 100, 0.5) is None
        stage.upsert(generation=2)
        await stage.tick()
        assert stage.reason("Ready") == "Deciding"

    play(scene)


def test_a_policy_that_is_gone_is_not_decided_for(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        stage.api.failures = {STATUS: ApiError(404, "gone")}
        await stage.tick()
        assert not stage.controller._services
        assert b'policy="checkout"' not in stage.metrics.expose()

    play(scene)


def test_the_loop_decides_once_an_interval(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controllers, "BEAT", 0.001)
    decided = []

    async def scene(stage: Stage) -> None:
        async def note(service: Service, instant: float) -> None:
            assert service is stage.service
            decided.append(instant)

        stage.controller._tick_safely = note  # type: ignore[method-assign]
        stage.upsert()
        loop = asyncio.create_task(stage.controller.run())
        for seconds in (15, 5, 9, 1, 30):
            stage.clock.now += seconds
            await asyncio.sleep(0.02)
        loop.cancel()

    play(scene)
    # At 15.0 s the instant has not settled yet; that of 45 s is skipped, its rate is not.
    assert decided == [NOW, NOW + 15, NOW + 45]


def test_a_clock_that_was_set_back_is_no_end_of_deciding(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour ahead it decided for an instant that comes in an hour: it would wait for it."""
    monkeypatch.setattr(controllers, "BEAT", 0.001)
    decided = []

    async def scene(stage: Stage) -> None:
        async def note(service: Service, instant: float) -> None:
            assert service is stage.service
            decided.append(instant)

        stage.controller._tick_safely = note  # type: ignore[method-assign]
        stage.upsert()
        loop = asyncio.create_task(stage.controller.run())
        for jump in (3600.0, -3600.0):
            stage.clock.now += 15.5
            await asyncio.sleep(0.02)
            stage.clock.jump(jump)
            await asyncio.sleep(0.02)
        loop.cancel()

    play(scene)
    assert decided == [NOW + 15, NOW + 3615, NOW + 3630, NOW + 30]


@pytest.mark.parametrize("ahead", [-3600.0, -61.0, 61.0, 3600.0])
def test_nothing_is_decided_by_a_clock_that_is_not_the_api_servers(play: Any, ahead: float) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert()
        stage.api.ahead = ahead
        status = await stage.tick()
        ready = next(c for c in status["conditions"] if c["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "ClockSkewed")
        assert ("ahead of" if ahead > 0 else "behind") in ready["message"]
        assert not any("scale" in path for path, _ in stage.api.patches)

    play(scene)


def test_who_set_the_replicas() -> None:
    setter = last_setter(manager("kube-controller-manager"), "replicas")
    assert str(setter) == "kube-controller-manager"
    assert last_setter(manager("headstart"), "replicas").ours
    assert str(last_setter([], "replicas")) == "someone"


PAUSED = {"until": "2026-01-01T00:00:25Z", "reason": "migration", "by": "ana"}


def test_a_pause_is_obeyed_until_it_expires_also_across_a_restart(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert(paused=PAUSED)
        status = await stage.tick()
        assert stage.api.scaled() == []
        assert stage.reason("ScalingActive") == "Paused"
        assert stage.reason("Ready") == "Deciding"
        assert status["lastDecision"]["limits"][-1]["guardrail"] == "pin"
        stage.controller.forget(KEY, "policy-16")
        stage.upsert(status=json.loads(json.dumps(status)), paused=PAUSED)
        await stage.tick()
        assert stage.api.scaled() == []
        await stage.tick()
        assert len(stage.api.scaled()) == 1
        assert stage.reason("ScalingActive") == "Scaling"
        reasons = [event["reason"] for event in stage.api.events]
        assert reasons.count("PauseExpired") == 1

    play(scene)


def test_a_pin_is_set_and_its_withdrawal_is_no_expiry(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.upsert(paused={**PAUSED, "until": "2027-01-01T00:00:00Z", "replicas": 7})
        await stage.tick()
        assert stage.api.scaled() == [7]
        assert stage.reason("ScalingActive") == "Pinned"
        stage.upsert(generation=2)
        await stage.tick()
        assert stage.api.replicas != 7
        assert "PauseExpired" not in {event["reason"] for event in stage.api.events}

    play(scene)


def test_what_is_stopped_is_neither_scaled_nor_restored(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.controller._switch.stopped = Problem("Stopped", "ConfigMap headstart/halt")
        stage.upsert(onDelete="Restore")
        status = await stage.tick()
        assert stage.api.scaled() == []
        assert stage.reason("ScalingActive") == "Stopped"
        assert status["desiredReplicas"] != 4
        stage.controller._switch.stopped = None
        await stage.tick()
        assert len(stage.api.scaled()) == 1
        stage.controller._switch.stopped = Problem("Stopped", "ConfigMap headstart/halt")
        stage.controller.forget(KEY, "policy-16")
        await asyncio.gather(*stage.controller._work.others)
        assert len(stage.api.scaled()) == 1

    play(scene)


def test_a_policy_that_goes_while_it_scales_gets_its_replicas_back(play: Any) -> None:
    """The thread that sets them cannot be cancelled: what it did has to be known to be undone."""

    async def scene(stage: Stage) -> None:
        stage.upsert(onDelete="Restore")
        stage.api.managers = manager("headstart")
        under_way, go_on = threading.Event(), threading.Event()
        patch = stage.api.patch

        def slowly(path: str, body: Any, content_type: str) -> dict[str, Any]:
            if path == SCALE and not under_way.is_set():
                under_way.set()
                go_on.wait(10)
            return patch(path, body, content_type)

        stage.api.patch = slowly  # type: ignore[method-assign]
        service = stage.service
        ticks = stage.controller._ticks
        stage.controller._work.keep(ticks, KEY, stage.controller._tick_safely(service, NOW))
        await asyncio.to_thread(under_way.wait, 10)
        stage.controller.forget(KEY, "policy-16")
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*stage.controller._work.others)
        assert stage.api.scaled()[0] != 4
        assert stage.api.replicas == 4

    play(scene)


def test_a_service_that_may_sleep_sleeps_and_wakes(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        FakeSource.rate = 0.2
        sleep = {"activationRate": "0.5", "idleFor": "1m"}
        stage.upsert(minReplicas=0, scaleToZero=sleep)
        status = await stage.tick()
        # The rates before its first decision are known: it was idle for longer than that.
        assert stage.api.replicas == 0
        FakeSource.rate = 5.0
        status = await stage.tick()
        assert stage.api.replicas >= 1
        assert status["memory"]["busy"] == NOW + 15
        FakeSource.rate = 0.2
        for _ in range(3):
            await stage.tick()
            assert stage.api.replicas >= 1
        stage.controller.forget(KEY, "policy-16")
        stage.upsert(status=json.loads(json.dumps(stage.api.patches[-1][1]["status"])))
        stage.upsert(generation=2, minReplicas=0, scaleToZero=sleep)
        await stage.tick()
        assert stage.api.replicas == 0
        assert stage.reason("ScalingActive") == "Scaling"

    play(scene)


def test_zero_that_was_not_asked_for_is_left_alone(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        stage.api.replicas = 0
        stage.upsert()
        await stage.tick()
        assert stage.api.replicas == 0
        assert stage.reason("ScalingActive") == "ScaledToZero"

    play(scene)


def test_those_of_a_restart_begin_one_after_the_other_and_one_alone_at_once(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        def begin(count: int) -> list[float]:
            spec = {**MINIMAL, "mode": "Auto"}
            keys = [Key("shop", f"{stage.clock.now}-{k}") for k in range(count)]
            for key in keys:
                metadata = {"uid": f"uid-{key.name}", "generation": 1}
                stage.controller.upsert(key, {"metadata": metadata, "spec": spec})
            services = [stage.controller._services[key] for key in keys]
            for service in services:
                assert service.due(service.due_at - 0.001, rate_reader.SETTLE) is None
                assert service.due(service.due_at, rate_reader.SETTLE) is not None
            return [service.due_at - stage.clock.now for service in services]

        assert begin(100) == pytest.approx([k * controllers.PACE for k in range(100)], abs=1e-6)
        stage.clock.now += 60
        assert begin(1) == [0.0]

    play(scene)


def test_only_another_series_forgets_the_history(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        def ask(generation: int, **prometheus: str) -> None:
            stage.upsert(generation, rate={"prometheus": {"query": "a", **prometheus}})

        ask(1)
        await stage.tick()
        history = stage.service.history
        ask(2, timeout="5s")
        assert stage.service.history is history
        ask(3, query="b")
        assert stage.service.history is None

    play(scene)


def test_what_a_deleted_hpa_did_is_no_contest(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/moving-from-an-hpa.md ends: Headstart takes over when the HPA is deleted."""
    hpa = {
        "metadata": {"name": "checkout", "namespace": "shop", "uid": "h"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
            "minReplicas": 2,
            "maxReplicas": 50,
        },
    }
    hpas = [hpa]

    async def scene(stage: Stage) -> None:
        answer = stage.api.get

        def get(path: str, *, accept: str = "", **query: str) -> dict[str, Any]:
            if path.endswith("horizontalpodautoscalers"):
                return {"items": hpas}
            return answer(path, accept=accept, **query)

        monkeypatch.setattr(stage.api, "get", get)
        stage.upsert()
        for replicas in (5, 6, 7, 8):
            stage.api.replicas = replicas
            status = await stage.tick()
            assert stage.reason("TargetContested") == "HorizontalPodAutoscaler"
            assert status["memory"]["contest"]["times"] == []
            assert stage.api.replicas == replicas
        hpas.clear()
        FakeSource.rate = 200.0
        for _ in range(2):
            await stage.tick()
        assert stage.reason("TargetContested") != "ChangedByAnother"
        assert stage.api.replicas > 8

    play(scene)


def test_a_rate_that_is_away_at_the_start_is_not_lost_since_ever(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        FakeSource.rate = RateError(Reason.TIMEOUT, "no answer")
        loss = {"after": "2m", "action": "Replicas", "replicas": 50}
        stage.upsert(guardrails={"onMetricLoss": loss}, maxReplicas=100)
        begun = stage.clock.now
        before = stage.api.replicas
        status = await stage.tick()
        assert "no rate is known yet: the replicas are held" in status["lastDecision"]["reason"]
        while stage.clock.now - begun < 105.0:
            assert stage.api.replicas == before
            status = await stage.tick()
        while stage.clock.now - begun < 240.0:
            status = await stage.tick()
        assert stage.api.replicas > before
        assert "no rate is known yet: Replicas" in status["lastDecision"]["reason"]

    play(scene)


def test_the_rate_of_a_new_query_is_waited_for_as_that_of_a_new_policy(play: Any) -> None:
    async def scene(stage: Stage) -> None:
        loss = {"after": "2m", "action": "Replicas", "replicas": 50}
        guarded: dict[str, Any] = {"guardrails": {"onMetricLoss": loss}, "maxReplicas": 100}
        stage.upsert(**guarded)
        for _ in range(20):
            await stage.tick()
        FakeSource.rate = RateError(Reason.TIMEOUT, "no answer")
        before = stage.api.replicas
        stage.upsert(2, rate={"prometheus": {"query": "another"}}, **guarded)
        status = await stage.tick()
        assert "no rate is known yet: the replicas are held" in status["lastDecision"]["reason"]
        assert stage.api.replicas == before

    play(scene)

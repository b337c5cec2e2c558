"""The loop: due policies -> observations -> one batched decision per artefact -> apply.

The only module that reads a clock. Blocking calls run in threads; each policy's tick is a task of
its own, so that an error or a slow answer stays with the policy that it belongs to.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from headstart_operator.accounts.rehearsals import rehearsal_of
from headstart_operator.accounts.scoring import demotion_of
from headstart_operator.artifacts import Artifacts
from headstart_operator.batch import Batcher, Verdict
from headstart_operator.kube import Api, ApiError
from headstart_operator.leadership.clock import Jumps, tolerance
from headstart_operator.leadership.fence import boottime
from headstart_operator.orders.stop import StopSwitch
from headstart_operator.recorder import Recorder
from headstart_operator.reporting import events
from headstart_operator.reporting import status as statuses
from headstart_operator.reporting.status import PAUSED, PINNED, Facts, Problem
from headstart_operator.reporting.teller import Teller
from headstart_operator.resource import Mode
from headstart_operator.rivals.assistant import Assistant
from headstart_operator.rivals.autoscalers import Rivals, Target, target_of
from headstart_operator.rivals.contest import other_policy
from headstart_operator.service import Key, Service, Sight, situation
from headstart_operator.sources.pool import Sources
from headstart_operator.sources.rate_reader import SETTLE, RateReader
from headstart_operator.work import Tasks, Work
from headstart_operator.workloads import podless, pods, rollouts
from headstart_operator.workloads.pod_watch import PodWatch
from headstart_operator.workloads.quota_watch import Quotas
from headstart_operator.workloads.targets import Scale, TargetChangedError, TargetError, Targets
from headstart_policy.artifact import ArtifactError
from headstart_policy.decision import remember
from headstart_policy.error_budget import rehearse
from headstart_policy.guardrails import FRESH_INTERVALS
from headstart_policy.pins import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headstart_operator.reporting.metrics import Metrics
    from headstart_operator.resource import Spec, TargetRef
    from headstart_operator.rivals.contest import Stand
    from headstart_operator.settings import Settings
    from headstart_operator.workloads.pods import Census

# Seconds between two looks at what is due.
BEAT = 0.1
# Seconds between the first decisions of policies that are noticed together.
PACE = 0.01

_log = logging.getLogger(__name__)


class Controller:
    """All policies of one operator; used by one event loop's thread alone."""

    def __init__(
        self,
        api: Api,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = boottime,
    ) -> None:
        self._api = api
        self._steady = steady
        self._jumps = Jumps(clock(), steady())
        self._settings = settings
        self._metrics = metrics
        api.observe = metrics.loop.observe_request
        self._clock = clock
        self._work = Work()
        self._targets = Targets(api, settings.namespaces)
        self._pods = PodWatch(api, settings.namespaces)
        self._rivals = Rivals(api, settings.namespaces, self._work.blocking)
        self._assistant = Assistant(api, self._targets, self._rivals, self._work.blocking)
        self._artifacts = Artifacts(api)
        self._recorder = Recorder(settings.record)
        self._batcher = Batcher()
        self._quotas = Quotas(api, settings.namespaces)
        self._switch = StopSwitch(api, settings.pod_namespace, settings.stop_config_map)
        metrics.loop.stopped.set_function(lambda: self._switch.stopped is not None)
        self._services: dict[Key, Service] = {}
        # Who may touch a workload; ``None`` while that has to be found out anew.
        self._by_target: dict[Target, list[Service]] | None = None
        # Without an election it leads from the start; else until it does, the newest of each
        # policy is kept: its status holds what the leader remembers.
        self.leading = settings.election is None
        self._followed: dict[Key, Mapping[str, Any]] = {}
        self._sources = Sources(
            settings,
            lambda path: self._work.blocking(api.get, path),
            lambda outcome, s: metrics.loop.query.labels(outcome).observe(s),
            clock(),
        )
        self._rates = RateReader(self._sources, self._work, clock)
        metrics.loop.backfills.set_function(lambda: len(self._rates.backfills))
        self._teller = Teller(api, metrics, self._work, clock, settings.pod)
        self._ticks: Tasks = {}
        self._writes: Tasks = {}
        self._rehearsals: Tasks = {}
        self._rehearsing = asyncio.Lock()
        # When the newest policy was first due.
        self._turn = -math.inf
        self.beat = clock()

    def upsert(self, key: Key, policy: Mapping[str, Any]) -> None:
        """Take notice of a new or changed policy."""
        if not self.leading:
            self._followed[key] = policy
            return
        service = self._services.get(key)
        is_new = service is None or service.uid != policy["metadata"]["uid"]
        if service is None or is_new:
            service = self._services[key] = Service.begin(key, policy)
            # After a restart with 1,000 policies, their statuses are written over a minute.
            service.written_at = self._clock() - random.uniform(0, statuses.REFRESH_EVERY)  # noqa: S311
        changed = service.update(policy)
        if is_new:
            # One alone is due at once. Those of a restart come one after the other: all at once,
            # the last would wait for Prometheus longer than it waits for an answer.
            self._turn = max(self._turn + PACE, self._clock())
            service.noticed = service.due_at = self._turn
        if changed:
            self._by_target = None
            self._metrics.loop.policies.set(len(self._services))
            _log.info("%s/%s: generation %d", *key, service.generation)
            if service.spec_problem is not None:
                self._work.spawn(self._tell(service, service.facts(service.spec_problem)))

    def forget(self, key: Key, uid: str) -> None:
        """Take notice of a policy's end."""
        if self._followed.get(key, {}).get("metadata", {}).get("uid") == uid:
            del self._followed[key]
        service = self._services.get(key)
        if service is None or service.uid != uid:
            return
        self._drop(key)
        self._work.spawn(self._give_back(service))
        _log.info("%s/%s: gone", *key)

    def _drop(self, key: Key) -> None:
        del self._services[key]
        self._by_target = None
        for tasks in (self._ticks, self._rates.backfills, self._rehearsals):
            if task := tasks.pop(key, None):
                task.cancel()
        self._recorder.forget(key)
        self._metrics.forget(*key)
        self._metrics.loop.policies.set(len(self._services))

    def lead(self) -> None:
        """Begin to decide, as after a restart: from what each policy's status remembers."""
        self.leading = True
        self._metrics.loop.leading.set(1)
        # It may be of a clock that has been set back since.
        self._turn = -math.inf
        followed, self._followed = self._followed, {}
        for key, policy in followed.items():
            self.upsert(key, policy)

    def follow(self) -> None:
        """Decide no more, and forget what only a leader may know; the fence is closed."""
        self.leading = False
        self._metrics.loop.leading.set(0)
        for key, service in list(self._services.items()):
            self._drop(key)
            self._followed[key] = service.as_policy()
        for task in self._work.others:
            task.cancel()

    async def run(self) -> None:
        """Decide whenever a policy is due, until cancelled."""
        # Before the first decision: a restart must not scale what is stopped.
        await self._work.blocking(self._switch.look)
        while True:
            self.beat = self._clock()
            if self._switch.due(self.beat):
                self._work.spawn(self._work.blocking(self._switch.look))
            if jump := self._jumps.since(self.beat, self._steady()):
                self._begin_anew(jump)
            for key, service in self._services.items():
                instant = service.due(self.beat, SETTLE)
                if instant is not None and key not in self._ticks:
                    service.decided_for = instant
                    self._work.keep(self._ticks, key, self._tick_safely(service, instant))
            if self.leading and self._assistant.due(self.beat):
                stopped = self._switch.stopped is not None
                self._work.spawn(self._assistant.care(self._services, self.beat, stopped=stopped))
            await asyncio.sleep(BEAT)

    def _begin_anew(self, jump: float) -> None:
        """Forget what was decided for, and the rates: they are of another clock's instants."""
        _log.warning("the clock was set by %+.0f s: beginning anew", jump)
        if self.leading:
            self.follow()
            self.lead()

    async def close(self, within: float) -> None:
        """Let what runs end ``within`` seconds, and leave the rest."""
        for task in [*self._rates.backfills.values(), *self._rehearsals.values()]:
            task.cancel()
        running = [*self._ticks.values(), *self._work.others]
        if running:
            await asyncio.wait(running, timeout=within)
        self._pods.stop()
        self._quotas.stop()
        self._targets.stop()
        self._work.close()
        await self._sources.close()
        self._recorder.close()

    async def _tick_safely(self, service: Service, instant: float) -> None:
        due = max(instant + service.phase + SETTLE, service.noticed)
        try:
            facts = await self._tick(service, instant)
        except Exception as error:  # noqa: BLE001 - it must stay with this policy.
            _log.exception("%s/%s: a bug", *service.key)
            self._metrics.loop.crashes.inc()
            facts = service.facts(Problem("InternalError", f"{type(error).__name__}: {error}"))
        self._metrics.loop.lag.observe(max(0.0, self._clock() - due))
        if facts is None:
            _log.info("%s/%s: changed meanwhile: decided anew", *service.key)
            return
        with suppress(ApiError):
            await self._tell(service, facts)

    async def _tick(self, service: Service, instant: float) -> Facts | None:
        """Observe, decide and apply for one policy; ``None``: it is another by now, and due anew.

        Prometheus may take seconds to answer. A pause that came in between would be told of as
        obeyed while the replicas are set.
        """
        spec, generation = service.spec, service.generation
        if spec is None:
            return service.facts(service.spec_problem)
        skew = self._api.skew()
        if abs(skew) > tolerance(FRESH_INTERVALS * spec.interval):
            return service.facts(_skewed(skew))
        now = self._clock()
        history = service.plan(spec, now)
        self._rates.ask_sli(service, spec, instant)
        rates, policy, seen = await asyncio.gather(
            self._rates.read(service, spec, history, instant),
            self._read_policy(service, spec, now),
            self._read_target(service, spec, now),
            return_exceptions=True,
        )
        if isinstance(seen, TargetError):
            return service.facts(Problem(seen.reason, str(seen)))
        for result in (rates, policy, seen):
            if isinstance(result, BaseException):
                raise result
        scale, census = cast("tuple[Scale, Census]", seen)
        namespace = service.key.namespace
        if self._quotas.due(namespace, scale.path, now):
            await self._work.blocking(self._quotas.look, namespace, scale.path, now)
        existing = min(scale.replicas, service.pods)
        headroom = self._quotas.of(namespace, scale.path, existing, now)
        sight = service.sight(spec, history, scale, census, instant, headroom)
        verdict = await self._batcher.decide(sight)
        if service.generation != generation:
            return None
        demoted = demotion_of(verdict.scoring) if verdict.scoring else None
        self._recorder.decision(
            service.key, service.document, history, sight, verdict.decision, demoted
        )
        facts = service.judged(sight, verdict, census)
        self._rehearse(service, sight, verdict)
        return await self._apply(service, sight, scale, verdict, facts)

    def _rehearse(self, service: Service, sight: Sight, verdict: Verdict) -> None:
        """Find the price that keeps to an error budget, where it is time to; one policy at a time.

        Half a second of numpy: in a thread, so that the loop goes on.
        """
        asked = rehearsal_of(service, sight, verdict.scoring)
        if asked is None or service.key in self._rehearsals:
            return

        async def work() -> None:
            async with self._rehearsing:
                price = await self._work.blocking(rehearse, *asked)
            service.news = service.news._replace(price=price, rehearsed=True)

        self._work.keep(self._rehearsals, service.key, work())

    async def _read_target(self, service: Service, spec: Spec, now: float) -> tuple[Scale, Census]:
        """Read the scale and its pods, and note what others did to it.

        Raises
        ------
        TargetError
            It cannot be read.
        """
        namespace = service.key.namespace
        try:
            scale = await self._scale(namespace, spec.scale_target_ref, now)
            found = await self._pods_of(namespace, scale.selector)
        except ApiError as error:
            raise TargetError("PodsUnreadable", f"pods cannot be listed: {error}") from error
        service.see_target(scale, now)
        service.pods = len(found)
        await self._assistant.see(service, now)
        contest = service.memory.contest
        left_to = service.left_to(spec)
        # The changes of an autoscaler that has the workload to itself are no contest: counted, they
        # would keep Headstart's hands off for hours after that one was deleted.
        alone = left_to is None or not left_to.hands_off
        if spec.mode is Mode.AUTO and alone and contest.differs(scale.uid, scale.replicas):
            # Killed between setting the replicas and noting it, we would suspect another.
            who, advice = await self._work.blocking(
                self._targets.who_set, scale, spec.scale_target_ref
            )
            if not who.ours:
                service.contested(scale, str(who), now, advice)
        service.accept(scale, scale.replicas)
        service.see_floor(now)
        service.take_stand(spec, self._other_policy(service, spec), now)
        if service.stopwatch is not None:
            service.measure(service.stopwatch.measure(found, now))
        return scale, await self._census(service, spec, scale, found, now)

    async def _scale(self, namespace: str, ref: TargetRef, now: float) -> Scale:
        """Return a workload's scale as it was read, or read it where it may have changed."""
        known = self._targets.known(namespace, ref, now)
        if known is not None:
            return known
        return await self._work.blocking(self._targets.read, namespace, ref, now)

    async def _pods_of(self, namespace: str, selector: str) -> list[pods.Pod]:
        """Return the pods that the watch knows, or list them where it knows nothing."""
        if not selector:
            # It would find every pod of the namespace; replicas that are no pods have none.
            return []
        known = self._pods.find(namespace, selector)
        if known is not None:
            return known
        return await self._work.blocking(pods.list_pods, self._api, namespace, selector)

    async def _census(
        self, service: Service, spec: Spec, scale: Scale, found: list[pods.Pod], now: float
    ) -> Census:
        """Count the pods; where some are missing or late, ask the workload why."""

        def count(rollout: rollouts.Rollout | None = None) -> Census:
            since = service.replicas_since
            return pods.count(found, scale.replicas, now, service.lead_time, since, rollout)

        census = count()
        is_new = service.ordering.concerns(spec.scale_target_ref.kind, scale.uid)
        if not (census.doubtful or is_new):
            return census
        try:
            workload = await self._work.blocking(self._api.get, scale.path)
        except ApiError:
            # It would only say more precisely what the pods show.
            return census
        service.ordering = rollouts.Ordering.of(workload, scale.uid)
        since = service.replicas_since
        machines = podless.count(workload, scale.replicas, now, service.lead_time, since)
        return machines if machines and not found else count(rollouts.read(workload))

    async def _read_policy(self, service: Service, spec: Spec, now: float) -> None:
        """Read the artefact; a broken one leaves the last good one in place."""
        asked = (service.key.namespace, spec.policy, now)
        try:
            if spec.policy.config_map is None:
                # One that came with the package was read once and for all: no thread needed.
                service.policy = self._artifacts.read(*asked)
            else:
                service.policy = await self._work.blocking(self._artifacts.read, *asked)
            service.policy_problem = None
        except ArtifactError as error:
            kept = "the last good one decides" if service.policy else "replicas only grow"
            service.policy_problem = Problem("PolicyInvalid", f"{error}; until then {kept}")

    async def _apply(
        self, service: Service, sight: Sight, scale: Scale, verdict: Verdict, facts: Facts
    ) -> Facts:
        """Set the replicas where that is asked for, and remember the decision."""
        decision = verdict.decision
        ordered = self._ordered(sight)
        may = ordered is None or ordered.reason == PINNED
        inactive = self._inactive(service, sight.spec, scale) if may else None
        if service.order_ended(sight.orders):
            what = "spec.paused has expired: the policy decides again"
            self._teller.event(service, events.NORMAL, "PauseExpired", what)
        carried_out = False
        active = may and inactive is None
        if sight.spec.mode is Mode.AUTO and active and decision.desired != scale.replicas:
            try:
                self._work.keep(
                    self._writes, service.key, self._set(service, scale, decision.desired)
                )
                await asyncio.shield(self._writes[service.key])
                carried_out = True
            except TargetChangedError:
                _log.info("%s/%s: replicas changed meanwhile: next time", *service.key)
            except TargetError as error:
                inactive = Problem(error.reason, str(error))
        assisted, raised = None, False
        if sight.spec.mode is Mode.ASSIST and may:
            outcome = await self._assistant.raise_floor(service, decision.desired, self._clock())
            inactive, assisted, raised = outcome.problem, outcome.hpa, outcome.carried_out
            if raised:
                service.last_scale = sight.time
                direction = "up" if outcome.after > outcome.before else "down"
                self._metrics.scalings.labels(*service.key, direction).inc()
                floor = f"minReplicas of {outcome.hpa}: {outcome.before} -> {outcome.after}"
                self._teller.event(
                    service, events.NORMAL, "Assisted", f"{floor}: {decision.reason}"
                )
        if carried_out:
            service.last_scale = sight.time
            direction = "up" if decision.desired > scale.replicas else "down"
            self._metrics.scalings.labels(*service.key, direction).inc()
            message = f"{scale.replicas} -> {decision.desired} replicas: {decision.reason}"
            self._teller.event(
                service,
                events.NORMAL,
                "Scaled",
                message,
                before=scale.replicas,
                after=decision.desired,
                candidate=decision.candidate,
                limits=[limit.guardrail for limit in decision.limits],
            )
        behavior = remember(
            decision,
            situation([sight], sight.observation, [verdict.outside]),
            0,
            carried_out=carried_out or raised,
        )
        service.memory = replace(
            service.memory,
            behavior=behavior,
            selection=verdict.selection,
            scoring=verdict.scoring,
        )
        return replace(
            facts,
            inactive=inactive,
            ordered=None if inactive else ordered,
            assisted=assisted,
            problem=facts.problem or inactive,
            last_scale=service.last_scale,
        )

    async def _set(self, service: Service, scale: Scale, replicas: int) -> None:
        """Set the replicas and note it, to the end: a policy that goes may want the old ones back.

        Its tick ends at once, but a thread cannot be cancelled.
        """
        await self._work.blocking(self._targets.write, scale, replicas)
        service.acted(scale, replicas)

    def _ordered(self, sight: Sight) -> Problem | None:
        """Say what people have ordered instead of the policy's decisions."""
        pause = sight.orders.pause
        if self._switch.stopped is not None:
            return self._switch.stopped
        if pause is None or pause.block is not Block.ALL:
            return None
        if pause.replicas is None:
            return Problem(PAUSED, f"paused {pause.message}")
        return Problem(PINNED, f"pinned at {pause.replicas} {pause.message}")

    def _inactive(self, service: Service, spec: Spec, scale: Scale) -> Problem | None:
        """Say why a policy in mode Auto must not set the replicas."""
        if service.stand is not None and service.stand.hands_off:
            return Problem("TargetContested", service.stand.message)
        if scale.replicas == 0 and spec.scale_to_zero is None:
            return Problem(
                "ScaledToZero",
                "someone scaled the workload to 0 replicas, which turns scaling off until they "
                "set at least 1, as it does with a HorizontalPodAutoscaler",
            )
        if service.ordering.message is not None and spec.mode is not Mode.OBSERVE:
            return Problem(rollouts.IN_ORDER, service.ordering.message)
        return None

    def _other_policy(self, service: Service, spec: Spec) -> Stand | None:
        """Stand to another policy of the same workload that may touch it."""
        if self._by_target is None:
            self._by_target = defaultdict(list)
            for one in self._services.values():
                if one.spec is not None and one.spec.mode is not Mode.OBSERVE:
                    target = target_of(one.key.namespace, one.spec.scale_target_ref)
                    self._by_target[target].append(one)
        target = target_of(service.key.namespace, spec.scale_target_ref)
        others = [one for one in self._by_target.get(target, ()) if one is not service]
        first = min([service, *others], key=lambda other: (other.created, other.key))
        if first is not service:
            return other_policy(first.key.name, older=True)
        return other_policy(others[0].key.name, older=False) if others else None

    async def _give_back(self, service: Service) -> None:
        """Restore what a policy that has gone asked to be restored."""
        if self._switch.stopped is not None:
            return
        if (write := self._writes.get(service.key)) is not None:
            await asyncio.wait([write])
        what = await self._assistant.end(service, self._clock())
        if what is not None:
            self._teller.event(service, events.NORMAL, "Restored", f"the policy has gone: {what}")

    async def _tell(self, service: Service, facts: Facts) -> None:
        """Publish what is known of a policy that is still there."""
        if self._services.get(service.key) is not service:
            return
        if not await self._teller.tell(service, facts):
            self.forget(service.key, service.uid)


def _skewed(skew: float) -> Problem:
    # In steps: each new number would be a new status.
    about, side = f"{abs(skew):.1g}", "ahead of" if skew > 0 else "behind"
    return Problem(
        "ClockSkewed",
        f"this operator's clock is about {float(about):g} s {side} the API server's: it would take "
        "old rates for new ones, so nothing is decided; look at the node's time synchronisation",
    )

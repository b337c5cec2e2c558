"""One policy and the service that it scales: what the operator knows of it between two ticks.

No I/O and no clock: the controller brings what was seen, and when.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from headstart_operator.accounts.forecasts import Forecasts
from headstart_operator.accounts.scoring import News, priced
from headstart_operator.accounts.selection import go_on
from headstart_operator.memory import Memory
from headstart_operator.orders.idleness import activation, busy_until
from headstart_operator.orders.known_events import Calendar
from headstart_operator.orders.orders import Orders
from headstart_operator.reporting.events import Chronicle, Subject
from headstart_operator.reporting.status import ORDERED, Facts, Problem, parse_time
from headstart_operator.resource import Mode, Spec, SpecError
from headstart_operator.rivals import assist
from headstart_operator.rivals import contest as contests
from headstart_operator.rivals.autoscalers import Found
from headstart_operator.rivals.contest import Contest
from headstart_operator.rivals.originals import Original
from headstart_operator.sources import plausibility
from headstart_operator.sources.doubts import Fall, doubts, judged, recovers
from headstart_operator.sources.history import Gap, History, phase_of
from headstart_operator.sources.plausibility import Replicas
from headstart_operator.sources.prometheus import Reason
from headstart_operator.workloads.rollouts import Ordering
from headstart_operator.workloads.starts import Start, Stopwatch
from headstart_policy import known_events
from headstart_policy.guardrails import FRESH_INTERVALS, Situation
from headstart_policy.observation import Observation, recent_peak
from headstart_policy.profile import Profiles
from headstart_policy.windows import load_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headstart_operator.accounts.selection import Selection
    from headstart_operator.batch import Verdict
    from headstart_operator.workloads.pods import Census
    from headstart_operator.workloads.targets import Scale
    from headstart_policy.artifact import Policy
    from headstart_policy.guardrails import Headroom
    from headstart_policy.profile import Profile
    from headstart_policy.types import Floats


T = TypeVar("T")

_LOADING = Problem(
    "HistoryLoading", "The history is still being loaded: until then replicas only grow."
)


class Key(NamedTuple):
    """A policy's namespace and name."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Sight:
    """All that one decision rests on.

    Attributes
    ----------
    time
        The instant of the grid that is decided for, s since the epoch.
    profile, spec, memory
        Of the service.
    selection
        What the selector goes on from; ``None``: the policy leaves it nothing to choose from.
    observation
        Of one service.
    rate, rate_age
        Newest known rate, requests/s, and its age, s.
    watched
        For how long the rate has been asked for, s.
    history_loaded
        Whether all of the past was read.
    raise_only
        Why the replicas may not be lowered.
    orders
        What people and the cluster ask for.
    held
        What the decision is to change: the replicas, or in mode Assist the HPA's minReplicas.
    policy
        ``None``: none can be read, the reactive formula decides.
    news
        What came in of the sli and the error budget.
    blocked
        Whether replicas are missing because pods will not come.
    """

    time: float
    spec: Spec
    profile: Profile
    memory: Memory
    selection: Selection | None
    observation: Observation
    rate: float
    rate_age: float
    watched: float
    history_loaded: bool
    raise_only: str | None
    orders: Orders
    held: int
    policy: Policy | None
    news: News = News()  # noqa: RUF009  # Of constants.
    blocked: bool = False


@dataclass
class Service:
    """State of one policy; all of it is used by the event loop's thread alone."""

    key: Key
    uid: str
    created: str = ""
    generation: int = 0
    document: Mapping[str, Any] = field(default_factory=dict)
    spec: Spec | None = None
    spec_problem: Problem | None = None
    memory: Memory = field(default_factory=Memory)
    status: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)
    written_at: float = -math.inf
    last_scale: float | None = None
    chronicle: Chronicle = field(init=False)

    history: History | None = None
    rate_problem: Problem | None = None
    policy: Policy | None = None
    policy_problem: Problem | None = None
    stopwatch: Stopwatch | None = None
    ordering: Ordering = field(default_factory=Ordering)
    lately: Replicas = field(default_factory=Replicas)
    replicas: int | None = None
    replicas_since: float | None = None
    decided_for: float = -math.inf
    news: News = News()  # noqa: RUF009  # Of constants.
    found: Found = field(default_factory=Found)
    stand: contests.Stand | None = None
    floor_changed: tuple[int, int] | None = None
    """What someone made of a raised floor, while it is not answered."""
    due_at: float = -math.inf
    """Not due before this, s since the epoch."""
    noticed: float = -math.inf
    """When the policy was first due, s since the epoch."""
    forecasts: Forecasts = field(default_factory=Forecasts)
    calendar: Calendar = field(default_factory=Calendar)
    pods: int = 0
    """Pods that live, of whichever template."""
    under_orders: bool = False
    """Whether spec.paused was in force when last decided."""

    def __post_init__(self) -> None:
        """Begin to tell of it."""
        self.chronicle = Chronicle(Subject(*self.key, self.uid))

    @classmethod
    def begin(cls, key: Key, policy: Mapping[str, Any]) -> Service:
        """Begin with a policy, at our start or its own, from what its status remembers."""
        metadata, status = policy["metadata"], dict(policy.get("status") or {})
        memory = Memory.from_json(status.get("memory"))
        # What somebody wrote there by hand ends here.
        status["memory"] = memory.to_json()
        return cls(
            key,
            uid=metadata["uid"],
            created=str(metadata.get("creationTimestamp", "")),
            memory=memory,
            status=status,
            written=status,
            last_scale=parse_time(status.get("lastScaleTime")),
            under_orders=any(c.get("reason") in ORDERED for c in status.get("conditions") or ()),
        )

    def as_policy(self) -> dict[str, Any]:
        """Write what :meth:`begin` and :meth:`update` read: the policy with its newest status."""
        metadata = {
            "uid": self.uid,
            "creationTimestamp": self.created,
            "generation": self.generation,
        }
        return {"metadata": metadata, "spec": self.document, "status": self.status}

    def update(self, policy: Mapping[str, Any]) -> bool:
        """Take in the object as the API server has it; whether its spec is new to us."""
        generation = int(policy["metadata"].get("generation", 0))
        if generation == self.generation:
            return False
        self.generation, self.due_at = generation, -math.inf
        self.document = policy.get("spec") or {}
        before = self.spec
        try:
            self.spec, self.spec_problem = Spec.parse(self.document), None
        except SpecError as error:
            self.spec, self.spec_problem = None, Problem("SpecInvalid", str(error))
        if before is not None and self.spec is not None:
            self._compare(before, self.spec)
            self.memory = replace(self.memory, contest=self.memory.contest.rest())
        return True

    @property
    def lead_time(self) -> float:
        """Lead time that is planned with, s; 0 without a spec."""
        return self.memory.lead_times.plan(self.spec.lead_time.default) if self.spec else 0.0

    def plan(self, spec: Spec, now: float) -> History:
        """Return the history for the lead time that is planned with now."""
        profile = spec.profile(self.lead_time)
        if self.history is None or not _same_grids(self.history.profile, profile):
            self.history = History(profile, self.phase, begun=now)
        self.history.profile = profile
        return self.history

    def due(self, now: float, settle: float) -> float | None:
        """Return the instant to decide for, ``None`` if it was decided for."""
        # 1,000 policies are looked at ten times a second.
        if self.spec is None or now < self.due_at:
            return None
        interval = self.spec.interval
        time = math.floor((now - settle - self.phase) / interval) * interval
        if time > self.decided_for:
            return time
        self.due_at = time + interval + self.phase + settle
        return None

    @property
    def phase(self) -> float:
        """Seconds by which the policy's instants come later than they are named."""
        return phase_of(self.uid, self.spec.interval) if self.spec else 0.0

    def see_target(self, scale: Scale, now: float) -> None:
        """Note the replicas, and since when they are asked for."""
        self.memory = replace(self.memory, contest=self.memory.contest.clamped(now))
        if self.memory.contest.uid != scale.uid or self.stopwatch is None:
            self.stopwatch = Stopwatch(since=now)
        if self.replicas != scale.replicas:
            # At the first sight too: pods that are missing a lead time later do not come.
            self.replicas_since = now
            self.replicas = scale.replicas
        if self.companion is not None:
            self.lately = self.lately.see(now, scale.replicas, self.companion.reach)

    def accept(self, scale: Scale, replicas: int) -> None:
        """Take ``replicas`` for ours; in mode Observe none are."""
        observing = self.spec is None or self.spec.mode is Mode.OBSERVE
        contest = Contest() if observing else self.memory.contest.accept(scale.uid, replicas)
        original = self.memory.original
        if observing:
            contest = replace(contest, uid=scale.uid)
        if observing or (original is not None and original.uid != scale.uid):
            original = None
        self.memory = replace(self.memory, contest=contest, original=original)

    def acted(self, scale: Scale, replicas: int) -> None:
        """Note that ``replicas`` were set, and what there was before the first time."""
        original = self.memory.original or Original(scale.uid, scale.replicas)
        self.accept(scale, replicas)
        self.memory = replace(self.memory, original=original)

    def contested(self, scale: Scale, who: str, now: float, advice: str = "") -> None:
        """Note that someone else has set the replicas."""
        contest = self.memory.contest.contested_by(who, now, scale.replicas, advice)
        self.memory = replace(self.memory, contest=contest)

    def see_floor(self, now: float) -> None:
        """In mode Assist, note that someone else has set the HPA's minReplicas, once each time."""
        hpa = self.found.hpa
        if self.spec is None or self.spec.mode is not Mode.ASSIST or hpa is None:
            return
        change = assist.changed(hpa)
        if change is not None and change != self.floor_changed:
            contest = self.memory.contest.floor_contested_by(
                str(hpa.setter), now, change, hpa.advice
            )
            self.memory = replace(self.memory, contest=contest)
        self.floor_changed = change

    def held(self, spec: Spec, scale: Scale) -> int:
        """Return what a guardrail that holds is to hold.

        In mode Assist the HPA has the replicas. To hold those at its peak would leave it a floor
        of them for as long as the rate is lost.
        """
        hpa = self.found.hpa
        return hpa.least if spec.mode is Mode.ASSIST and hpa is not None else scale.replicas

    def left_to(self, spec: Spec) -> contests.Stand | None:
        """Say which autoscaler the workload is left to; only mode Auto gives way to one."""
        if spec.mode is not Mode.AUTO:
            return None
        return contests.autoscaler(self.found, spec.min_replicas, spec.max_replicas)

    def take_stand(self, spec: Spec, other: contests.Stand | None, now: float) -> None:
        """Say how to stand to whoever else scales the workload; ``other`` is to another policy."""
        stands = (
            self.left_to(spec),
            other,
            self.memory.contest.stand(self.lead_time, now),
        )
        self.stand = None if spec.mode is Mode.OBSERVE else contests.strictest(stands)

    def measure(self, starts: Sequence[Start]) -> None:
        """Take in starts that were measured."""
        if self.spec is not None and starts:
            lead_times = self.memory.lead_times.add(starts, self.spec.lead_time.default)
            self.memory = replace(self.memory, lead_times=lead_times)

    def sight(
        self,
        spec: Spec,
        history: History,
        scale: Scale,
        census: Census,
        time: float,
        headroom: Headroom | None = None,
    ) -> Sight:
        """Put together what the decision for the instant ``time`` rests on.

        ``history`` is the one that was read for it: a start that was measured since may have moved
        the lead time, and the history for that is yet to be read.
        """
        profile = history.profile
        windows = history.windows(time)
        rate, age = history.newest(time)
        observation = Observation(
            profiles=Profiles.stack([priced(self.memory.scoring, profile)]),
            **windows._asdict(),
            ready=np.array([census.ready], dtype=np.int64),
            warming=census.warming[None],
            current=np.array([scale.replicas], dtype=np.int64),
        )
        news, self.news = self.news, News()
        orders = self._orders(spec, observation, time, headroom)
        return Sight(
            time=time,
            spec=spec,
            profile=profile,
            memory=self.memory,
            selection=(
                go_on(self.memory.selection, self.policy, profile, time)
                if self.policy is not None and self.policy.selects
                else None
            ),
            observation=observation,
            rate=rate,
            rate_age=age,
            watched=max(0.0, time - history.begun),
            history_loaded=history.loaded(time),
            raise_only=self._raise_only(),
            orders=orders,
            held=self.held(spec, scale),
            policy=self.policy,
            news=news,
            blocked=census.blocked,
        )

    def _orders(
        self, spec: Spec, observation: Observation, time: float, headroom: Headroom | None
    ) -> Orders:
        """Look at what people and the cluster ask for, and note what outlives this decision."""
        levels, floor = self.memory.levels, None
        if spec.events or levels:
            # An interval more: what is decided a moment after the start would be one late.
            ahead = self.lead_time + spec.interval
            occurrences = self.calendar.occurrences(spec.events, time + ahead)
            lasting = known_events.active(occurrences, time, ahead)
            level = float(load_of(observation).level[0])
            levels = known_events.levels(levels, lasting, level, time)
            utilization = spec.guardrails.reactive_floor.utilization
            capacity = spec.capacity.requests_per_second
            floor = known_events.floor(lasting, levels, capacity, utilization)
        rules, busy, idle = spec.scale_to_zero, None, None
        if rules is not None and self.history is not None:
            busy = busy_until(
                self.memory.busy,
                self.history.recent,
                rules.activation_rate,
                time,
                asleep=not observation.current[0],
            )
            idle = activation(rules, busy, time)
        pause = spec.paused.order() if spec.paused else None
        self.memory = replace(self.memory, levels=levels, busy=busy)
        return Orders(floor, pause if pause and pause.lasts(time) else None, headroom, idle)

    def order_ended(self, orders: Orders) -> bool:
        """Whether an order has expired since the last decision, without having been withdrawn."""
        before, self.under_orders = self.under_orders, orders.pause is not None
        there = self.spec is not None and self.spec.paused is not None
        return before and not self.under_orders and there

    def facts(self, problem: Problem | None) -> Facts:
        """Tell what is known where no decision could be taken."""
        rate_problem, rate = self.rate_problem, None
        if self.history is not None:
            rate, age = self.history.newest(self.decided_for)
            rate_problem = self._rate_lost(age, self.history.profile.interval)
        return Facts(
            generation=self.generation,
            mode=self.spec.mode if self.spec else None,
            problem=problem,
            rate_problem=rate_problem,
            rate=rate if rate is not None and math.isfinite(rate) else None,
            lead_time=self.lead_time or None,
            digest=self.policy.digest if self.policy else None,
            last_scale=self.last_scale,
            scoring=self.memory.scoring,
            against=self._against(),
        )

    def judged(self, sight: Sight, verdict: Verdict, census: Census) -> Facts:
        """Tell what is known after a decision; its problem is the worst one."""
        rate_problem = self._rate_lost(sight.rate_age, sight.profile.interval)
        problems = (
            self.policy_problem,
            Problem("RateUnavailable", rate_problem.message) if rate_problem else None,
            None if sight.history_loaded else _LOADING,
            Problem("ReplicasNotStarting", f"{census.message}: see the pods' events")
            if census.stuck
            else None,
        )
        return replace(
            self.facts(next((problem for problem in problems if problem), None)),
            rate_problem=rate_problem,
            contested=self.stand,
            outside=verdict.outside,
            scoring=verdict.scoring,
            current=int(sight.observation.current[0]),
            census=census,
            decision=verdict.decision,
            lead_time=sight.profile.lead_time,
            in_order=self.ordering.message,
            forecast=self.forecasts.due(sight.time, sight.profile, verdict.forecast),
        )

    def _against(self) -> str | None:
        """Name what scales the workload of a policy that observes."""
        observing = self.spec is not None and self.spec.mode is Mode.OBSERVE
        acting = self.found.acting if observing else None
        return None if acting is None else str(acting)

    def _rate_lost(self, age: float, interval: float) -> Problem | None:
        """Say why there is no rate; one late scrape is no loss, as for the guardrails."""
        if self.memory.vanished is not None:
            return Problem(plausibility.REASON, self.memory.vanished.message)
        if age <= FRESH_INTERVALS * interval:
            return None
        # No age in the message: it would make every status a new one.
        late = f"there is no rate of the last {FRESH_INTERVALS * interval:g} s"
        return self.rate_problem or Problem(Reason.NO_SERIES, late)

    def _raise_only(self) -> str | None:
        if self.policy is None:
            return "no trained policy can be read"
        if self.memory.vanished is not None:
            return "targets vanished"
        if self.history is not None and recovers(self.history):
            return "the rate has only just returned"
        return self.stand.brief if self.stand else None

    @property
    def companion(self) -> plausibility.Companion | None:
        """How to ask what contributes to the rate."""
        if self.spec is None:
            return None
        prometheus = self.spec.rate.prometheus
        return plausibility.companion_of(prometheus.query, prometheus.targets_query)

    def doubts(self, instant: float) -> Gap | None:
        """Name the instants at which to ask the companion query; ``None``: there is no need to."""
        if self.companion is None or self.history is None:
            return None
        return doubts(self.history.recent, self.companion, self.memory.vanished, instant)

    def weigh(self, gap: Gap, series: Floats) -> None:
        """Judge a fall by the series that contributed in a gap."""
        if self.companion is None or self.history is None or self.spec is None:
            return
        settle = plausibility.SETTLE_TIMES * self.spec.guardrails.on_metric_loss.after
        fall = Fall(gap, self.history.recent.rates[-len(series) :], series, self.lately.share)
        vanished = judged(fall, self.companion, self.memory.vanished, settle)
        self.memory = replace(self.memory, vanished=vanished)

    def blank(self) -> None:
        """Take what was sampled since targets vanished for unknown, also after a restart."""
        if self.memory.vanished is not None and self.history is not None:
            self.history.forget_since(self.memory.vanished.since)

    def _compare(self, before: Spec, after: Spec) -> None:
        """Forget what belonged to another query, artefact or workload."""
        if _series(before) != _series(after):
            self.history, self.rate_problem = None, None
            self.memory = replace(self.memory, vanished=None)
        if before.policy != after.policy:
            self.policy, self.policy_problem = None, None
        if before.scale_target_ref != after.scale_target_ref:
            self.memory = Memory()
            self.stopwatch, self.replicas, self.replicas_since = None, None, None


def _series(spec: Spec) -> tuple[object, ...]:
    """Say what the rates are of; who asks for them and how long changes nothing of the past."""
    source = spec.rate.prometheus
    return source.query, source.address, source.tenant


def _same_grids(one: Profile, other: Profile) -> bool:
    return (one.interval, one.lead_time, one.seasons) == (
        other.interval,
        other.lead_time,
        other.seasons,
    )


def situation(
    sights: Sequence[Sight], observation: Observation, outside: Sequence[str | None]
) -> Situation:
    """Put the sights of N services side by side, as the guardrails want them."""
    return Situation(
        now=np.array([sight.time for sight in sights]),
        interval=np.array([sight.profile.interval for sight in sights]),
        current=np.array([sight.held for sight in sights], dtype=np.int64),
        rate=np.array([sight.rate for sight in sights]),
        rate_age=np.array([sight.rate_age for sight in sights]),
        watched=np.array([sight.watched for sight in sights]),
        peak=recent_peak(observation),
        capacity=observation.profiles.capacity,
        history_loaded=np.array([sight.history_loaded for sight in sights], dtype=bool),
        outside=outside,
        limits=[sight.spec.limits() for sight in sights],
        memories=[sight.memory.behavior for sight in sights],
        raise_only=[sight.raise_only for sight in sights],
        events=_any([sight.orders.event for sight in sights]),
        pauses=_any([sight.orders.pause for sight in sights]),
        quotas=_any([sight.orders.quota for sight in sights]),
        activations=_any([sight.orders.activation for sight in sights]),
    )


def _any(values: Sequence[T | None]) -> Sequence[T | None]:
    """Leave out what nobody has: then its guardrail has nothing to look at."""
    return values if any(value is not None for value in values) else ()

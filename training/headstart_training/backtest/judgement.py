"""All that is to be said of one service: the contest, and how far it can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headstart_training.backtest.contenders import COUNT, HPA_TUNED
from headstart_training.backtest.front import Front, fronts
from headstart_training.backtest.protocol import GUARDRAILS, Contest, hold
from headstart_training.backtest.saturation import FACTORS, Saturation, repeat
from headstart_training.backtest.sensitivity import Truth, sensitivity
from headstart_training.baselines.hpa import HPA
from headstart_training.outside import Outside, outside

if TYPE_CHECKING:
    from collections.abc import Callable

    from headstart_policy.artifact import Policy
    from headstart_training.backtest.services import Service
    from headstart_training.backtest.setting import Setting


class Judgement(NamedTuple):
    """One service."""

    contest: Contest
    front: Front
    truths: tuple[Truth, ...]
    saturation: Saturation
    outside: Outside
    """How much of the test half the policy was not trained for."""
    assumed: bool
    """Whether nobody knows the capacity: it is then such that the service has a usual size."""


def judge(
    service: Service,
    setting: Setting,
    policy: Policy,
    current: HPA | None = None,
    heard: Callable[[str], None] = lambda _: None,
) -> Judgement:
    """Play one service in every way; parameters are those of ``protocol.hold``, but for one.

    ``setting`` is what to assume of the service.
    """
    contest = hold(service, setting.profile(service), policy, current, heard)
    test, calendar = contest.halves.test, contest.calendar
    tuned = contest.choices[HPA_TUNED]
    if not isinstance(tuned, HPA):
        raise TypeError(f"{HPA_TUNED} was tuned to a {type(tuned).__name__}")
    front = fronts(contest.halves, calendar, tuned, policy, GUARDRAILS)
    heard(f"{service.name}: settings")
    truths = sensitivity(test, calendar, contest.paths)
    heard(f"{service.name}: sensitivity")
    cut_off = repeat(contest, policy, current, heard)
    left = outside(test, policy)
    return Judgement(contest, front, truths, cut_off, left, setting.capacity is None)


def stages(service: Service, current: HPA | None) -> int:
    """What a progress bar counts to: contenders, settings, sensitivity.

    Where the recording tells what was ready, the contest may be held twice more.
    """
    contests = 1 if service.actual is None else 1 + len(FACTORS)
    return contests * (COUNT + (current is not None)) + 2

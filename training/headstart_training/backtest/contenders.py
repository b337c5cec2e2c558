"""Everybody who decides in a backtest, as paths of desired replicas over the test half."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headstart_training import clairvoyant, served
from headstart_training.baselines.contenders import CONTENDERS
from headstart_training.baselines.tuning import tune

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headstart_policy.artifact import Policy
    from headstart_policy.guardrails import Guardrails
    from headstart_policy.types import Ints
    from headstart_training.backtest.worlds import Halves
    from headstart_training.baselines.hpa import HPA
    from headstart_training.baselines.tuning import Candidate

HEADSTART, NETWORK, CLAIRVOYANT = "headstart", "headstart_network", "clairvoyant"
HPA_DEFAULT, HPA_TUNED, HPA_CURRENT, ACTUAL = "hpa_default", "hpa_tuned", "hpa_current", "actual"

# How many decide without those that only some services have: what a progress bar counts to.
COUNT = len(CONTENDERS) + 3


class Entry(NamedTuple):
    """One contender's part in the test half."""

    name: str
    desired: Ints
    """Replicas asked for at each step, shape (1, T)."""
    setting: str
    """What it was set to, or what tuning chose, in words."""
    choice: Candidate | None = None
    """A baseline, as it was tuned."""


def enter(
    halves: Halves, policy: Policy, guardrails: Guardrails, current: HPA | None
) -> Iterator[Entry]:
    """Let everybody tune on the first half and decide over the second, one after the other.

    Parameters
    ----------
    halves
        Of one service.
    policy, guardrails
        Headstart's.
    current
        The user's own HPA, where it is known.
    """
    test = halves.test
    # Its selector has watched the tuning half, as an operator that ran then would have.
    desired = served.headstart(test, policy, guardrails, halves.tuning, halves.recorded)
    yield Entry(HEADSTART, desired, "as shipped")
    yield Entry(NETWORK, served.network(test, policy, guardrails), "as shipped, no selector")
    if current is not None:
        yield Entry(HPA_CURRENT, current.path(test), str(current), current)
    for name, candidates in CONTENDERS.items():
        (choice,) = tune(candidates, halves.tuning).choices
        yield Entry(name, choice.path(test), str(choice), choice)
    yield Entry(CLAIRVOYANT, clairvoyant.path(test), "knows the future")

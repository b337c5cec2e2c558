"""How much of a load lies outside of what a policy was trained for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headstart_policy import envelope
from headstart_training import served
from headstart_training.batches import ask_all

if TYPE_CHECKING:
    from headstart_policy.artifact import Policy
    from headstart_training.simulator import World

# A smaller share of the time is not worth a word.
_LEAST_SHARE = 0.001


class Outside(NamedTuple):
    """Where the operator goes by the reactive formula, since nobody trained for it."""

    share: float
    """Of the steps."""
    reason: str | None
    """Which bound the first of them left; ``None`` where all are inside."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell people about it: one sentence, or none."""
        if self.share < _LEAST_SHARE:
            return ()
        sentence = (
            f"In {self.share:.1%} of the second half the service is outside of what the policy was"
            f" trained for ({self.reason}): there the reactive formula decides."
        )
        return (sentence,)


def outside(world: World, policy: Policy) -> Outside:
    """Say how much of a load is outside of a policy's envelope.

    Parameters
    ----------
    world
        The load, N services of T steps.
    policy
        Whose envelope.
    """
    parts = ask_all(
        lambda batch: envelope.leaves(policy.envelope, batch), served.observations(world)
    )
    reasons = [reason for part in parts for reason in part]
    left = [reason for reason in reasons if reason is not None]
    return Outside(len(left) / len(reasons), left[0] if left else None)

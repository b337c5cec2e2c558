"""What the selector knows of one service, and of when: it goes on after a gap as is right."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from headstart_policy.profile import Profiles
from headstart_policy.selector import NAMES, Scores, resume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headstart_policy.artifact import Policy
    from headstart_policy.profile import Profile


@dataclass(frozen=True)
class Selection:
    """The scores of one service.

    Attributes
    ----------
    scores
        Of one service.
    time
        The instant that they were left at, s since the epoch.
    basis
        What they were priced by (:func:`basis_of`).
    """

    scores: Scores
    time: float
    basis: str

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return {"time": self.time, "basis": self.basis, **self.scores.to_json()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any] | None) -> Selection | None:
        """Read what :meth:`to_json` wrote; ``None`` from anything else: it begins afresh.

        Raises nothing: another version had other candidates, and a status may be edited by hand.
        """
        try:
            if document is None:
                return None
            time, basis = float(document["time"]), str(document["basis"])
            return cls(Scores.from_json(document), time, basis)
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError):
            return None


def basis_of(policy: Policy, profile: Profile) -> str:
    """Name the policy, its candidates and the prices: under others, old costs mean nothing.

    The lead time is measured and moves; it changes what comes, not what the past has shown.
    """
    return _basis(policy.digest, profile)


@lru_cache(maxsize=8192)
def _basis(digest: str, profile: Profile) -> str:
    prices = (profile.capacity, profile.capacity_noise, profile.capacity_correlation)
    facts = (digest, NAMES, profile.interval, *prices, *astuple(profile.objective))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def go_on(selection: Selection | None, policy: Policy, profile: Profile, time: float) -> Selection:
    """Bring a selection to the instant ``time``, s since the epoch, or begin one."""
    lead_steps = int(Profiles.stack([profile]).lead_steps[0])
    basis = basis_of(policy, profile)
    if selection is None or selection.basis != basis:
        return Selection(Scores.begin(1, lead_steps), time, basis)
    missed = round((time - selection.time) / profile.interval) - 1
    return Selection(resume(selection.scores.one(0, lead_steps), missed), time, basis)

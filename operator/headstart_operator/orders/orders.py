"""What people and the cluster ask of one decision, beside its rate."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from headstart_policy.activation import Activation
    from headstart_policy.guardrails import Headroom
    from headstart_policy.known_events import Floor
    from headstart_policy.pins import Pause


class Orders(NamedTuple):
    """Of one service at one instant; ``None``: there is no such thing.

    Attributes
    ----------
    event
        What known events ask for.
    pause
        The order that is in force.
    quota
        What the namespace's quotas leave room for.
    activation
        How idle a service is that may sleep.
    """

    event: Floor | None = None
    pause: Pause | None = None
    quota: Headroom | None = None
    activation: Activation | None = None

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values, for the record."""
        return {
            "event": self.event and list(self.event),
            "pause": self.pause and list(astuple(self.pause)),
            "quota": self.quota and list(self.quota),
            "activation": self.activation and list(self.activation),
        }

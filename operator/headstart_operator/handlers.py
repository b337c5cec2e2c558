"""kopf handlers: an event about a ScalingPolicy becomes one call. No logic, no writes.

Only ``on.event``: handlers for creation and deletion would put finalizers and annotations on the
policies, which would then outlive an operator that was uninstalled first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import kopf

from headstart_operator.service import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP, VERSION, PLURAL = "headstart.dev", "v1alpha1", "scalingpolicies"


class Listener(Protocol):
    """What the handlers call."""

    def upsert(self, key: Key, policy: Mapping[str, Any]) -> None:
        """Take notice of a new or changed policy."""
        ...

    def forget(self, key: Key, uid: str) -> None:
        """Take notice of a policy's end."""
        ...


def register(registry: kopf.OperatorRegistry, listener: Listener) -> None:
    """Register the handlers; each registry has its own, so two operators fit in one process."""
    kopf.on.login(registry=registry)(kopf.login_via_client)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def policy_event(event: kopf.RawEvent, **_: Any) -> None:
        policy: Mapping[str, Any] = event["object"]
        key = Key(policy["metadata"]["namespace"], policy["metadata"]["name"])
        if event["type"] == "DELETED":
            listener.forget(key, policy["metadata"]["uid"])
        else:
            listener.upsert(key, policy)

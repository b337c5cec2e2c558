"""What a workload had before Headstart first acted, and putting it back when the policy goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from headstart_operator.workloads.targets import TargetChangedError

if TYPE_CHECKING:
    from headstart_operator.resource import TargetRef
    from headstart_operator.workloads.targets import Targets

TRIES = 3


class Original(NamedTuple):
    """The replicas of a workload before Headstart set them for the first time."""

    uid: str
    """The workload's; one that was re-created is another."""
    replicas: int

    def to_json(self) -> dict[str, Any]:
        """Turn into plain values; the inverse is :meth:`from_json`."""
        return self._asdict()

    @classmethod
    def from_json(cls, document: dict[str, Any] | None) -> Original | None:
        """Read what :meth:`to_json` wrote; errors as of a key that is missing or no number."""
        return None if document is None else cls(str(document["uid"]), int(document["replicas"]))


def restore(targets: Targets, namespace: str, ref: TargetRef, original: Original) -> int | None:
    """Put the replicas back, unless someone else has set them since; blocks.

    Returns
    -------
    The replicas that were replaced; ``None``: nothing was to be done.

    Raises
    ------
    TargetError
        The workload is gone, or may not be scaled.
    """
    for _ in range(TRIES):
        scale = targets.read(namespace, ref)
        if scale.uid != original.uid or scale.replicas == original.replicas:
            return None
        setter, _ = targets.who_set(scale, ref)
        if not setter.ours:
            return None
        try:
            targets.write(scale, original.replicas)
        except TargetChangedError:
            # A last decision of the policy that has just gone may have crossed this one.
            continue
        return scale.replicas
    return None

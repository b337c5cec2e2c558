"""What the operator is told at its start."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

import kopf

from headstart_operator.sources.credentials import NO_FILES, CredentialFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headstart_operator.leadership.election import Rules

# Seconds that a stop may take before what still hangs is left behind.
STOP_WITHIN = 2.0


@dataclass(frozen=True)
class Settings:
    """Settings of one operator process.

    Attributes
    ----------
    prometheus_address
        For policies that name none; ``None``: they must.
    prometheus_credentials, prometheus_headers
        For that address alone, and only where a policy names neither address nor tenant.
    allowed_addresses
        Those that policies may name; that of the operator itself always is.
    namespaces
        Those watched; none means all.
    host, port
        Where /metrics, /healthz and /readyz are served.
    record
        File to which every decision is appended as a JSON line.
    pod
        Name of the pod that this is, for events.
    election
        ``None``: this operator is the only one, and leads.
    pod_namespace
        Of that pod; ``None``: unknown, then there is no stop switch.
    stop_config_map
        Name of the ConfigMap in that namespace whose existence stops all scaling.
    """

    prometheus_address: str | None = None
    prometheus_credentials: CredentialFiles = NO_FILES
    prometheus_headers: tuple[tuple[str, str], ...] = ()
    allowed_addresses: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    host: str = "0.0.0.0"  # noqa: S104 - kubelet and Prometheus come from other addresses.
    port: int = 8080
    record: Path | None = None
    pod: str = "headstart"
    election: Rules | None = None
    pod_namespace: str | None = None
    stop_config_map: str = "headstart-stop"


class _Endless:
    """Pauses between the tries of a request, s: after the last one kopf would end the operator."""

    def __iter__(self) -> Iterator[float]:
        return chain((0.5, 1.0), repeat(2.0))


def kopf_settings() -> kopf.OperatorSettings:
    """Settings under which kopf only watches: no scanning, no events, no writes of its own."""
    settings = kopf.OperatorSettings()
    # A Role in a namespace does not allow to look at CRDs and namespaces, and we need neither.
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.queueing.exit_timeout = STOP_WITHIN
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = _Endless()
    return settings

"""Which Prometheus a policy's rate comes from, and the connections to each.

One pool per address and credentials: an address that does not answer holds up the policies that ask
there, and no others, and what one policy may show nobody else's query carries.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from headstart_operator.sources.access import Access, Credentials, header
from headstart_operator.sources.addresses import Address, permitted
from headstart_operator.sources.credentials import OwnCredentials, Secrets
from headstart_operator.sources.prometheus import Answer, Prometheus, RateError, Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from headstart_operator.kube import Document
    from headstart_operator.resource import PrometheusRate
    from headstart_operator.settings import Settings
    from headstart_operator.sources.history import Gap

# A pool that nobody has asked so long is closed, and how often that is looked at, s: credentials
# rotate, and policies come and go.
IDLE = 600.0
SWEEP_EVERY = 60.0

_NO_ADDRESS = (
    "no Prometheus is named: set spec.rate.prometheus.address, or the operator's own "
    "(the chart's prometheus.address)"
)


class Source:
    """Asks one Prometheus with one set of credentials."""

    def __init__(
        self, access: Access, observe: Callable[[str, float], object], backfill: asyncio.Lock
    ) -> None:
        """Connect when asked; ``observe`` takes each query's outcome and seconds.

        Raises
        ------
        ValueError
            The credentials are none.
        """
        self._prometheus = Prometheus(access)
        self._observe = observe
        # History is fetched by one policy at a time, so that a restart with 1,000 policies does
        # not look like an attack to Prometheus.
        self.backfill = backfill

    async def rates(self, query: str, gap: Gap, within: float) -> Answer:
        """Ask for the rates of a gap.

        Raises
        ------
        RateError
            There is no usable answer, or none within ``within`` seconds.
        """
        start = perf_counter()
        outcome = "ok"
        try:
            return await self._prometheus.rates(
                query, gap.step, gap.first, gap.last, within, gap.phase
            )
        except RateError as error:
            outcome = error.reason
            raise
        finally:
            self._observe(outcome, perf_counter() - start)

    async def close(self) -> None:
        """Close the connections."""
        await self._prometheus.close()


class _Pooled(NamedTuple):
    source: Source
    used: float


class Sources:
    """All that rates come from; used by one event loop's thread alone."""

    def __init__(
        self,
        settings: Settings,
        get: Callable[[str], Awaitable[Document]],
        observe: Callable[[str, float], object],
        now: float,
    ) -> None:
        """Read the operator's own credentials; ``get`` reads a document of the API server.

        Raises
        ------
        ValueError
            The operator's own address or credentials cannot be used.
        """
        own = settings.prometheus_address
        self._own_address = Address.parse(own) if own else None
        self._own = OwnCredentials(settings.prometheus_credentials, now)
        self._own_headers = tuple(header(*pair) for pair in settings.prometheus_headers)
        named = (*settings.allowed_addresses, *((own,) if own else ()))
        self._allowed = tuple(map(Address.parse, named))
        self._secrets = Secrets(get)
        self._observe = observe
        self._pools: dict[Access, _Pooled] = {}
        self._backfills: dict[Address, asyncio.Lock] = {}
        self._swept = now
        self._closing: set[asyncio.Task[None]] = set()

    async def of(self, namespace: str, rate: PrometheusRate, now: float) -> Source:
        """Return what to ask for a rate of a policy in ``namespace``.

        Raises
        ------
        RateError
            There is no address, it is not allowed, or credentials are missing.
        """
        access = await self._access(namespace, rate, now)
        pooled = self._pools.get(access)
        source = pooled.source if pooled is not None else self._connect(access, namespace, rate)
        self._pools[access] = _Pooled(source, now)
        if now - self._swept >= SWEEP_EVERY:
            self._sweep(now)
        return source

    async def close(self) -> None:
        """Close all connections."""
        for pooled in self._pools.values():
            await pooled.source.close()
        self._pools.clear()

    async def _access(self, namespace: str, rate: PrometheusRate, now: float) -> Access:
        """Decide where to ask and with what.

        A policy that says more than its query speaks for itself: where it names an address, or a
        tenant, nothing goes there that is the operator's. Otherwise whoever may write a policy
        could have the operator's token sent to him, or read a tenant that is not his with it.
        """
        own = self._own_address
        if rate.address is not None:
            try:
                address, credentials = permitted(rate.address, self._allowed), Credentials()
            except ValueError as error:
                raise RateError(Reason.ADDRESS_NOT_ALLOWED, str(error)) from error
        elif own is None:
            raise RateError(Reason.NO_ADDRESS, _NO_ADDRESS)
        elif rate.tenant is None and rate.authentication is None:
            return Access(own, self._own.at(now), self._own_headers)
        else:
            # Whom to trust at the operator's address is no secret.
            address, credentials = own, Credentials(authority=self._own.at(now).authority)
        if rate.authentication is not None:
            credentials = await self._secrets.credentials(namespace, rate.authentication, now)
        return Access(address, credentials, _tenant(rate))

    def _connect(self, access: Access, namespace: str, rate: PrometheusRate) -> Source:
        backfill = self._backfills.setdefault(access.address, asyncio.Lock())
        try:
            return Source(access, self._observe, backfill)
        except ValueError as error:
            tls = rate.authentication.tls if rate.authentication else None
            whose = f"Secret {namespace}/{tls.secret_ref.name}: " if tls else ""
            raise RateError(Reason.CREDENTIALS_UNAVAILABLE, f"{whose}{error}") from error

    def _sweep(self, now: float) -> None:
        """Close what nobody uses any more."""
        self._swept = now
        self._secrets.forget(now)
        for access in [a for a, pooled in self._pools.items() if now - pooled.used > IDLE]:
            closing = asyncio.create_task(self._pools.pop(access).source.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        used = {access.address for access in self._pools}
        for address in [a for a in self._backfills if a not in used]:
            del self._backfills[address]


def _tenant(rate: PrometheusRate) -> tuple[tuple[str, str], ...]:
    if rate.tenant is None:
        return ()
    try:
        return (header(rate.tenant.header, rate.tenant.value),)
    except ValueError as error:
        raise RateError(Reason.CREDENTIALS_UNAVAILABLE, f"tenant: {error}") from error


def check(settings: Settings) -> None:
    """Check what the operator was told of Prometheus, before anything starts.

    Raises
    ------
    ValueError
        An address, a header or a file with credentials cannot be used; the message names it.
    """
    for address in (settings.prometheus_address, *settings.allowed_addresses):
        if address:
            Address.parse(address)
    for pair in settings.prometheus_headers:
        header(*pair)
    settings.prometheus_credentials.read().context()

"""Where a policy's rate is asked for, and with whose credentials."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization

from headstart_operator.kube import ApiError
from headstart_operator.resource import PrometheusRate
from headstart_operator.settings import Settings
from headstart_operator.sources import pool
from headstart_operator.sources.access import HIDDEN, Access, Credentials, basic, bearer, header
from headstart_operator.sources.addresses import Address
from headstart_operator.sources.credentials import CredentialFiles, OwnCredentials
from headstart_operator.sources.pool import Sources, check
from headstart_operator.sources.prometheus import RateError, Reason
from tests.cluster.credentials import Authority

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

OWN = "http://prometheus.monitoring:9090"
OTHER = "https://mimir/prometheus"
TOKEN = "sesame"  # noqa: S105


class Cluster:
    """Secrets by name, and how often each was read."""

    def __init__(self, **secrets: dict[str, str]) -> None:
        self.secrets = secrets
        self.reads: list[str] = []
        self.failure: ApiError | None = None

    async def get(self, path: str) -> dict[str, Any]:
        """Read a Secret."""
        await asyncio.sleep(0)
        name = path.rpartition("/")[2]
        assert path == f"/api/v1/namespaces/shop/secrets/{name}"
        self.reads.append(name)
        if self.failure:
            raise self.failure
        if name not in self.secrets:
            raise ApiError(404, "not found")
        encoded = {k: base64.b64encode(v.encode()).decode() for k, v in self.secrets[name].items()}
        return {"data": encoded}


class Seen:
    """Stands for a source: what it was made with."""

    def __init__(self, access: Access, observe: object, backfill: asyncio.Lock) -> None:
        del observe
        access.credentials.context()
        self.access, self.backfill, self.closed = access, backfill, False

    async def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.fixture(autouse=True)
def _seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "Source", Seen)


def ask(**prometheus: Any) -> PrometheusRate:
    """Write ``rate.prometheus`` of a policy."""
    return PrometheusRate.model_validate({"query": "up", **prometheus})


def by(kind: str, secret: str) -> dict[str, Any]:
    """Write ``authentication`` from a Secret."""
    return {kind: {"secretRef": {"name": secret}}}


def settings(token: Path | None = None, **changes: Any) -> Settings:
    """Write settings with an address, a token and a header of the operator's own."""
    return replace(
        Settings(
            prometheus_address=OWN,
            prometheus_credentials=CredentialFiles(bearer_token=token),
            prometheus_headers=(("X-Team", "sre"),),
            allowed_addresses=(OTHER,),
        ),
        **changes,
    )


def play(
    scene: Callable[[Sources], Awaitable[None]], told: Settings, cluster: Cluster | None = None
) -> None:
    """Run a scene on an event loop."""

    async def on_a_loop() -> None:
        sources = Sources(told, (cluster or Cluster()).get, lambda *_: None, now=0.0)
        await scene(sources)
        await sources.close()

    asyncio.run(on_a_loop())


async def access_of(sources: Sources, now: float = 0.0, **prometheus: Any) -> Access:
    """Return what a policy's Prometheus would be asked with."""
    source: Any = await sources.of("shop", ask(**prometheus), now)
    access: Access = source.access
    return access


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Provide a file with the operator's token."""
    file = tmp_path / "token"
    file.write_text("own\n")
    return file


def test_the_operators_credentials_are_for_those_who_say_nothing(token: Path) -> None:
    async def scene(sources: Sources) -> None:
        own = await access_of(sources)
        assert own.credentials.authorization == "Bearer own"
        assert own.headers == (("X-Team", "sre"),)
        for said in (
            {"address": OWN},
            {"address": f"{OWN}/"},
            {"address": f"{OWN}/under"},
            {"address": "HTTP://PROMETHEUS.monitoring:9090"},
            {"address": OTHER},
            {"tenant": {"value": "other"}},
            {"address": OWN, "tenant": {"value": "other"}},
            {"address": OWN, "authentication": by("bearer", "token")},
        ):
            access = await access_of(sources, **said)
            assert access.credentials.authorization in {"", f"Bearer {TOKEN}"}
            assert "X-Team" not in dict(access.headers)

    play(scene, settings(token), Cluster(token={"token": TOKEN}))


@pytest.mark.parametrize(
    ("told", "said", "reason"),
    [
        ({"prometheus_address": None}, {}, Reason.NO_ADDRESS),
        ({}, {"address": "http://evil"}, Reason.ADDRESS_NOT_ALLOWED),
        ({}, {"address": "http://prometheus.monitoring:9090@evil"}, Reason.ADDRESS_NOT_ALLOWED),
        ({}, {"address": OTHER, "tenant": {"header": "Host", "value": "x"}}, None),
        ({}, {"address": OTHER, "tenant": {"header": "Authorization", "value": "x"}}, None),
        ({}, {"address": OTHER, "tenant": {"value": "a\r\nX: y"}}, None),
        ({}, {"address": OTHER, "authentication": by("bearer", "absent")}, None),
        ({}, {"address": OTHER, "authentication": by("bearer", "spaces")}, None),
        ({}, {"address": OTHER, "authentication": by("bearer", "other-key")}, None),
        (
            {},
            {"address": OTHER, "authentication": by("basic", "token")},
            None,
        ),
        ({}, {"address": OTHER, "authentication": by("tls", "token")}, None),
        (
            {},
            {"address": OTHER, "authentication": by("tls", "no-pem")},
            None,
        ),
        (
            {},
            {"address": OTHER, "authentication": by("tls", "no-key")},
            None,
        ),
    ],
)
def test_what_is_refused(told: Any, said: Any, reason: Reason | None) -> None:
    secrets = {
        "token": {"token": TOKEN},
        "spaces": {"token": "open sesame"},
        "other-key": {"password": TOKEN},
        "no-pem": {"ca.crt": TOKEN},
        "no-key": {"tls.crt": TOKEN},
    }

    async def scene(sources: Sources) -> None:
        with pytest.raises(RateError) as caught:
            await access_of(sources, **said)
        assert caught.value.reason is (reason or Reason.CREDENTIALS_UNAVAILABLE)
        assert "sesame" not in str(caught.value)

    play(scene, settings(**told), Cluster(**secrets))


def test_a_secret_is_read_once_a_while_and_its_change_is_a_pool_of_its_own() -> None:
    cluster = Cluster(token={"token": "old"})
    said = {"address": OTHER, "authentication": by("bearer", "token")}

    async def scene(sources: Sources) -> None:
        several = (sources.of("shop", ask(**said), 1.0) for _ in range(100))
        first, *others = await asyncio.gather(*several)
        assert all(other is first for other in others)
        assert cluster.reads == ["token"]
        cluster.secrets["token"] = {"token": "new"}
        assert (await access_of(sources, 20.0, **said)).credentials.authorization == "Bearer old"
        assert (await access_of(sources, 40.0, **said)).credentials.authorization == "Bearer new"
        # The API server is away: they still hold.
        cluster.failure = ApiError(0, "cannot be reached")
        assert (await access_of(sources, 80.0, **said)).credentials.authorization == "Bearer new"
        # The right was taken back: they do not.
        cluster.failure = ApiError(403, "forbidden")
        with pytest.raises(RateError, match="the chart's prometheusSecrets"):
            await access_of(sources, 120.0, **said)
        cluster.failure = None
        assert await access_of(sources, 126.0, **said) is not None

    play(scene, settings(), cluster)


def test_a_pool_that_nobody_uses_is_closed() -> None:
    async def scene(sources: Sources) -> None:
        unused: Any = await sources.of("shop", ask(address=OTHER), 0.0)
        used: Any = await sources.of("shop", ask(), 0.0)
        for minute in range(1, 12):
            assert await sources.of("shop", ask(), 60.0 * minute) is used
        await asyncio.sleep(0)
        assert (unused.closed, used.closed) == (True, False)
        assert await sources.of("shop", ask(address=OTHER), 700.0) is not unused

    play(scene, settings())


def test_history_is_read_one_policy_at_a_time_whoever_asks() -> None:
    async def scene(sources: Sources) -> None:
        plain = await sources.of("shop", ask(address=OTHER), 0.0)
        tenant = await sources.of("shop", ask(address=OTHER, tenant={"value": "a"}), 0.0)
        assert plain is not tenant
        assert plain.backfill is tenant.backfill

    play(scene, settings())


def test_files_are_read_again_and_a_broken_one_changes_nothing(token: Path) -> None:
    own = OwnCredentials(CredentialFiles(bearer_token=token), 0.0)
    token.write_text("next")
    assert own.at(1.0).authorization == "Bearer own"
    assert own.at(6.0).authorization == "Bearer next"
    for content in ("", "two words"):
        token.write_text(content)
        assert own.at(100.0).authorization == "Bearer next"
    token.unlink()
    assert own.at(200.0).authorization == "Bearer next"


def test_a_certificate_that_is_there_before_its_key(tmp_path: Path) -> None:
    old, new = (Authority.create(tmp_path / name).client("client") for name in ("old", "new"))
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(old[0].read_bytes())
    key.write_bytes(old[1].read_bytes())
    own = OwnCredentials(CredentialFiles(client_certificate=certificate, client_key=key), 0.0)
    certificate.write_bytes(new[0].read_bytes())
    assert own.at(6.0).certificate == old[0].read_bytes()
    key.write_bytes(new[1].read_bytes())
    assert own.at(12.0).certificate == new[0].read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prometheus_address": "http://me:sesame@there"}, "must have no credentials"),
        ({"allowed_addresses": ("there",)}, "must begin with http"),
        ({"prometheus_headers": (("X Y", "z"),)}, "is no header that may be set"),
        ({"prometheus_headers": (("Authorization", "z"),)}, "is no header that may be set"),
        ({"prometheus_headers": (("X-Y", "\n"),)}, "must be printable ASCII"),
        ({"prometheus_credentials": "bearer_token"}, "file: the token must be printable ASCII"),
        ({"prometheus_credentials": "basic_auth"}, "file: user and password must have no control"),
        ({"prometheus_credentials": "ca"}, "the CA is no certificate in PEM"),
        ({"prometheus_credentials": "client_key"}, "a client certificate needs a key"),
    ],
)
def test_what_the_operator_refuses_to_start_with(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = tmp_path / "file"
    file.write_text("open\x01:sesame")
    if isinstance(kind := changes.get("prometheus_credentials"), str):
        changes = {"prometheus_credentials": CredentialFiles(**{kind: file})}
    with pytest.raises(ValueError, match=message) as caught:
        check(settings(**changes))
    assert "sesame" not in str(caught.value)


def test_an_encrypted_key_does_not_wait_for_a_password(tmp_path: Path) -> None:
    certificate, key = Authority.create(tmp_path).client("client")
    encrypted = serialization.load_pem_private_key(key.read_bytes(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"sesame"),
    )
    with pytest.raises(ValueError, match="the client's key is encrypted"):
        Credentials(certificate=certificate.read_bytes(), key=encrypted).context()


def test_secrets_are_neither_represented_nor_repeated() -> None:
    for made in (bearer(TOKEN), basic("me", TOKEN)):
        access = Access(Address.parse(OWN), Credentials(made[0], key=b"sesame", secrets=made[1]))
        assert TOKEN not in repr(access)
        assert access.redact(f"Authorization: {made[0]}") == (
            f"Authorization: {made[0].split()[0]} {HIDDEN}"
        )
    assert header("X-Scope-OrgID", "shop") == ("X-Scope-OrgID", "shop")

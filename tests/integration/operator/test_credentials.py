"""Who asks which Prometheus with what, and what nobody is ever told.

Real Prometheus servers with TLS, passwords and client certificates, and a guard in front of one for
what Prometheus does not check itself: tokens and tenants.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import CORE, Prometheus, static_target, wait_until
from tests.cluster.credentials import Authority
from tests.cluster.prometheus import PASSWORD, USER
from tests.integration.operator.guard import Guard
from tests.integration.operator.world import World, rate_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import Operator

OWN_TOKEN = "operators-own-token"  # noqa: S105
NEXT_TOKEN = "operators-next-token"  # noqa: S105
POLICY_TOKEN = "policys-own-token"  # noqa: S105
WEB = rate_of("web")


class Scene:
    """The servers, and policies that look at them."""

    def __init__(self, world: World, basic: Prometheus, mutual: Prometheus, guard: Guard) -> None:
        self.world, self.basic, self.mutual, self.guard = world, basic, mutual, guard

    def secret(self, name: str, **data: str | bytes) -> None:
        """Create a Secret; ``_`` in a key is a dot."""
        encoded = {
            key.replace("_", "."): base64.b64encode(
                value.encode() if isinstance(value, str) else value
            ).decode()
            for key, value in data.items()
        }
        metadata = {"name": name, "namespace": self.world.namespace}
        self.world.cluster.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}
        )

    def policy(self, name: str, **prometheus: Any) -> None:
        """Create a policy that asks so."""
        self.world.policy(
            name,
            scaleTargetRef={"name": "web"},
            mode="Observe",
            rate={"prometheus": {"query": named(name), **prometheus}},
        )


def named(policy: str) -> str:
    """Write a query that tells whose it is."""
    return f"{WEB} # {policy}"


def by(**kinds: str) -> dict[str, Any]:
    """Write ``authentication`` from Secrets by kind."""
    return {"authentication": {kind: {"secretRef": {"name": name}} for kind, name in kinds.items()}}


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the file with the operator's own token."""
    file = tmp_path_factory.mktemp("own") / "token"
    file.write_text(f"{OWN_TOKEN}\n")
    return file


@pytest.fixture(scope="module")
def scene(
    world: World, load: Exporter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Provide a Prometheus that wants a password, one that wants certificates, and a guard."""
    load.set("web", 20)
    world.deployment("web", 2)
    targets = [static_target("load", load.address)]
    with (
        Prometheus(targets, tls=True, basic_auth=True) as basic,
        Prometheus(targets, client_certificates=True) as mutual,
        Prometheus(targets) as plain,
        Guard(plain.url, tmp_path_factory.mktemp("guard")) as guard,
    ):
        guard.wants = {
            "/own": {"authorization": f"Bearer {OWN_TOKEN}", "x-team": "sre"},
            "/tenants": {"authorization": f"Bearer {POLICY_TOKEN}", "x-scope-orgid": "shop"},
        }
        yield Scene(world, basic, mutual, guard)


@pytest.fixture(scope="module", autouse=True)
def operator(
    scene: Scene, token_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """Set the policies up, and start the operator with credentials of its own."""
    basic, mutual, guard = scene.basic, scene.mutual, scene.guard
    stranger = Authority.create(tmp_path_factory.mktemp("stranger"), "somebody-else")
    certificate, key = mutual.client
    scene.secret("prom-basic", username=USER, password=f"{PASSWORD}\n")
    scene.secret("prom-wrong", username=USER, password="wrong")  # noqa: S106
    scene.secret("prom-ca", ca_crt=basic.ca.read_bytes())
    scene.secret("prom-other-ca", ca_crt=stranger.path.read_bytes())
    scene.secret("prom-mutual-ca", ca_crt=mutual.ca.read_bytes())
    scene.secret(
        "prom-mutual",
        ca_crt=mutual.ca.read_bytes(),
        tls_crt=certificate.read_bytes(),
        tls_key=key.read_bytes(),
    )
    scene.secret("prom-token", token=POLICY_TOKEN)
    scene.secret("prom-guard-ca", ca_crt=guard.ca.read_bytes())
    scene.secret("prom-no-pem", ca_crt="not a certificate")
    scene.secret("prom-not-granted", token=POLICY_TOKEN)

    scene.policy("own")
    scene.policy("own-with-tenant", tenant={"value": "other-shop"})
    scene.policy("own-by-name", address=f"{guard.url}/own", **by(tls="prom-guard-ca"))
    scene.policy("basic", address=basic.url, **by(basic="prom-basic", tls="prom-ca"))
    scene.policy("password", address=basic.url, **by(basic="prom-wrong", tls="prom-ca"))
    scene.policy("other-ca", address=basic.url, **by(basic="prom-basic", tls="prom-other-ca"))
    scene.policy("system-ca", address=basic.url, **by(basic="prom-basic"))
    scene.policy("mutual", address=mutual.url, **by(tls="prom-mutual"))
    scene.policy("no-client", address=mutual.url, **by(tls="prom-mutual-ca"))
    tenants = {"address": f"{guard.url}/tenants", "tenant": {"value": "shop"}}
    scene.policy("tenant", **tenants, **by(bearer="prom-token", tls="prom-guard-ca"))
    scene.policy("tenantless", **tenants, **by(tls="prom-guard-ca"))
    scene.policy("absent", **tenants, **by(bearer="prom-absent", tls="prom-guard-ca"))
    scene.policy("forbidden", **tenants, **by(bearer="prom-not-granted", tls="prom-guard-ca"))
    scene.policy("no-pem", **tenants, **by(tls="prom-no-pem"))
    scene.policy("moved", address=f"{guard.url}/moved", **by(tls="prom-guard-ca"))
    scene.policy("not-allowed", address="http://169.254.169.254")
    flags = [
        f"--prometheus-bearer-token-file={token_file}",
        f"--prometheus-ca-file={guard.ca}",
        "--prometheus-header=X-Team=sre",
        *(f"--allow-prometheus={url}" for url in (basic.url, mutual.url)),
        *(f"--allow-prometheus={guard.url}/{path}" for path in ("tenants", "moved")),
    ]
    with scene.world.start_operator(f"{guard.url}/own", "operator", *flags) as running:
        yield running


@pytest.mark.parametrize("name", ["own", "basic", "mutual", "tenant"])
def test_with_the_right_credentials_there_is_a_rate(world: World, name: str) -> None:
    world.wait_condition(name, "RateAvailable", "True")
    wait_until(name, lambda: 15 < float(world.status(name).get("requestRate", 0)) < 25)


@pytest.mark.parametrize(
    ("name", "reason", "message"),
    [
        ("password", "Unauthorized", "answers 401: it wants other credentials"),
        ("other-ca", "CertificateNotTrusted", "is not trusted: "),
        ("system-ca", "CertificateNotTrusted", "is not trusted: "),
        ("no-client", "CertificateNotTrusted", "does it want a client certificate?"),
        ("forbidden", "CredentialsUnavailable", "add prom-not-granted to the chart's"),
        ("no-pem", "CredentialsUnavailable", "prom-no-pem: the CA is no certificate in PEM"),
        ("moved", "Unreachable", "/stolen/api/v1/query_range"),
        ("not-allowed", "AddressNotAllowed", "--allow-prometheus=http://169.254.169.254"),
        ("tenantless", "QueryError", "shop"),
    ],
)
def test_without_them_it_says_what_to_do(
    world: World, name: str, reason: str, message: str
) -> None:
    condition = world.wait_condition(name, "RateAvailable", "False", reason)
    assert message in condition["message"]


def test_a_secret_that_comes_later_is_found(scene: Scene) -> None:
    condition = scene.world.wait_condition(
        "absent", "RateAvailable", "False", "CredentialsUnavailable"
    )
    assert f"Secret {scene.world.namespace}/prom-absent does not exist" in condition["message"]
    scene.secret("prom-absent", token=POLICY_TOKEN)
    scene.world.wait_condition("absent", "RateAvailable", "True")


def test_the_operators_credentials_go_nowhere_that_a_policy_named(
    world: World, scene: Scene
) -> None:
    """Not to its own address either, where a policy names that, or a tenant there."""
    for name in ("own-by-name", "own-with-tenant"):
        world.wait_condition(name, "RateAvailable", "False", "QueryError")
        asked = scene.guard.asked("/own", named(name))
        assert asked
        assert not any({"authorization", "x-team"} & set(request.headers) for request in asked)
    policies = [request for request in scene.guard.requests if request.path != "/own"]
    assert not any(OWN_TOKEN in str(request) for request in policies)
    assert {request.headers.get("x-scope-orgid") for request in policies} <= {"shop", None}


def test_a_redirect_is_not_followed(world: World, scene: Scene) -> None:
    world.wait_condition("moved", "RateAvailable", "False", "Unreachable")
    assert scene.guard.asked("/moved", named("moved"))
    assert not [request for request in scene.guard.requests if request.path == "/stolen"]


def test_a_token_that_is_rotated_is_read_again(
    world: World, scene: Scene, token_file: Path
) -> None:
    scene.guard.wants["/own"]["authorization"] = f"Bearer {NEXT_TOKEN}"
    condition = world.wait_condition("own", "RateAvailable", "False", "QueryError")
    # The guard says back what it was asked with.
    assert "Bearer (hidden)" in condition["message"]
    token_file.write_text(NEXT_TOKEN)
    world.wait_condition("own", "RateAvailable", "True")


def test_no_secret_is_shown_anywhere(world: World, operator: Operator) -> None:
    """Least of all where a server says back what it was asked with."""
    policies = world.cluster.api.get(
        f"/apis/headstart.dev/v1alpha1/namespaces/{world.namespace}/scalingpolicies"
    )
    events = world.cluster.api.get(f"{CORE}/namespaces/{world.namespace}/events")
    shown = [str(policies), str(events), operator.get("/metrics").text]
    shown += [file.read_text() for file in (operator.log, operator.record)]
    for secret in (OWN_TOKEN, NEXT_TOKEN, POLICY_TOKEN, PASSWORD, "PRIVATE KEY"):
        encoded = base64.b64encode(f"{USER}:{secret}".encode()).decode()
        assert not [text for text in shown if secret in text or encoded in text]

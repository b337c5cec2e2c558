"""Whatever people write, the API server answers, and in sentences."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headstart_operator.resource import Spec, SpecError
from tests.integration.crd.policies import DELETE, SAMPLES, RefusedError, changed, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.crd.policies import Policies


def _keys(node: dict[str, Any], path: str) -> Iterator[str]:
    for name, child in node.items():
        yield f"{path}.{name}"
        if isinstance(child, dict):
            yield from _keys(child, f"{path}.{name}")


def test_what_is_mutated_is_taken_as_it_is(policies: Policies) -> None:
    """Or every mutation would be refused for the same reason."""
    for policy in POLICIES:
        policies.create("default", policy, dry_run=True)


# What no sample shows.
RARE: dict[str, Any] = sample("observe") | {
    "spec": sample("observe")["spec"]
    | {
        "onDelete": "Restore",
        "rate": {
            "prometheus": {
                "query": "up",
                "address": "https://mimir/prometheus",
                "timeout": "5s",
                "targetsQuery": "count(up)",
                "tenant": {"header": "X-Scope-OrgID", "value": "shop"},
                "authentication": {
                    "bearer": {"secretRef": {"name": "mimir", "key": "token"}},
                    "tls": {"secretRef": {"name": "mimir-tls"}},
                },
            }
        },
        "objective": {
            "errorBudget": {"slo": "99.9", "window": "24h"},
            "sli": {"query": "up"},
        },
        "events": [
            {"name": "sale", "start": "2026-11-27T00:00:00Z", "duration": "24h", "minReplicas": 3}
        ],
        "paused": {
            "until": "2026-12-24T00:00:00Z",
            "reason": "holidays",
            "by": "sre",
            "block": "All",
            "replicas": 3,
        },
        "guardrails": {"demotion": {"regretBudget": "50"}},
    }
}
POLICIES = [*(sample(path.stem) for path in SAMPLES), RARE]
MUTATIONS = st.sampled_from(
    [(policy, key) for policy in POLICIES for key in _keys(policy["spec"], "spec")]
)
# Values that are nearly right, besides those that are not.
NEARLY = st.sampled_from(
    [
        *("0", "-0", "+1", ".5", "5.", "1e3", "1E400", "1e-400", "0x1F", "1_000", "\u0663", "NaN"),
        *("1Ki", "1n", "9" * 32, "1" * 33, "0s", "1d", "1h1h", "5s5m", "1m 30s", "+5m", "-5m"),
        *("999999h999999m999999s", "000000h", "24H", "http://", "http://[", "http://%zz", "//x"),
    ]
)
JUNK = st.one_of(
    st.just(DELETE),
    NEARLY,
    st.lists(NEARLY, max_size=5),
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**64), max_value=2**64),
    # A float that is nearly whole counts as an integer until a rule reads it, and is then refused
    # with that rule's source. No schema can change that, and for 5.0 kubectl sends 5.
    st.floats(-1000, 1000).filter(lambda x: abs(x - round(x)) > 1 / 1024),
    # Surrogates are no UTF-8: no client could send them.
    st.text(st.characters(exclude_categories=["Cs"]), max_size=400),
    st.dictionaries(st.text(st.characters(codec="ascii"), max_size=5), NEARLY, max_size=3),
)


@settings(
    max_examples=1000,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(mutation=MUTATIONS, value=JUNK)
def test_mutated_policies_are_taken_or_refused_in_words(
    policies: Policies, mutation: tuple[dict[str, Any], str], value: object
) -> None:
    """Never an internal error, and never a rule's source in place of a reason.

    And what is taken, the operator reads, or says what is wrong with it.
    """
    policy, key = mutation
    try:
        taken = policies.create("default", changed(policy, key, value), dry_run=True)
    except RefusedError as refusal:
        status, message = refusal.status, refusal.message
    else:
        with suppress(SpecError):
            Spec.parse(taken["spec"])
        return
    assert status in {400, 422}, message
    assert "evaluating rule" not in message
    assert "no such overload" not in message

"""The chart on a real control plane: what it brings, what its token may do, what it leaves."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from tests.cluster import APPS, CORE, ApiError, wait_until
from tests.integration.chart.charts import CHART, NAMESPACE, ROOT, identity, may

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster import Api, Cluster

RELEASE = "headstart"
CRD = "scalingpolicies.headstart.dev"
OURS = "--selector=app.kubernetes.io/instance=headstart"
SAMPLE = ROOT / "manifests" / "samples" / "observe.yaml"

NAMED = ["--set=artifactConfigMaps={trained}", "--set=prometheusSecrets={mimir}"]

# All that the operator does. A right beyond these is as much a fault as one that is missing.
ALLOWED = [
    *((verb, "scalingpolicies.headstart.dev") for verb in ("list", "watch")),
    ("patch", "scalingpolicies.headstart.dev/status"),
    ("get", "configmaps:trained"),
    ("get", "secrets:mimir"),
    *((verb, "pods") for verb in ("list", "watch")),
    *((verb, "resourcequotas") for verb in ("list", "watch")),
    *((verb, "events") for verb in ("create", "patch")),
    *(
        (verb, f"{kind}.apps/scale")
        for verb in ("get", "patch")
        for kind in ("deployments", "statefulsets", "replicasets")
    ),
    *(
        (verb, f"{kind}.apps")
        for verb in ("get", "list", "watch")
        for kind in ("deployments", "statefulsets", "replicasets")
    ),
    *((verb, "horizontalpodautoscalers.autoscaling") for verb in ("list", "watch", "patch")),
]
OWN = [
    ("create", "leases.coordination.k8s.io"),
    *((verb, "leases.coordination.k8s.io:headstart") for verb in ("get", "update", "patch")),
    ("get", "configmaps:headstart-stop"),
]
FORBIDDEN = [
    *((verb, "scalingpolicies.headstart.dev") for verb in ("create", "patch", "update", "delete")),
    *((verb, "configmaps") for verb in ("get", "list", "watch", "create", "update")),
    ("get", "configmaps:another"),
    *((verb, "secrets") for verb in ("get", "list", "watch", "create", "update")),
    ("get", "secrets:another"),
    *((verb, "pods") for verb in ("get", "create", "delete", "patch")),
    ("create", "pods/exec"),
    ("create", "pods/eviction"),
    *((verb, "deployments.apps") for verb in ("patch", "update", "delete", "create")),
    *((verb, "horizontalpodautoscalers.autoscaling") for verb in ("create", "update", "delete")),
    *((verb, "leases.coordination.k8s.io:another") for verb in ("get", "update", "patch")),
    *((verb, "leases.coordination.k8s.io") for verb in ("list", "delete")),
    *((verb, "roles.rbac.authorization.k8s.io") for verb in ("get", "create", "bind", "escalate")),
    ("patch", "daemonsets.apps"),
    *((verb, "events") for verb in ("get", "list")),
    ("update", "deployments.apps/scale"),
    ("create", "serviceaccounts/token"),
    ("impersonate", "users"),
]


@pytest.fixture
def watched(cluster: Cluster) -> Iterator[str]:
    """Name of a namespace with workloads."""
    with cluster.namespace("watched") as name:
        yield name


@pytest.fixture
def other(cluster: Cluster) -> Iterator[str]:
    """Name of a namespace that an operator may have no business in."""
    with cluster.namespace("other") as name:
        yield name


@pytest.fixture
def uninstall(cluster: Cluster) -> Iterator[None]:
    """Remove the release at the end."""
    yield
    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait", "--timeout=60s")


def _install(cluster: Cluster, chart: Path, *arguments: str) -> str:
    """Install the chart without waiting: its pod has no image here."""
    return cluster.helm(
        *("install", RELEASE, chart, f"--namespace={NAMESPACE}", "--create-namespace"), *arguments
    ).stdout


@pytest.mark.usefixtures("uninstall")
def test_install_brings_all_it_needs_and_says_what_is_next(cluster: Cluster, watched: str) -> None:
    """From the directory, through the link to the CRD; the sample in the notes then works."""
    notes = _install(cluster, CHART)
    cluster.wait_established(CRD)
    policy = notes.split("<<'POLICY'\n")[1].split("  POLICY")[0]
    cluster.kubectl(
        *("apply", f"--namespace={watched}", "-f", "-"),
        stdin=policy.replace("NAME\n", "shop\n").replace("DEPLOYMENT", "shop"),
    )
    kinds = "deployment,service,serviceaccount"
    found = cluster.kubectl("get", kinds, RELEASE, "-n", NAMESPACE, "-o", "name").stdout.split()
    assert found == [
        "deployment.apps/headstart",
        "service/headstart",
        "serviceaccount/headstart",
    ]


def test_uninstall_leaves_the_policies_and_nothing_stuck(
    cluster: Cluster, watched: str, tmp_path: Path
) -> None:
    """From a package. What people wrote survives, and goes at once when they say so."""
    cluster.helm("package", CHART, f"--destination={tmp_path}")
    (package,) = tmp_path.iterdir()
    _install(cluster, package)
    cluster.kubectl("apply", f"--namespace={watched}", "-f", SAMPLE)
    cluster.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait", "--timeout=60s")

    kinds = "deployment,replicaset,pod,service,serviceaccount,role,rolebinding"
    cluster.kubectl("wait", "--for=delete", "--timeout=60s", kinds, OURS, "--all-namespaces")
    bindings = "clusterrole,clusterrolebinding"
    assert not cluster.kubectl("get", bindings, OURS, "-o", "name").stdout

    cluster.kubectl("get", "scalingpolicy", "checkout", f"--namespace={watched}")
    cluster.kubectl("delete", "scalingpolicy", "checkout", "-n", watched, "--timeout=10s")


@pytest.mark.usefixtures("uninstall")
def test_cluster_wide_token_may_do_just_what_the_operator_does(
    cluster: Cluster, watched: str
) -> None:
    """In any namespace, as there is none in the values."""
    _install(cluster, CHART, *NAMED)
    with identity(cluster, NAMESPACE, RELEASE) as operator:
        for verb, resource in ALLOWED:
            assert may(operator, verb, resource, watched), f"{verb} {resource}"
        for verb, resource in OWN:
            assert may(operator, verb, resource, NAMESPACE), f"{verb} {resource}"
            assert not may(operator, verb, resource, watched), f"{verb} {resource}"
        for verb, resource in FORBIDDEN:
            assert not may(operator, verb, resource, watched), f"{verb} {resource}"
        _try_what_is_forbidden(operator, watched)


def _try_what_is_forbidden(operator: Api, namespace: str) -> None:
    """Not only asked: done, and refused; what the values name is not refused, only not there."""
    here = f"{CORE}/namespaces/{namespace}"
    tries: dict[str, Callable[[], object]] = {
        "list Secrets": lambda: operator.get(f"{here}/secrets"),
        "read another's Secret": lambda: operator.get(f"{here}/secrets/another"),
        "list ConfigMaps": lambda: operator.get(f"{here}/configmaps"),
        "make itself a token": lambda: operator.create(
            f"{here}/serviceaccounts/default/token", {"spec": {}}
        ),
        "delete pods": lambda: operator.delete(f"{here}/pods/any"),
        "change a workload": lambda: operator.patch(
            f"{APPS}/namespaces/{namespace}/deployments/any", {"spec": {"paused": True}}
        ),
    }
    for what, attempt in tries.items():
        with pytest.raises(ApiError) as refusal:
            attempt()
        assert refusal.value.status == HTTPStatus.FORBIDDEN, what
    for named in ("secrets/mimir", "configmaps/trained"):
        with pytest.raises(ApiError) as refusal:
            operator.get(f"{here}/{named}")
        assert refusal.value.status == HTTPStatus.NOT_FOUND, named


@pytest.mark.usefixtures("uninstall")
def test_namespaced_token_may_do_it_there_only(cluster: Cluster, watched: str, other: str) -> None:
    """An operator for one team sees nothing of another's."""
    _install(cluster, CHART, f"--set=watchNamespaces={{{watched}}}", *NAMED)
    with identity(cluster, NAMESPACE, RELEASE) as operator:
        for verb, resource in ALLOWED:
            assert may(operator, verb, resource, watched), f"{verb} {resource}"
            for elsewhere in (other, NAMESPACE, ""):
                assert not may(operator, verb, resource, elsewhere), f"{verb} {resource}"
        for verb, resource in FORBIDDEN:
            assert not may(operator, verb, resource, watched), f"{verb} {resource}"
    everywhere = "clusterrole,clusterrolebinding"
    assert not cluster.kubectl("get", everywhere, OURS, "-o", "name").stdout


def test_everything_that_can_be_set_is_valid(cluster: Cluster) -> None:
    """To the API server, strictly; but for the two kinds that a Prometheus operator brings."""
    values = f"--values={ROOT}/tests/integration/chart/values/everything.yaml"
    theirs = "--set=serviceMonitor.enabled=false,prometheusRule.enabled=false"
    rendered = cluster.helm(
        *("template", RELEASE, CHART, f"--namespace={NAMESPACE}", values, theirs, "--skip-tests")
    ).stdout
    space = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n"
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=space)
    strict = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
    cluster.kubectl("apply", *strict, f"--namespace={NAMESPACE}", "-f", "-", stdin=rendered)


@pytest.mark.usefixtures("uninstall")
def test_people_may_do_with_policies_what_they_may_do_with_workloads(
    cluster: Cluster, watched: str
) -> None:
    """By the roles that every cluster has, which take up those of the chart."""
    policies = "scalingpolicies.headstart.dev"
    _install(cluster, CHART)
    rights = {
        "view": (["get", "list", "watch"], ["create", "patch", "delete"]),
        "edit": (["get", "list", "create", "patch", "delete"], []),
        "admin": (["get", "create", "update", "delete"], []),
    }
    for role, (granted, refused) in rights.items():
        cluster.kubectl("create", "serviceaccount", role, "-n", watched)
        cluster.kubectl(
            *("create", "rolebinding", role, "-n", watched, f"--clusterrole={role}"),
            f"--serviceaccount={watched}:{role}",
        )
        with identity(cluster, watched, role) as person:
            for verb in granted:
                # The controller takes the chart's roles up in a moment.
                right = partial(may, person, verb, policies, watched)
                wait_until(f"{role} to {verb} policies", right)
            for verb in refused:
                assert not may(person, verb, policies, watched), f"{role} {verb}"
            assert not may(person, "patch", f"{policies}/status", watched), role


def test_manifests_install_without_helm(cluster: Cluster) -> None:
    """In their own namespace, which admits nothing but restricted pods: the operator's is one."""
    manifests = ROOT / "manifests"
    cluster.kubectl("apply", "--server-side", "-k", manifests)
    cluster.kubectl(
        *("wait", "--for=jsonpath={.status.replicas}=2", "--timeout=30s"),
        *(f"deployment/{RELEASE}", f"--namespace={NAMESPACE}"),
    )
    cluster.kubectl("delete", "-k", manifests, "--timeout=60s")

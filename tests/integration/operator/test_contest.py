"""Whoever else scales the workload: no tug-of-war, or, where that is asked for, assistance.

All of them at once, to one operator. The HPAs are real, and so is their metric.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster import wait_until
from tests.integration.baselines.metrics import MetricsApi
from tests.integration.operator.autoscalers import (
    KEDA,
    SCALED_OBJECTS,
    Autoscalers,
    Dial,
    a_scaled_object,
    an_hpa,
)
from tests.integration.operator.world import HEADSTART, World, rate_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster import Prometheus
    from tests.integration.operator.exporter import Exporter
    from tests.integration.operator.world import Operator

START = 4
IDLE = 2.0
# Half as much again as 19 and 34 requests/s need of replicas that serve 5 each.
SOME, SIX = 19.0, 6
MORE, ELEVEN = 34.0, 11
ARGO = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/argo"}
# Loads that jump as these do would cost any policy its trust, and the formula asks for others.
UNJUDGED = {"demotion": {"regretBudget": "1000000000"}}
FLUX = "kustomize-controller"
DISABLED = {"selectPolicy": "Disabled"}
HPA, TAKEN = "HorizontalPodAutoscaler", "TargetContested"


@pytest.fixture(scope="module")
def rivals(world: World) -> Autoscalers:
    """Provide what else scales the workloads."""
    return Autoscalers(world)


@pytest.fixture(scope="module")
def figures(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Dial]]:
    """Provide the figures that HPAs go by."""
    with MetricsApi(world.cluster, world.namespace, tmp_path_factory.mktemp("metrics")) as api:
        wait_until("the metrics API", lambda: api.available)
        dials = {name: Dial(7.0) for name in ("beside", "observed", "assisted", "dying", "owned")}
        api.scripts.update(dials)
        yield dials


@pytest.fixture(scope="module", autouse=True)
def operator(
    world: World,
    load: Exporter,
    monitoring: Prometheus,
    rivals: Autoscalers,
    figures: dict[str, Dial],
) -> Iterator[Operator]:
    """Set all of it up, and start the operator into it."""
    modes = {"observed": "Observe", "assisted": "Assist", "dying": "Assist", "owned": "Assist"}
    on_delete = {"restored": "Restore"}
    for name in ("beside", "keda", "argo", "flux", "shared", "lonely", "kept", *modes, *on_delete):
        load.set(name, MORE if name == "beside" else SOME)
        world.deployment(name, START)
        mode = modes.get(name, "Assist" if name == "lonely" else "Auto")
        world.policy(name, mode=mode, onDelete=on_delete.get(name, "Keep"), guardrails=UNJUDGED)
    for name in figures:
        owner = {"scaledobject.keda.sh/name": "owner"} if name == "owned" else {}
        rivals.apply(an_hpa(name, labels=owner))
    with world.start_operator(monitoring.url) as running:
        yield running


@pytest.fixture(scope="module")
def keda(world: World) -> Iterator[None]:
    """Teach the cluster what a ScaledObject is, after the operator has started."""
    world.cluster.apply(SCALED_OBJECTS)
    world.cluster.wait_established(KEDA)
    yield
    world.cluster.kubectl("delete", "crd", KEDA)


def test_an_hpa_is_left_alone_until_it_sleeps(world: World, rivals: Autoscalers) -> None:
    condition = world.wait_condition("beside", TAKEN, "True", HPA)
    assert "Use mode Assist" in condition["message"]
    assert "headstart init --from-hpa" in condition["message"]
    assert world.wait_condition("beside", "ScalingActive", "False", TAKEN)
    assert world.wait_event("beside", HPA)["type"] == "Warning"
    # The HPA asks for 2 by its figure of 7; the load would have Headstart ask for 11.
    wait_until("a decision", lambda: world.status("beside")["desiredReplicas"] == ELEVEN)
    assert world.replicas("beside") == 2
    # As `headstart init` has it; its bounds, which it enforces in its sleep, become the policy's.
    asleep = {"scaleUp": DISABLED, "scaleDown": DISABLED}
    rivals.patch_hpa("beside", behavior=asleep, minReplicas=1, maxReplicas=50)
    world.wait_replicas("beside", ELEVEN, ELEVEN)
    world.wait_condition("beside", TAKEN, "False", "NotContested")


def test_where_one_observes_the_hpa_is_what_it_is_compared_with(world: World) -> None:
    world.wait_condition("observed", "Ready", "True")
    assert world.status("observed")["comparison"]["against"] == f"{HPA}/observed"
    assert world.condition("observed", TAKEN)["status"] == "False"


def test_a_cluster_without_keda_is_no_problem_and_a_scaled_object_is_left_alone(
    world: World, load: Exporter, rivals: Autoscalers, request: pytest.FixtureRequest
) -> None:
    world.wait_condition("keda", "Ready", "True")
    world.wait_replicas("keda", SIX, SIX)
    request.getfixturevalue("keda")
    rivals.apply(a_scaled_object("keda"))
    condition = world.wait_condition("keda", TAKEN, "True", "ScaledObject")
    assert "autoscaling.keda.sh/paused" in condition["message"]
    load.set("keda", MORE)
    wait_until("a decision", lambda: world.status("keda")["desiredReplicas"] == ELEVEN)
    assert world.replicas("keda") == SIX
    rivals.annotate("scaledobject", "keda", "autoscaling.keda.sh/paused=true")
    world.wait_replicas("keda", ELEVEN, ELEVEN)


def test_of_two_policies_the_older_acts_and_neither_lowers(world: World, load: Exporter) -> None:
    world.wait_replicas("shared", SIX, SIX)
    world.policy("younger", rate_of("shared"), scaleTargetRef={"name": "shared"})
    told = world.wait_condition("younger", TAKEN, "True", "ScalingPolicy")
    assert "ScalingPolicy shared scales this workload already" in told["message"]
    world.wait_condition("younger", "ScalingActive", "False", TAKEN)
    told = world.wait_condition("shared", TAKEN, "True", "ScalingPolicy")
    assert "replicas only grow" in told["message"]
    load.set("shared", IDLE)
    wait_until(
        "a limit",
        lambda: any(
            (limit["guardrail"], limit["to"]) == ("raiseOnly", SIX)
            for limit in world.status("shared")["lastDecision"]["limits"]
        ),
    )
    load.set("shared", MORE)
    world.wait_replicas("shared", ELEVEN, ELEVEN)
    world.cluster.kubectl("-n", world.namespace, "delete", "scalingpolicy", "younger")
    load.set("shared", IDLE)
    world.wait_replicas("shared", 1, 1)


def test_argo_cd_is_named_told_what_to_ignore_and_left_alone(
    world: World, rivals: Autoscalers
) -> None:
    for _ in range(3):
        world.wait_replicas("argo", SIX, SIX)
        rivals.apply(rivals.replicas_of("argo", START, **ARGO), "argocd-controller")
    condition = world.wait_condition("argo", "ScalingActive", "False", TAKEN)
    assert world.condition("argo", TAKEN)["reason"] == "ChangedByAnother"
    message = condition["message"]
    assert "argocd-controller (Apply) set 4 replicas where Headstart had left 6" in message
    assert "Application shop " in message
    told = yaml.safe_load(message[message.index("spec: {") :])
    assert told["spec"]["ignoreDifferences"] == [
        {
            "group": "apps",
            "kind": "Deployment",
            "name": "argo",
            "namespace": world.namespace,
            "jsonPointers": ["/spec/replicas"],
        }
    ]
    wait_until("a decision", lambda: world.status("argo")["desiredReplicas"] == SIX)
    assert world.replicas("argo") == START
    # Whoever changes the policy has had a look: it tries again.
    world.change("argo", minReplicas=2)
    world.wait_replicas("argo", SIX, SIX)


def test_flux_is_told_to_let_go_and_can_without_a_fall_to_one_replica(
    world: World, rivals: Autoscalers
) -> None:
    world.wait_replicas("flux", SIX, SIX)
    rivals.apply(rivals.replicas_of("flux", START), FLUX)
    message = world.wait_condition("flux", TAKEN, "True", "ChangedByAnother")["message"]
    assert f"{FLUX} (Apply) set 4 replicas where Headstart had left 6; until it rests" in message
    assert "take spec.replicas out of the manifest" in message
    # As docs/gitops.md has it: somebody else owns the field, then Git does not name it any more.
    current = world.replicas("flux")
    rivals.apply(rivals.replicas_of("flux", current), "handover-to-headstart")
    without = rivals.replicas_of("flux", current)
    del without["spec"]
    rivals.apply(without, FLUX)
    assert world.replicas("flux") >= START


def test_assist_raises_the_floor_of_a_real_hpa_that_goes_on_scaling(
    world: World, load: Exporter, rivals: Autoscalers, figures: dict[str, Dial]
) -> None:
    world.wait_condition("assisted", "ScalingActive", "True", "Assisting")
    rivals.wait_floor("assisted", SIX)
    note = rivals.note("assisted")
    assert (note["minReplicas"], note["raisedTo"], note["policy"]) == (2, SIX, "assisted")
    told = world.wait_event("assisted", "Assisted")["message"]
    assert "minReplicas of HorizontalPodAutoscaler/assisted: 2 -> " in told
    # The HPA raises the replicas to its new floor, by itself, and above it by its own metric.
    world.wait_replicas("assisted", SIX, SIX)
    figures["assisted"].figure = 28.0
    world.wait_replicas("assisted", 8, 8)
    load.set("assisted", 2 * MORE)
    rivals.wait_floor("assisted", 9)
    wait_until("a wish", lambda: world.status("assisted")["desiredReplicas"] > 9)
    assert world.condition("assisted", TAKEN)["status"] == "False"
    load.set("assisted", IDLE)
    figures["assisted"].figure = 7.0
    rivals.wait_floor("assisted", 2)
    assert rivals.note("assisted") == {}
    world.wait_replicas("assisted", 2, 2)


def test_the_owners_new_floor_is_the_owners_word(
    world: World, load: Exporter, rivals: Autoscalers
) -> None:
    load.set("assisted", SOME)
    rivals.wait_floor("assisted", SIX)
    rivals.patch_hpa("assisted", minReplicas=3)
    condition = world.wait_condition("assisted", TAKEN, "True", "ChangedByAnother")
    assert "set minReplicas = 3 where Headstart had left 6" in condition["message"]
    wait_until("the note", lambda: rivals.note("assisted").get("minReplicas") == 3)
    rivals.wait_floor("assisted", SIX)
    world.cluster.kubectl("-n", world.namespace, "delete", "scalingpolicy", "assisted")
    rivals.wait_floor("assisted", 3)


def test_with_nothing_to_assist_it_says_so(world: World) -> None:
    condition = world.wait_condition("lonely", "Ready", "False", "NothingToAssist")
    assert "no HorizontalPodAutoscaler scales this workload" in condition["message"]
    assert world.replicas("lonely") == START


def test_the_hpa_of_a_scaled_object_is_kedas(world: World, rivals: Autoscalers) -> None:
    condition = world.wait_condition("owned", "Ready", "False", "NothingToAssist")
    assert "headstart_desired_replicas" in condition["message"]
    wait_until("a decision", lambda: world.status("owned")["desiredReplicas"] == SIX)
    assert rivals.floor("owned") == 2


def test_replicas_are_restored_on_delete_only_where_that_was_asked_for(
    world: World, rivals: Autoscalers
) -> None:
    for name in ("kept", "restored"):
        world.wait_replicas(name, SIX, SIX)
    rivals.wait_floor("dying", SIX)
    original = json.loads(world.status("restored")["memory"]["text"])["original"]
    assert original["replicas"] == START
    for name in ("kept", "restored", "dying"):
        world.cluster.kubectl("-n", world.namespace, "delete", "scalingpolicy", name)
    world.wait_replicas("restored", START, START)
    # Assist always gives back what it took.
    rivals.wait_floor("dying", 2)
    assert world.replicas("kept") == SIX


def test_a_killed_operators_floor_falls_back(
    world: World, rivals: Autoscalers, operator: Operator
) -> None:
    world.policy("dying", mode="Assist")
    rivals.wait_floor("dying", SIX)
    operator.kill()
    # It may come back: until then the floor is good.
    assert "is good until" in reset(world)
    assert rivals.floor("dying") == SIX
    note = {**rivals.note("dying"), "until": "2020-01-01T00:00:00Z"}
    rivals.annotate("hpa", "dying", f"headstart.dev/assist={json.dumps(note)}")
    assert f"{HPA}/dying: minReplicas 6 -> 2" in reset(world)
    assert rivals.floor("dying") == 2
    assert rivals.note("dying") == {}
    operator.start()
    rivals.wait_floor("dying", SIX)
    start = time.monotonic()
    assert "minReplicas 6 -> 2" in reset(world, "--all")
    assert time.monotonic() - start < 10


def reset(world: World, *flags: str) -> str:
    """Call `headstart assist-reset` with the chart's rights."""
    environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(world.account)}
    command = [str(HEADSTART), "assist-reset", f"--namespace={world.namespace}", *flags]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

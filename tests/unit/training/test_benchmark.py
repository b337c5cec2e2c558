"""What ships: the default policy loads, says what it is, and beats what it claims to beat."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest
from click.testing import CliRunner

from headstart_policy import artifact, envelope
from headstart_policy.behavior import Behavior, Rules
from headstart_policy.features import NAMES
from headstart_policy.guardrails import Guardrails
from headstart_training import benchmark, recipe, scenarios, settings, shipping
from headstart_training.algorithms.ppo import Policy
from headstart_training.commands.evaluate import evaluate
from headstart_training.contest import Headstart, play
from tests.unit.policy.build import a_policy

if TYPE_CHECKING:
    from pathlib import Path


COMMANDS = {
    "default": ("headstart train default --seed 0 --traces FOLDER", recipe.POPULATION.envelope()),
    "ppo": ("headstart train kubernetes --seed 0", scenarios.DEFAULT.envelope()),
}


@pytest.fixture(scope="module", params=COMMANDS)
def measured(request: pytest.FixtureRequest) -> benchmark.Benchmark:
    """Loads that neither training nor the card's own benchmark saw, for each builtin policy."""
    policy = artifact.builtin(request.param)
    return benchmark.run(policy, services=24, minutes=1440, seed=settings.UNSEEN + 1_000_000)


def _line(lines: tuple[benchmark.Line, ...], name: str) -> benchmark.Line:
    return next(line for line in lines if line.name == name)


@pytest.mark.parametrize("name", ["HPA 70 %", "best static"])
def test_the_shipped_policy_beats_it_on_the_seeds_day(
    measured: benchmark.Benchmark, name: str
) -> None:
    """By more than chance: the whole interval of the paired difference is above zero."""
    assert _line(measured.seed_day, name).difference_low > 0


@pytest.mark.parametrize("name", ["HPA 70 %", "HPA 60 %", "HPA 60 %, no tolerance"])
def test_the_shipped_policy_beats_it_where_the_day_has_an_hour(
    measured: benchmark.Benchmark, name: str
) -> None:
    assert _line(measured.demonstration, name).difference_low > 0


def test_the_shipped_policy_scales_ahead(measured: benchmark.Benchmark) -> None:
    leads = measured.leads
    assert leads.rises > 10 * leads.services
    assert leads.scaled_ahead == leads.services
    assert leads.led > 0.9 * leads.rises


def test_nobody_earns_more_than_the_clairvoyant(measured: benchmark.Benchmark) -> None:
    for lines in (measured.seed_day, measured.demonstration):
        limit = _line(lines, benchmark.CLAIRVOYANT)
        assert limit.share == 1
        assert all(line.dollars_per_day <= limit.dollars_per_day for line in lines)


def test_the_default_beats_every_hpa_on_the_seeds_day_and_ppo() -> None:
    seed = settings.UNSEEN + 2_000_000
    default, ppo = (
        benchmark.run(artifact.builtin(name), services=24, minutes=1440, seed=seed)
        for name in ("default", "ppo")
    )
    for name in ("HPA 60 %", "HPA 60 %, no tolerance"):
        assert _line(default.seed_day, name).difference_low > 0
    for ours, theirs in (
        (default.seed_day, ppo.seed_day),
        (default.demonstration, ppo.demonstration),
    ):
        first = _line(ours, benchmark.SUBJECT).dollars_per_day
        assert first > _line(theirs, benchmark.SUBJECT).dollars_per_day


@pytest.mark.parametrize("name", COMMANDS)
def test_the_shipped_policy_never_leaves_its_envelope_on_the_seeds_day(name: str) -> None:
    """Else the reactive formula would decide, and the benchmark would measure that."""
    world = settings.seed_day(16, 600, seed=settings.UNSEEN + 7)
    none = np.zeros(16, dtype=np.int64)
    warming = np.zeros((16, 4), dtype=np.int64)
    policy = artifact.builtin(name)
    for t in range(0, world.steps, 10):
        seen = world.sight.observation(t, world.profiles, none, warming, none)
        assert envelope.leaves(policy.envelope, seen) == [None] * 16


@pytest.mark.parametrize("name", COMMANDS)
def test_the_shipped_card_says_how_it_was_made_and_what_it_is_not(name: str) -> None:
    file = resources.files("headstart_policy").joinpath("policies", f"{name}.safetensors")
    policy = artifact.builtin(name)
    command, bounds = COMMANDS[name]
    assert policy.card["name"] == name
    assert policy.digest == "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
    assert policy.envelope == bounds
    assert policy.card["command"] == command
    alone = [] if policy.card.get("recordings") else [shipping.GENERATED_ALONE]
    assert policy.card["failure_modes"] == [*shipping.FAILURE_MODES, *alone]
    claimed = {line["name"]: line for line in policy.card["results"]["seed_day"]}
    assert claimed["best static"]["difference_low"] > 0
    assert claimed["HPA 70 %"]["difference_low"] > 0


def test_the_export_serves_what_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same features, same ratio: torch and normalisation on the one side, numpy on the other."""
    envs = gymnasium.make_vec("headstart/Kubernetes-v0", num_envs=1)
    trained = Policy(
        envs.single_observation_space, envs.single_action_space, (16, 16), initial_spread=0.1
    )
    rng = np.random.default_rng(0)
    for parameter in trained.network.parameters():
        parameter.data += 0.1
    observations = rng.normal(size=(50, len(NAMES))).astype(np.float32)
    trained.norm.update(trained.low.new_tensor(observations * 2 + 1))
    monkeypatch.setattr(
        benchmark,
        "run",
        lambda _: benchmark.Benchmark(1, 1, 1, (), (), benchmark.Leads(0, 0, 1, 0)),
    )
    run = {
        "game": "kubernetes",
        "num_envs": 8,
        "ppo": {"seed": 3, "iterations": 2, "rollout_steps": 5},
    }
    (tmp_path / "run.json").write_text(json.dumps(run))
    shipping.export(trained, tmp_path)
    policy = artifact.parse((tmp_path / shipping.ARTIFACT).read_bytes())
    level = np.full((len(observations), 1), 1000.0)
    served = policy.network.replicas(observations.astype(np.float64), level) / 1000
    np.testing.assert_allclose(np.log(served), trained.act(observations)[:, 0], atol=2e-3)
    assert policy.card["steps"] == 2 * 5 * 8
    assert json.loads((tmp_path / shipping.BENCHMARK).read_text())["services"] == 1


def test_guardrails_with_a_memory_are_refused() -> None:
    guardrails = Guardrails(max_replicas=9, behavior=Behavior(down=Rules(window=60)))
    with pytest.raises(ValueError, match="behavior need the operator's memory"):
        Headstart(a_policy(), guardrails)


def test_the_guardrails_of_a_contest_hold() -> None:
    world = settings.seed_day(3, 30, seed=settings.UNSEEN + 2)
    result = play(world, Headstart(a_policy(), Guardrails(max_replicas=17, min_replicas=4)))
    assert result.desired.max() <= 17
    assert result.desired.min() >= 4


def test_the_command_measures_a_policy_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both tables, the verdict on leading, and the same figures as JSON."""
    monkeypatch.setattr(benchmark, "run", partial(benchmark.run, minutes=30))
    file, figures = tmp_path / "policy.safetensors", tmp_path / "figures.json"
    policy = a_policy()
    file.write_bytes(artifact.dump(policy.network, policy.envelope, policy.card))
    options = ["--artifact", str(file), "--games", "2", "--json", str(figures)]
    result = CliRunner().invoke(evaluate, options)
    assert result.exit_code == 0, result.output
    assert "2 unseen loads of the seed's, 30 min" in result.output
    assert "desired led" in result.output
    facts = json.loads(figures.read_text())
    assert facts["digest"] == artifact.parse(file.read_bytes()).digest
    assert [line["name"] for line in facts["seed_day"]][-1] == benchmark.CLAIRVOYANT


@pytest.mark.parametrize("arguments", [[], [".", "--artifact", __file__]])
def test_the_command_takes_either_a_run_or_a_file(arguments: list[str]) -> None:
    result = CliRunner().invoke(evaluate, arguments)
    assert result.exit_code == 2
    assert "Give either RUN or --artifact" in result.output


def test_the_command_refuses_what_is_no_policy_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "policy.safetensors"
    file.write_bytes(b"nothing")
    result = CliRunner().invoke(evaluate, ["--artifact", str(file)])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {file}: artefact is not a safetensors file")


def test_the_cards_results_reproduce() -> None:
    """The whole benchmark that the card of the default tells of, run again."""
    policy = artifact.builtin()
    claimed = policy.card["results"]
    again = benchmark.run(policy, services=claimed["services"], minutes=claimed["minutes"])
    for setting in ("seed_day", "demonstration"):
        for line in getattr(again, setting):
            told = next(one for one in claimed[setting] if one["name"] == line.name)
            assert line.dollars_per_day == pytest.approx(told["dollars_per_day"], rel=2e-3)
            assert line.share == pytest.approx(told["share"], rel=2e-3)
    assert again.leads.led == claimed["leads"]["led"]

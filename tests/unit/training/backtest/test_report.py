"""The JSON is stable, complete and plain."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from headstart_training.backtest.report import VERSION, document
from headstart_training.backtest.summary import records

if TYPE_CHECKING:
    from headstart_training.backtest.judgement import Judgement

_NUMBER = {"type": "number"}
_MAYBE = {"type": ["number", "null"]}
_FIGURES = {
    "type": "object",
    "required": ["dollars_per_day", "violation_minutes_per_day", "replica_hours_per_day"],
    "additionalProperties": _NUMBER,
}
_INTERVAL = {
    "type": "object",
    "required": ["value", "low", "high"],
    "properties": {"value": _MAYBE, "low": _MAYBE, "high": _MAYBE},
}
# What others build on: these keys stay for as long as the version does.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["version", "policy", "elapsed_seconds", "services", "summary"],
    "properties": {
        "version": {"const": 1},
        "services": {
            "type": "array",
            "items": {
                "type": "object",
                "required": [
                    "name",
                    "class",
                    "test_days",
                    "contenders",
                    "closure",
                    "share_of_clairvoyant",
                    "days",
                    "worst_hours",
                    "front",
                    "sensitivity",
                    "saturation",
                    "reference",
                    "winner",
                    "distance_to_actual",
                    "settings",
                    "assumptions",
                    "repairs",
                    "notes",
                ],
                "properties": {
                    "class": {"enum": ["predictable", "noisy", "coarse"]},
                    "test_days": _NUMBER,
                    "contenders": {
                        "type": "object",
                        "required": [
                            "headstart",
                            "headstart_network",
                            "hpa_default",
                            "hpa_tuned",
                            "holt_winters",
                            "scheduled",
                            "static",
                            "clairvoyant",
                        ],
                        "additionalProperties": _FIGURES,
                    },
                    "closure": {"type": "object", "additionalProperties": _MAYBE},
                },
            },
        },
        "summary": {
            "type": "object",
            "required": ["services", "contenders", "replica_hours_saved_at_equal_violations"],
            "properties": {
                "contenders": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "required": [
                            "median_closure",
                            "pooled_closure",
                            "worst_closure",
                            "services_won",
                            "services",
                            "dollars_per_day_over_hpa_tuned",
                        ],
                        "properties": {
                            "median_closure": {
                                "type": "object",
                                "additionalProperties": _INTERVAL,
                            },
                            "pooled_closure": _INTERVAL,
                            "dollars_per_day_over_hpa_tuned": _INTERVAL,
                        },
                    },
                }
            },
        },
    },
}


@pytest.fixture(scope="module")
def written(judgement: Judgement) -> dict[str, Any]:
    """Write the report of the one service, and read it again: NaN is no JSON."""
    found = records([judgement.contest])
    made = document([judgement], found, policy="sha256:0", elapsed=1.234)
    read: dict[str, Any] = json.loads(json.dumps(made, allow_nan=False))
    return read


def test_the_keys_are_those_that_were_promised(written: dict[str, Any]) -> None:
    assert VERSION == 1
    jsonschema.validate(written, SCHEMA)


def test_closure_is_that_of_the_dollars(written: dict[str, Any]) -> None:
    (one,) = written["services"]
    dollars = {name: of["dollars_per_day"] for name, of in one["contenders"].items()}
    assert one["closure"]["hpa_tuned"] == 0
    assert one["closure"]["clairvoyant"] == 1
    gap = dollars["clairvoyant"] - dollars["hpa_tuned"]
    expected = (dollars["headstart"] - dollars["hpa_tuned"]) / gap
    assert one["closure"]["headstart"] == pytest.approx(expected)


def test_days_add_up_to_the_contenders_figures(written: dict[str, Any]) -> None:
    (one,) = written["services"]
    for name, days in one["days"]["contenders"].items():
        assert len(days["dollars"]) == len(one["days"]["labels"])
        assert math.fsum(days["dollars"]) / one["test_days"] == pytest.approx(
            one["contenders"][name]["dollars_per_day"], rel=1e-3
        )


def test_a_single_service_is_its_own_summary(written: dict[str, Any]) -> None:
    (one,) = written["services"]
    for name, record in written["summary"]["contenders"].items():
        assert record["median_closure"]["coarse"]["value"] == one["closure"][name]
        assert record["pooled_closure"]["value"] == pytest.approx(one["closure"][name])
    headstart = written["summary"]["contenders"]["headstart"]
    assert headstart["pooled_closure"]["low"] <= headstart["pooled_closure"]["high"]


def test_what_was_assumed_is_there(written: dict[str, Any]) -> None:
    assumed = written["services"][0]["assumptions"]
    assert assumed["capacity_assumed"] is True
    assert (assumed["lead_time_seconds"], assumed["lead_steps"]) == (300, 1)
    assert (assumed["slo"], assumed["violation_cost_per_minute"]) == (0.995, 200)
